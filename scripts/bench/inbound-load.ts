/** What both sides of the inbound benchmark share: the processes around a server, and figures of a series. */
import { type Child, within } from "./child.ts";
import type { DnsHandlers } from "./dns.child.ts";
import type { LoadHandlers, LoadOrder, LoadResult } from "./load.child.ts";
import { type MeterReading, startMeter } from "./process.ts";
import type { SinkHandlers } from "./sink.child.ts";
import { type Latency, latency } from "./statistics.ts";

export interface InboundOptions {
  rounds: number;
  /** At full speed in each round; the other series are parts of it. */
  messages: number;
  connections: number;
  /** Whether senders send MAIL, RCPT and DATA at once. */
  pipelined: boolean;
  database: "sqlite" | "postgres";
  /** The command line of the product before `serve`. */
  command: readonly string[];
  /** Says what is going on. */
  progress(text: string): void;
}

/** What a round works with. */
export interface Bench {
  options: InboundOptions;
  load: Child<LoadHandlers>;
  sink: Child<SinkHandlers>;
  dns: Child<DnsHandlers>;
  /** `host:port` of the DNS that knows the sender. */
  dnsAddress: string;
  /** A folder for this round alone. */
  folder: string;
  /** Says what is going on. */
  say(text: string): void;
}

/** The product's shared domain and its one agent. */
export const sharedDomain = "e2a.localhost";
export const agentSlug = "bench";
export const agent = `${agentSlug}@${sharedDomain}`;

/** Messages before anything is measured, so that code is compiled and caches are warm. */
export const warmUpMessages = 1_000;
/** One message a connection, and the tenth of the load: this part of the messages. */
const partialShare = 5;
export const partOf = (messages: number) => Math.ceil(messages / partialShare);
/** For one series; far more than any takes on a machine that works. */
export const seriesTimeoutMs = 60_000;

export interface Series extends LoadResult {
  meter: MeterReading;
}

/** Sends one series to a server; `settled` is waited for before the meter stops. */
export async function sendSeries(
  { load, sink, dns, options }: Bench,
  server: { pid: number; port: number },
  order: Pick<LoadOrder, "first" | "count" | "connection" | "perSecond">,
  settled?: () => Promise<unknown>,
): Promise<Series> {
  const readMeter = startMeter(server.pid, [load.pid, sink.pid, dns.pid]);
  const { connections, pipelined } = options;
  const call = load.call("run", { port: server.port, to: agent, connections, pipelined, ...order });
  const result = await within(seriesTimeoutMs, `sending ${order.count} messages`, call);
  if (settled) await within(seriesTimeoutMs, `waiting for ${order.count} webhooks`, settled());
  return { ...result, meter: readMeter() };
}

export function perSecond({ sent, startedAt, endedAt }: LoadResult): number {
  return sent.length / ((endedAt - startedAt) / 1000);
}

/** How much of a core the load took: near 1 means that the load was the limit. */
export function loadCores({ cpuSeconds, startedAt, endedAt }: LoadResult): number {
  return cpuSeconds / ((endedAt - startedAt) / 1000);
}

/** From the final dot to its 250, in milliseconds. */
export function dotToReply({ sent }: LoadResult): Latency {
  return latency(sent.map(({ dotAt, replyAt }) => replyAt - dotAt));
}
