/** Shared by both sides of the inbound benchmark: the processes around a server, and the figures of a series. */
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
  /** Whether senders pipeline MAIL, RCPT and DATA. */
  pipelined: boolean;
}

/** The context of a round. */
export interface Bench extends Round {
  options: InboundOptions;
  load: Child<LoadHandlers>;
  sink: Child<SinkHandlers>;
  dns: Child<DnsHandlers>;
  /** `host:port` of the DNS server that knows the sender. */
  dnsAddress: string;
}

/** The product's one agent. */
export const agentSlug = "bench";
export const agent = `${agentSlug}@${sharedDomain}`;

/** Sends one series to a server. Waits for `settled` before it stops the meter. */
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
