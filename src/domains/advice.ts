/** Advice on what to publish if the domain already has such records, so that none of its mail is lost. */
import type { Resolver } from "../net/dns.ts";
import {
  checksOf,
  type DomainRecords,
  lookUpRecords,
  type Published,
  publishedExchanges,
  publishedTexts,
  type RecordCheck,
  receivesElsewhere,
} from "./records.ts";
import { mergeSpf, SPF_LOOKUPS_MAX, spfLookups } from "./spf.ts";

export interface AdvisedCheck extends RecordCheck {
  /** What to do about it, in one or two sentences. */
  advice?: string;
  /** The record to publish in place of all that were found: it allows what they allow and what we need. */
  merged?: string;
  /** A domain for agents that takes no mail from the domain that is received elsewhere. */
  suggested_domain?: string;
  /** DNS look-ups that receivers need for the SPF record; 11 means more than 10. */
  lookups?: number;
}

/** First labels of a domain for agents, in the order in which they are suggested. */
const AGENT_LABELS = ["agents", "bots", "mail-agents"];
/** Hosts named in a sentence. */
const NAMED_MAX = 3;

/** Looks each record up now, as `checkRecords` does, and says what to do if the domain also uses it otherwise. */
export async function adviseRecords(records: DomainRecords, resolver: Resolver): Promise<AdvisedCheck[]> {
  const published = await lookUpRecords(records, resolver);
  const advise: Partial<Record<keyof DomainRecords, () => Promise<Omit<AdvisedCheck, keyof RecordCheck>>>> = {
    mx: () => mxAdvice(records, published, resolver),
    spf: () => spfAdvice(records, published, resolver),
    dmarc: async () => dmarcAdvice(records, published),
  };
  return Promise.all(
    checksOf(records, published).map(async (check) =>
      check.error === undefined ? { ...check, ...(await advise[check.record]?.()) } : check,
    ),
  );
}

/** Hosts other than this server that receive the domain's mail. A null MX (RFC 7505) names none. */
function otherHosts({ mx }: DomainRecords, published: Published): string[] {
  return valuesOf(published, "mx").filter((host) => host !== "" && host !== mx.value);
}

async function mxAdvice(records: DomainRecords, published: Published, resolver: Resolver) {
  const { mx, txt } = records;
  const others = otherHosts(records, published);
  if (others.length === 0) return {};
  const names = others.slice(0, NAMED_MAX).join(", ");
  if (!receivesElsewhere(records, published))
    return {
      advice: `Mail for ${mx.host} also goes to ${names}. Senders choose by priority, so agents get only a part of it.`,
    };
  const where = `Mail for ${mx.host} goes to ${names} today, and would stop arriving there if this record took its place.`;
  if (!txt) return { advice: `${where} Set shared_domain to a subdomain instead.` };
  const suggested = await freeDomain(mx.host, resolver);
  return {
    advice: `${where} Leave it, and give agents a domain of their own: ${suggested}.`,
    suggested_domain: suggested,
  };
}

/** A subdomain that receives no mail yet. */
async function freeDomain(domain: string, resolver: Resolver): Promise<string> {
  const names = AGENT_LABELS.filter((label) => !domain.startsWith(`${label}.`)).map((label) => `${label}.${domain}`);
  for (const name of names) {
    const hosts = await publishedExchanges(resolver, name).catch(() => []);
    if (hosts.length === 0) return name;
  }
  return names[0] ?? `agents.${domain}`;
}

async function spfAdvice(records: DomainRecords, published: Published, resolver: Resolver) {
  const { spf, mx } = records;
  const found = valuesOf(published, "spf");
  const [only, ...more] = found;
  // If the domain's MX names other servers, `mx` would let those send and not this one.
  const isElsewhere = receivesElsewhere(records, published);
  const mechanism = isElsewhere ? `a:${mx.value}` : "mx";
  if (only === undefined) return isElsewhere ? { merged: mergeSpf(["v=spf1 ~all"], mechanism) } : {};
  const textsAt = (host: string) => publishedTexts(resolver, host);
  const isRight = checksOf(records, published).some(({ record, status }) => record === "spf" && status === "ok");
  if (isRight) {
    const lookups = await spfLookups(only, textsAt);
    return { lookups, ...(lookups > SPF_LOOKUPS_MAX && { advice: tooMany("It") }) };
  }
  const merged = mergeSpf(found, mechanism);
  const lookups = await spfLookups(merged, textsAt);
  const why =
    more.length > 0
      ? `${spf.host} has ${found.length} SPF records, which receivers take as an error (RFC 7208 4.5): publish the merged one in place of all of them.`
      : `${spf.host} has an SPF record for its other senders, and may have only one (RFC 7208 3.2): publish the merged one in its place.`;
  return { advice: lookups > SPF_LOOKUPS_MAX ? `${why} ${tooMany("The merged record")}` : why, merged, lookups };
}

function tooMany(what: string): string {
  return `${what} needs more than ${SPF_LOOKUPS_MAX} DNS look-ups, where receivers stop with an error (RFC 7208 4.6.4): remove an include that sends no more.`;
}

function dmarcAdvice({ dmarc }: DomainRecords, published: Published) {
  const found = valuesOf(published, "dmarc");
  if (found.length < 2) return {};
  return {
    advice: `${dmarc.host} has ${found.length} DMARC records, so receivers apply none of them (RFC 7489 6.6.3): keep one.`,
  };
}

function valuesOf(published: Published, record: keyof DomainRecords): string[] {
  const looked = published[record];
  return looked && "values" in looked ? looked.values : [];
}
