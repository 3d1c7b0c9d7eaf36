/** The DNS records that a domain must publish for this server, and checks of what it has published. */
import { type DnsAnswers, DnsError, type DnsType, type Resolver } from "../net/dns.ts";
import { publicKeyOf } from "../outbound/published.ts";
import type { DomainWithKeys } from "../store/accounts/domains.ts";
import { allowsServer, isSpf } from "./spf.ts";

export interface DnsRecord {
  host: string;
  value: string;
  priority?: number;
}

export interface DomainRecords {
  mx: DnsRecord & { priority: number };
  /** The record that proves the claim; the server's own domain needs no proof. */
  txt?: DnsRecord;
  spf: DnsRecord;
  dmarc: DnsRecord;
  dkim?: DnsRecord;
  dkim_ed25519?: DnsRecord;
}

export interface RecordCheck {
  record: keyof DomainRecords;
  status: "ok" | "missing" | "mismatch";
  /** The values published instead. */
  found?: string[];
  /** Why the look-up failed, if DNS did not answer. */
  error?: string;
}

/** Long enough for a slow zone, short enough for a user who waits for the page. */
const CHECK_BUDGET_MS = 5_000;
/** Published values shown; a domain with more has other problems. */
const FOUND_MAX = 20;
const FOUND_CHARS_MAX = 500;

/** Returns the records to publish. `mailHost` is the name that senders connect to. */
export function domainRecords(domain: DomainWithKeys, mailHost: string): DomainRecords {
  const records: DomainRecords = {
    mx: { host: domain.domain, value: mailHost, priority: 10 },
    ...(domain.verificationToken === "" ? {} : { txt: { host: domain.domain, value: domain.verificationToken } }),
    spf: { host: domain.domain, value: "v=spf1 mx ~all" },
    dmarc: { host: `_dmarc.${domain.domain}`, value: "v=DMARC1; p=none" },
  };
  for (const key of domain.dkimKeys) {
    const host = `${key.selector}._domainkey.${domain.domain}`;
    if (key.algorithm === "rsa-sha256") records.dkim = { host, value: `v=DKIM1; k=rsa; p=${key.publicKey}` };
    else records.dkim_ed25519 = { host, value: `v=DKIM1; k=ed25519; p=${key.publicKey}` };
  }
  return records;
}

/** The published values of each kind of record, or why DNS did not answer. */
export type Published = Partial<Record<keyof DomainRecords, { values: string[] } | { error: string }>>;

/** Looks each record up now, bypassing the cache. Values of other kinds at the same name are left out. */
export async function lookUpRecords(records: DomainRecords, resolver: Resolver): Promise<Published> {
  const signal = AbortSignal.timeout(CHECK_BUDGET_MS);
  const texts = async (host: string, isKind: (text: string) => boolean = () => true) =>
    (await textsAt(resolver, host, signal)).filter(isKind);
  const { mx, txt, spf, dmarc, dkim, dkim_ed25519 } = records;
  const looked: [keyof DomainRecords, Promise<string[]>][] = [
    ["mx", exchangesAt(resolver, mx.host, signal)],
    // A domain has many other TXT records, which are not a mismatch.
    ...(txt ? [["txt", texts(txt.host, isProof)] as [keyof DomainRecords, Promise<string[]>]] : []),
    ["spf", texts(spf.host, isSpf)],
    ["dmarc", texts(dmarc.host, isDmarc)],
  ];
  if (dkim) looked.push(["dkim", texts(dkim.host)]);
  if (dkim_ed25519) looked.push(["dkim_ed25519", texts(dkim_ed25519.host)]);
  return Object.fromEntries(
    await Promise.all(
      looked.map(async ([record, values]) => [
        record,
        await values.then(
          (found) => ({ values: found }),
          (error) => ({ error: dnsTrouble(error) }),
        ),
      ]),
    ),
  );
}

const isProof = (text: string) => /^e2a-verify=/i.test(text);
const isDmarc = (text: string) => /^v=DMARC1\s*(?:;|$)/i.test(text);

/**
 * Looks each record up now, bypassing the cache, and checks it. SPF and DMARC records may contain more than we ask for,
 * because a domain that also sends from elsewhere needs that.
 */
export async function checkRecords(records: DomainRecords, resolver: Resolver): Promise<RecordCheck[]> {
  return checksOf(records, await lookUpRecords(records, resolver));
}

/** Whether other servers receive the domain's mail, and this one does not. */
export function receivesElsewhere({ mx: { value: own } }: DomainRecords, { mx }: Published): boolean {
  const hosts = mx && "values" in mx ? mx.values : [];
  return hosts.some((host) => host !== "") && !hosts.includes(own);
}

/** Compares what is published with what is needed, in the order of the look-ups. */
export function checksOf(records: DomainRecords, published: Published): RecordCheck[] {
  const { mx, txt, spf, dkim, dkim_ed25519 } = records;
  const hasKey = (values: string[], wanted: DnsRecord | undefined) =>
    wanted !== undefined && values.some((text) => publicKeyOf(text) === publicKeyOf(wanted.value));
  const byMx = !receivesElsewhere(records, published);
  const fits: Record<keyof DomainRecords, (values: string[]) => boolean> = {
    mx: (hosts) => hosts.includes(mx.value),
    txt: (texts) => texts.includes(txt?.value ?? ""),
    // Two records are an error, whatever their content (RFC 7208 4.5; RFC 7489 6.6.3).
    spf: (texts) => texts.length === 1 && texts.some((text) => allowsServer(text, spf.host, mx.value, byMx)),
    dmarc: (texts) => texts.length === 1,
    dkim: (texts) => hasKey(texts, dkim),
    dkim_ed25519: (texts) => hasKey(texts, dkim_ed25519),
  };
  return (Object.entries(published) as [keyof DomainRecords, NonNullable<Published[keyof Published]>][]).map(
    ([record, looked]): RecordCheck => {
      if ("error" in looked) return { record, status: "missing", error: looked.error };
      if (looked.values.length === 0) return { record, status: "missing" };
      if (fits[record](looked.values)) return { record, status: "ok" };
      return { record, status: "mismatch", found: shown(looked.values) };
    },
  );
}

/** Returns the TXT values at a host. Rejects with a DnsError only if DNS did not answer. */
export async function publishedTexts(resolver: Resolver, host: string): Promise<string[]> {
  return textsAt(resolver, host, AbortSignal.timeout(CHECK_BUDGET_MS));
}

/** Returns a domain's mail hosts, lower-cased, without a root dot; a null MX is "". Rejects as `publishedTexts`. */
export async function publishedExchanges(resolver: Resolver, domain: string): Promise<string[]> {
  return exchangesAt(resolver, domain, AbortSignal.timeout(CHECK_BUDGET_MS));
}

async function textsAt(resolver: Resolver, host: string, signal: AbortSignal): Promise<string[]> {
  return (await lookUp(resolver, host, "TXT", signal)).map((parts) => parts.join(""));
}

async function exchangesAt(resolver: Resolver, domain: string, signal: AbortSignal): Promise<string[]> {
  const records = await lookUp(resolver, domain, "MX", signal);
  return records.map(({ exchange }) => exchange.toLowerCase().replace(/\.$/, ""));
}

/** Says in one sentence why a look-up failed. */
export function dnsTrouble(error: unknown): string {
  return error instanceof DnsError ? `DNS did not answer (${error.code}).` : "DNS did not answer in time.";
}

/** Cuts published values to a size that fits an answer. */
export function shown(values: string[]): string[] {
  return values.slice(0, FOUND_MAX).map((value) => value.slice(0, FOUND_CHARS_MAX));
}

/** Looks up fresh records. An unknown name or a name without such records gives an empty list. */
async function lookUp<T extends DnsType>(resolver: Resolver, host: string, type: T, signal: AbortSignal) {
  try {
    return await resolver.resolve(host, type, { fresh: true, signal });
  } catch (error) {
    if (error instanceof DnsError && !error.temporary) return [] as unknown as DnsAnswers[T];
    throw error;
  }
}
