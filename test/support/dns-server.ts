import { createSocket } from "node:dgram";
import { createServer, type Socket } from "node:net";
import * as dnsPacket from "dns-packet";

type Mx = { exchange: string; priority: number };

/** The records of one name by type, a name that fails, or a name that gets no answer. */
export type ZoneEntry =
  | {
      A?: string[];
      AAAA?: string[];
      CNAME?: string;
      MX?: Mx[];
      NS?: string[];
      PTR?: string[];
      /** Text of any length; it is split into character-strings of 255 bytes. */
      TXT?: string[];
      ttlSeconds?: number;
    }
  | "SERVFAIL"
  | "REFUSED"
  | "TIMEOUT";

export type Zone = Record<string, ZoneEntry>;

export interface DnsServer extends AsyncDisposable {
  /** `127.0.0.1:port`, the same port over UDP and TCP. */
  readonly address: string;
  /**
   * The zone from which it answers; change it at any time. Names are in lower case without a root dot. `*.example`
   * answers for names below example that do not exist, unless they are below another name that does (RFC 4592).
   */
  zone: Zone;
  /** Every question that arrived, in order. */
  readonly queries: { name: string; type: string; transport: "udp" | "tcp"; edns: boolean }[];
  /** The TTL and minimum of the SOA in negative answers. */
  negativeTtlSeconds: number;
  /** Resolves when the next question arrives. */
  nextQuery(): Promise<void>;
  close(): Promise<void>;
}

const ttlSecondsDefault = 300;
const aliasesMax = 4;

/**
 * Starts a real authoritative DNS server for tests, on loopback, over UDP and TCP. It answers for every name of `zone`,
 * and with NXDOMAIN or NODATA and an SOA for all others (RFC 1034 4.3.2, RFC 2308). A name exists if it or a name below
 * it is in the zone. It follows aliases inside the zone, and truncates answers that are too long for the client (TC).
 */
export async function startDnsServer(zone: Zone = {}): Promise<DnsServer> {
  const waiting: (() => void)[] = [];
  const sockets = new Set<Socket>();
  const server: DnsServer = {
    address: "",
    zone,
    queries: [],
    negativeTtlSeconds: 60,
    nextQuery: () => new Promise((resolve) => waiting.push(resolve)),
    async close() {
      for (const socket of sockets) socket.destroy();
      await Promise.all([
        new Promise<void>((resolve) => udp.close(() => resolve())),
        new Promise<void>((resolve) => tcp.close(() => resolve())),
      ]);
    },
    [Symbol.asyncDispose]: () => server.close(),
  };

  const reply = (bytes: Buffer, transport: "udp" | "tcp"): Buffer | null => {
    const query = dnsPacket.decode(bytes);
    const question = query.questions?.[0];
    if (!question) return null;
    const opt = query.additionals?.find((record) => record.type === "OPT");
    server.queries.push({ name: question.name, type: question.type, transport, edns: opt !== undefined });
    for (const wake of waiting.splice(0)) wake();
    const found = answer(server, question);
    if (!found) return null;
    const whole = encode(query, found);
    if (transport === "tcp" || whole.length <= (opt?.udpPayloadSize ?? 512)) return whole;
    return encode(query, { rcode: 0, flags: dnsPacket.TRUNCATED_RESPONSE });
  };

  const udp = createSocket("udp4");
  const tcp = createServer((socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket)).on("error", () => {});
    let received = Buffer.alloc(0);
    socket.on("data", (chunk: Buffer) => {
      received = Buffer.concat([received, chunk]);
      if (received.length < 2 || received.length < 2 + received.readUInt16BE(0)) return;
      const bytes = reply(received.subarray(2), "tcp");
      if (!bytes) return;
      const length = Buffer.alloc(2);
      length.writeUInt16BE(bytes.length);
      socket.end(Buffer.concat([length, bytes]));
    });
  });
  udp.on("message", (bytes, from) => {
    const out = reply(bytes, "udp");
    if (out) udp.send(out, from.port, from.address);
  });

  await new Promise<void>((resolve) => udp.bind(0, "127.0.0.1", resolve));
  const { port } = udp.address();
  const shared = await new Promise<boolean>((resolve) =>
    tcp.once("error", () => resolve(false)).listen(port, "127.0.0.1", () => resolve(true)),
  );
  if (!shared) {
    // Another process uses this port over TCP.
    udp.close();
    return startDnsServer(zone);
  }
  return Object.assign(server, { address: `127.0.0.1:${port}` });
}

interface Found {
  rcode: number;
  flags?: number;
  answers?: dnsPacket.Answer[];
  authorities?: dnsPacket.Answer[];
}

/** RCODEs of RFC 1035 4.1.1. */
const rcodes = { NOERROR: 0, SERVFAIL: 2, NXDOMAIN: 3, REFUSED: 5 };

function answer({ zone, negativeTtlSeconds }: DnsServer, question: dnsPacket.Question): Found | null {
  const answers: dnsPacket.Answer[] = [];
  let name = question.name.toLowerCase();
  for (;;) {
    const entry = zone[name] ?? (isThere(zone, name) ? undefined : zone[wildcardOver(zone, name)]);
    if (entry === "TIMEOUT") return null;
    if (entry === "SERVFAIL" || entry === "REFUSED") return { rcode: rcodes[entry] };
    const ttl = entry?.ttlSeconds ?? ttlSecondsDefault;
    const own = entry ? records(question.type, name, ttl, entry) : [];
    answers.push(...own);
    if (own.length > 0) return { rcode: rcodes.NOERROR, answers };
    if (entry?.CNAME) {
      answers.push({ type: "CNAME", name, ttl, data: entry.CNAME });
      name = entry.CNAME;
      // Another server's zone, or a loop: the resolver must ask again.
      if (zone[name] && answers.length < aliasesMax) continue;
      return { rcode: rcodes.NOERROR, answers };
    }
    const exists = entry !== undefined || isThere(zone, name);
    const soa = { mname: "ns.invalid", rname: "root.invalid", serial: 1, minimum: negativeTtlSeconds };
    return {
      rcode: exists ? rcodes.NOERROR : rcodes.NXDOMAIN,
      answers,
      authorities: [{ type: "SOA", name: ".", ttl: negativeTtlSeconds, data: soa }],
    };
  }
}

/** Whether the name, or a name below it, is in the zone. */
function isThere(zone: Zone, name: string): boolean {
  return zone[name] !== undefined || Object.keys(zone).some((other) => other.endsWith(`.${name}`));
}

/** The wildcard of the closest existing name above (RFC 4592 3.3.1); the zone need not contain it. */
function wildcardOver(zone: Zone, name: string): string {
  let above = name;
  do above = above.slice(above.indexOf(".") + 1);
  while (above.includes(".") && !isThere(zone, above));
  return `*.${above}`;
}

function records(type: string, name: string, ttl: number, entry: Exclude<ZoneEntry, string>): dnsPacket.Answer[] {
  switch (type) {
    case "A":
    case "AAAA":
    case "NS":
    case "PTR":
      return (entry[type] ?? []).map((data) => ({ type, name, ttl, data }));
    case "CNAME":
      return entry.CNAME ? [{ type, name, ttl, data: entry.CNAME }] : [];
    case "MX":
      return (entry.MX ?? []).map((mx) => ({
        type,
        name,
        ttl,
        data: { exchange: mx.exchange, preference: mx.priority },
      }));
    case "TXT":
      return (entry.TXT ?? []).map((text) => ({ type, name, ttl, data: text.match(/[\s\S]{1,255}/g) ?? [""] }));
    default:
      return [];
  }
}

function encode(query: dnsPacket.Packet, found: Found): Buffer {
  return dnsPacket.encode({
    type: "response",
    id: query.id,
    flags: dnsPacket.AUTHORITATIVE_ANSWER | (found.flags ?? 0) | found.rcode,
    questions: query.questions,
    answers: found.answers ?? [],
    authorities: found.authorities ?? [],
  });
}
