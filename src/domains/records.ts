/** The DNS records a domain publishes to be ours to serve, and what of them the world sees. */
import { type DnsAnswers, DnsError, type DnsType, type Resolver } from "../dns.ts";
import { publicKeyOf } from "../outbound/published.ts";
import type { DomainWithKeys } from "../store/domains.ts";

export interface DnsRecord {
  host: string;
  value: string;
  priority?: number;
}

export interface DomainRecords {
  mx: DnsRecord & { priority: number };
  /** What proves the claim; the server's own domain has none to prove. */
  txt?: DnsRecord;
  spf: DnsRecord;
  dmarc: DnsRecord;
  dkim?: DnsRecord;
  dkim_ed25519?: DnsRecord;
}

export interface RecordCheck {
  record: keyof DomainRecords;
  status: "ok" | "missing" | "mismatch";
  /** What is published instead. */
  found?: string[];
  /** Why the look-up failed, when DNS did not answer. */
  error?: string;
}

/** Long enough for a slow zone, short enough for a person who waits for the page. */
const CHECK_BUDGET_MS = 5_000;
/** Published values shown; a domain with more has other troubles. */
const FOUND_MAX = 20;
const FOUND_CHARS_MAX = 500;

/** The records to publish. `mailHost` is the name that senders connect to. */
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

/**
 * Looks each record up now, past the cache. SPF and DMARC may say more than we ask for: a domain that sends from
 * elsewhere too needs that.
 */
export async function checkRecords(records: DomainRecords, resolver: Resolver): Promise<RecordCheck[]> {
  const signal = AbortSignal.timeout(CHECK_BUDGET_MS);
  const texts = async (host: string) => (await lookUp(resolver, host, "TXT", signal)).map((parts) => parts.join(""));
  const hosts = async (host: string) =>
    (await lookUp(resolver, host, "MX", signal)).map(({ exchange }) => exchange.toLowerCase().replace(/\.$/, ""));

  const { mx, txt, spf, dmarc, dkim, dkim_ed25519 } = records;
  const checks = [
    check("mx", hosts(mx.host), (name) => name === mx.value),
    // A domain has many other TXT records; they are no mismatch.
    ...(txt ? [check("txt", texts(txt.host), (text) => text === txt.value, /^e2a-verify=/i)] : []),
    check("spf", texts(spf.host), (text) => / \+?mx([ :/]|$)/i.test(text), /^v=spf1( |$)/i),
    check("dmarc", texts(dmarc.host), () => true, /^v=DMARC1\s*(;|$)/i),
  ];
  if (dkim) checks.push(check("dkim", texts(dkim.host), (text) => publicKeyOf(text) === publicKeyOf(dkim.value)));
  if (dkim_ed25519)
    checks.push(
      check("dkim_ed25519", texts(dkim_ed25519.host), (text) => publicKeyOf(text) === publicKeyOf(dkim_ed25519.value)),
    );
  return Promise.all(checks);
}

/** The TXT values at a host. Rejects with a DnsError only when DNS did not answer. */
export async function publishedTexts(resolver: Resolver, host: string): Promise<string[]> {
  const records = await lookUp(resolver, host, "TXT", AbortSignal.timeout(CHECK_BUDGET_MS));
  return records.map((parts) => parts.join(""));
}

/** Only published values that match `kind` count; among them one has to fit. */
async function check(
  record: keyof DomainRecords,
  published: Promise<string[]>,
  fits: (value: string) => boolean,
  kind = /^/,
): Promise<RecordCheck> {
  try {
    const values = (await published).filter((value) => kind.test(value));
    if (values.length === 0) return { record, status: "missing" };
    return values.some(fits) ? { record, status: "ok" } : { record, status: "mismatch", found: shown(values) };
  } catch (error) {
    return { record, status: "missing", error: dnsTrouble(error) };
  }
}

/** One sentence on a look-up that failed. */
export function dnsTrouble(error: unknown): string {
  return error instanceof DnsError ? `DNS did not answer (${error.code}).` : "DNS did not answer in time.";
}

/** Published values cut to a size that fits an answer. */
export function shown(values: string[]): string[] {
  return values.slice(0, FOUND_MAX).map((value) => value.slice(0, FOUND_CHARS_MAX));
}

/** No such name and no such record are answers: none. */
async function lookUp<T extends DnsType>(resolver: Resolver, host: string, type: T, signal: AbortSignal) {
  try {
    return await resolver.resolve(host, type, { fresh: true, signal });
  } catch (error) {
    if (error instanceof DnsError && !error.temporary) return [] as unknown as DnsAnswers[T];
    throw error;
  }
}
