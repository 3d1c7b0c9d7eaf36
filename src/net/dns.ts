import { randomInt } from "node:crypto";
import { getServers } from "node:dns";
import { isIP } from "node:net";
import { domainToASCII } from "node:url";
import * as dnsPacket from "dns-packet";
import type { Clock } from "../util/clock.ts";
import { TtlCache } from "../util/ttl-cache.ts";
import { openTcp, openUdp, replyOn, type ServerAddress, type SocketFailure } from "./dns-socket.ts";

/** The answer to a question of each type, in the shapes of `node:dns/promises`. */
export interface DnsAnswers {
  A: string[];
  AAAA: string[];
  CNAME: string[];
  MX: { exchange: string; priority: number }[];
  NS: string[];
  PTR: string[];
  /** One list of character-strings per record (RFC 1035 3.3.14). */
  TXT: string[][];
}
export type DnsType = keyof DnsAnswers;

export interface ResolveOptions {
  /** Stops waiting. The shared query continues, for other callers and for the cache. */
  signal?: AbortSignal;
  /** Ignores a cached answer, and caches the new one: for records that were just published. */
  fresh?: boolean;
}

/** Resolves DNS names; tests replace it. Rejects with a `DnsError`, whose `code` is one of `node:dns`. */
export interface Resolver {
  resolve<T extends DnsType>(name: string, type: T, options?: ResolveOptions): Promise<DnsAnswers[T]>;
}

/**
 * ENOTFOUND: the name does not exist. ENODATA: it has no record of this type. EBADNAME: it is not a valid name.
 * The rest are temporary: no server answered, or none could.
 */
export type DnsCode = "ENOTFOUND" | "ENODATA" | "EBADNAME" | "EFORMERR" | "ESERVFAIL" | "EREFUSED" | SocketFailure;

export class DnsError extends Error {
  override readonly name = "DnsError";

  constructor(
    readonly code: DnsCode,
    readonly type: string,
    readonly hostname: string,
  ) {
    super(`DNS ${type} of ${hostname}: ${code}`);
  }

  /** Whether the same question may succeed later. */
  get temporary(): boolean {
    return !["ENOTFOUND", "ENODATA", "EBADNAME"].includes(this.code);
  }
}

export interface ResolverOptions {
  /** `ip:port` or `ip`, asked in this order; empty: the system's servers. */
  servers: readonly string[];
  clock: Clock;
  /** Longest wait for one `resolve`, over all tries and servers. */
  timeoutMs: number;
  /** How many answers the cache holds, at most. */
  cacheEntries: number;
}

/** Fits every path without fragmentation (RFC 6891 6.2.5, DNS flag day 2020). */
const UDP_PAYLOAD_BYTES = 1232;
/** How long one server may take for one try. Recursive servers answer a cold name within about a second. */
const TRY_TIMEOUT_MS = 1_500;
const TRIES_PER_SERVER = 2;
/** RFC 1034 3.6.2 requires chains to be followed; no zone publishes longer ones on purpose. */
const ALIASES_MAX = 8;
/** Even a TTL of 0 is kept this long, so that a message asks each question only once. */
const TTL_MS_MIN = 1_000;
const TTL_MS_MAX = 24 * 60 * 60 * 1_000;
/** RFC 2308 5 advises one to three hours; this is shorter because users wait for records they just published. */
const NEGATIVE_TTL_MS_MAX = 15 * 60 * 1_000;
/** RFC 9520 3.2 requires at least a second. Without it, a dead name would cost each message its whole timeout. */
const FAILURE_TTL_MS = 2_000;
/** Average size of an entry. Hostile 64 KB answers evict others sooner instead of growing the process. */
const ENTRY_BYTES_MEAN = 1_024;

interface Answered {
  records: readonly unknown[];
  ttlMs: number;
}
interface Failed {
  code: DnsCode;
  ttlMs: number;
}
/** The name is an alias, and the server did not include the target's records. */
interface Alias {
  alias: string;
  ttlMs: number;
}

/**
 * Makes a caching stub resolver: EDNS over UDP, TCP for truncated answers, servers in turn (RFC 1035, 6891, 7766).
 *
 * Every query has a random id and a fresh socket, hence a fresh source port. Only an answer that comes from the
 * server's address and echoes the question counts (RFC 5452). The cache keeps answers for their TTL (1 s to 1 day), "no
 * such name" and "no such record" for the SOA's minimum (RFC 2308, up to 15 min), and failures for 2 s. Concurrent
 * identical questions share one query. International names are converted to A-labels. Names are absolute: no search
 * list, no hosts file. Throws when a server is not `ip` or `ip:port`.
 */
export function createResolver(options: ResolverOptions): Resolver & { close(): void } {
  const { clock } = options;
  const servers = (options.servers.length > 0 ? options.servers : getServers()).map(parseServer);
  const cache = new TtlCache<Answered | Failed>(clock, options.cacheEntries, options.cacheEntries * ENTRY_BYTES_MEAN);
  const inFlight = new Map<string, Promise<Answered | Failed>>();
  const closing = new AbortController();
  let preferred = 0;

  /** Asks the servers in turn, beginning with the one that answered last. Never rejects. */
  async function ask(name: string, type: DnsType, deadline: number): Promise<Answered | Failed | Alias> {
    let code: DnsCode = "ECONNREFUSED";
    const unable = new Set<ServerAddress>();
    const first = preferred;
    for (let tried = 0; tried < servers.length * TRIES_PER_SERVER; tried++) {
      const turn = (first + tried) % servers.length;
      const server = servers[turn];
      const leftMs = deadline - clock.elapsed();
      if (!server || leftMs <= 0 || closing.signal.aborted) break;
      if (unable.has(server)) continue;
      // The second round omits EDNS, for servers that do not support it.
      const query: Query = { name, type, edns: tried < servers.length };
      const reply = await exchange(server, query, Math.min(leftMs, TRY_TIMEOUT_MS), clock, closing.signal);
      if (typeof reply !== "string") {
        preferred = turn;
        return reply;
      }
      code = reply;
      if (reply === "ESERVFAIL" || reply === "EREFUSED") unable.add(server);
    }
    return { code: closing.signal.aborted ? "ECANCELLED" : code, ttlMs: FAILURE_TTL_MS };
  }

  async function lookUp(name: string, type: DnsType): Promise<Answered | Failed> {
    const deadline = clock.elapsed() + options.timeoutMs;
    let answer = await ask(name, type, deadline);
    for (let hops = 0; "alias" in answer; hops++) {
      if (hops === ALIASES_MAX) return { code: "ESERVFAIL", ttlMs: FAILURE_TTL_MS };
      const target = await ask(answer.alias, type, deadline);
      answer = { ...target, ttlMs: Math.min(answer.ttlMs, target.ttlMs) };
    }
    return answer;
  }

  function lookUpOnce(key: string, name: string, type: DnsType): Promise<Answered | Failed> {
    const running = inFlight.get(key);
    if (running) return running;
    const started = lookUp(name, type).then((answer) => {
      inFlight.delete(key);
      if (!closing.signal.aborted) cache.set(key, answer, answer.ttlMs, weightOf(answer));
      return answer;
    });
    inFlight.set(key, started);
    return started;
  }

  return {
    async resolve<T extends DnsType>(hostname: string, type: T, wish: ResolveOptions = {}): Promise<DnsAnswers[T]> {
      const name = questionName(hostname);
      if (name === null) throw new DnsError("EBADNAME", type, hostname);
      const key = `${type} ${name}`;
      const cached = wish.fresh ? undefined : cache.get(key);
      const answer = cached ?? (await unlessAborted(lookUpOnce(key, name, type), wish.signal));
      if ("code" in answer) throw new DnsError(answer.code, type, hostname);
      return answer.records.map(copyRecord) as DnsAnswers[T];
    },
    close() {
      closing.abort();
    },
  };
}

/** The name in A-labels, lower-cased, without the root dot; null if it is not valid (RFC 1035 2.3.4, RFC 5891 4.4). */
function questionName(hostname: string): string | null {
  const name = (/[^\x00-\x7f]/.test(hostname) ? domainToASCII(hostname) : hostname).toLowerCase().replace(/\.$/, "");
  const valid = name.length <= 253 && name.split(".").every((label) => label.length > 0 && label.length <= 63);
  return valid ? name : null;
}

function parseServer(text: string): ServerAddress {
  const [, bracketed, plain, port] = /^(?:\[([^\]]+)\]|([^:]+))(?::(\d{1,5}))?$/.exec(text) ?? [];
  const host = bracketed ?? plain ?? text;
  if (isIP(host) === 0 || Number(port) > 65_535) throw new Error(`"${text}" is not the ip:port of a DNS server`);
  return { host, port: Number(port ?? 53) };
}

const failed = { code: "ETIMEOUT", ttlMs: FAILURE_TTL_MS } as const;

/** Waits for the answer, but not longer than the signal allows. */
function unlessAborted(answer: Promise<Answered | Failed>, signal?: AbortSignal): Promise<Answered | Failed> {
  if (!signal) return answer;
  if (signal.aborted) return Promise.resolve(failed);
  return new Promise((resolve) => {
    const stop = () => resolve(failed);
    signal.addEventListener("abort", stop, { once: true });
    answer.then((outcome) => {
      signal.removeEventListener("abort", stop);
      resolve(outcome);
    });
  });
}

/** A copy, so that no caller can change what the next one gets. */
function copyRecord(record: unknown): unknown {
  if (Array.isArray(record)) return [...record];
  return typeof record === "object" ? { ...record } : record;
}

/** Roughly how many bytes an answer keeps alive. */
function weightOf(answer: Answered | Failed): number {
  return "records" in answer ? JSON.stringify(answer.records).length : 0;
}

interface Query {
  name: string;
  type: DnsType;
  edns: boolean;
}

/** Asks one server one question. A string says why this server could not answer; another one may. */
async function exchange(
  server: ServerAddress,
  query: Query,
  timeoutMs: number,
  clock: Clock,
  signal: AbortSignal,
): Promise<Answered | Failed | Alias | DnsCode> {
  const id = randomInt(65_536);
  const packet = dnsPacket.encode({
    type: "query",
    id,
    flags: dnsPacket.RECURSION_DESIRED,
    questions: [{ name: query.name, type: query.type, class: "IN" }],
    ...(query.edns && {
      additionals: [
        {
          type: "OPT",
          name: ".",
          udpPayloadSize: UDP_PAYLOAD_BYTES,
          extendedRcode: 0,
          ednsVersion: 0,
          flags: 0,
          flag_do: false,
          options: [],
        },
      ],
    }),
  });
  const accept = (bytes: Buffer) => decodeReply(bytes, id, query);
  const until = clock.elapsed() + timeoutMs;
  const overUdp = await replyOn(openUdp(server, packet), accept, timeoutMs, clock, signal);
  if (typeof overUdp === "string") return overUdp;
  if (!overUdp.flag_tc) return readReply(overUdp, query);
  const leftMs = Math.max(1, until - clock.elapsed());
  const overTcp = await replyOn(openTcp(server, packet), accept, leftMs, clock, signal);
  return typeof overTcp === "string" ? overTcp : readReply(overTcp, query);
}

/** The response to this query, or null: anything else on the socket is noise or an attack, and the wait continues. */
function decodeReply(bytes: Buffer, id: number, query: Query): dnsPacket.DecodedPacket | null {
  try {
    const reply = dnsPacket.decode(bytes);
    const [question, ...more] = reply.questions ?? [];
    const echoes = question?.name.toLowerCase() === query.name && question.type === query.type && more.length === 0;
    return reply.type === "response" && reply.id === id && echoes ? reply : null;
  } catch {
    return null;
  }
}

function readReply(reply: dnsPacket.DecodedPacket, { name, type }: Query): Answered | Failed | Alias | DnsCode {
  const rcode = (reply as { rcode?: string }).rcode;
  if (rcode === "REFUSED") return "EREFUSED";
  if (rcode !== "NOERROR" && rcode !== "NXDOMAIN") return rcode === "FORMERR" ? "EFORMERR" : "ESERVFAIL";
  const answers = reply.answers ?? [];
  let owner = name;
  let ttlSeconds = TTL_MS_MAX / 1_000;
  for (let hops = 0; hops <= ALIASES_MAX; hops++) {
    const own = answers.filter((answer) => answer.name.toLowerCase() === owner);
    const records = own.filter((answer) => answer.type === type);
    if (records.length > 0) {
      for (const record of records) ttlSeconds = Math.min(ttlSeconds, ttlOf(record));
      return { records: records.map(readRecord), ttlMs: clamp(ttlSeconds * 1_000, TTL_MS_MIN, TTL_MS_MAX) };
    }
    const alias = own.find((answer): answer is dnsPacket.StringAnswer => answer.type === "CNAME");
    if (!alias) break;
    ttlSeconds = Math.min(ttlSeconds, ttlOf(alias));
    owner = alias.data.toLowerCase();
  }
  const soa = (reply.authorities ?? []).find((authority) => authority.type === "SOA");
  const aliasTtlMs = clamp(ttlSeconds * 1_000, TTL_MS_MIN, TTL_MS_MAX);
  if (owner !== name && rcode === "NOERROR" && !soa) {
    return questionName(owner) ? { alias: owner, ttlMs: aliasTtlMs } : "ESERVFAIL";
  }
  // RFC 2308 5: a negative answer without an SOA must not be cached; keep it only as long as a failure.
  const negativeMs = soa ? Math.min(ttlOf(soa), soa.data.minimum ?? 0) * 1_000 : FAILURE_TTL_MS;
  const ttlMs = Math.min(clamp(negativeMs, TTL_MS_MIN, NEGATIVE_TTL_MS_MAX), aliasTtlMs);
  return { code: rcode === "NXDOMAIN" ? "ENOTFOUND" : "ENODATA", ttlMs };
}

function readRecord(answer: dnsPacket.Answer): unknown {
  if (answer.type === "TXT") return [answer.data].flat().map((part) => part.toString());
  if (answer.type === "MX") return { exchange: answer.data.exchange, priority: answer.data.preference ?? 0 };
  return (answer as dnsPacket.StringAnswer).data;
}

function ttlOf(answer: dnsPacket.Answer): number {
  return ("ttl" in answer ? answer.ttl : undefined) ?? 0;
}

function clamp(value: number, min: number, max: number): number {
  return Math.min(Math.max(value, min), max);
}
