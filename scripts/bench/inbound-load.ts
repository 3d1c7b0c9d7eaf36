/** What both sides of the inbound benchmark share: the processes around a server, and figures of a series. */
import { type Child, within } from "./child.ts";
import type { DnsHandlers } from "./dns.child.ts";
import type { LoadHandlers, LoadOrder } from "./load.child.ts";
import { startMeter } from "./process.ts";
import type { Round, RunOptions } from "./run.ts";
import { type Measured, SERIES_TIMEOUT_MS, type Series, sharedDomain } from "./series.ts";
import type { SinkHandlers } from "./sink.child.ts";
import type { Sent } from "./smtp-connection.ts";
import { type Latency, latency } from "./statistics.ts";

export interface InboundOptions extends RunOptions {
  /** Whether senders send MAIL, RCPT and DATA at once. */
  pipelined: boolean;
}

/** What a round works with. */
export interface Bench extends Round {
  options: InboundOptions;
  load: Child<LoadHandlers>;
  sink: Child<SinkHandlers>;
  dns: Child<DnsHandlers>;
  /** `host:port` of the DNS that knows the sender. */
  dnsAddress: string;
}

/** The product's one agent. */
export const agentSlug = "bench";
export const agent = `${agentSlug}@${sharedDomain}`;

/** Sends one series to a server; `settled` is waited for before the meter stops. */
export async function sendSeries(
  { load, sink, dns, options }: Bench,
  server: { pid: number; port: number },
  order: Pick<LoadOrder, "first" | "count" | "connection" | "perSecond">,
  settled?: () => Promise<unknown>,
): Promise<Measured<Sent>> {
  const readMeter = startMeter(server.pid, [load.pid, sink.pid, dns.pid]);
  const { connections, pipelined } = options;
  const call = load.call("run", { port: server.port, to: agent, connections, pipelined, ...order });
  const result = await within(SERIES_TIMEOUT_MS, `sending ${order.count} messages`, call);
  if (settled) await within(SERIES_TIMEOUT_MS, `waiting for ${order.count} webhooks`, settled());
  return { ...result, meter: readMeter() };
}

/** From the final dot to its 250, in milliseconds. */
export function dotToReply({ sent }: Series<Sent>): Latency {
  return latency(sent.map(({ dotAt, replyAt }) => replyAt - dotAt));
}
