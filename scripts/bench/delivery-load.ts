/** Shared by both parts of the delivery benchmark: the processes around the server, agents, and one series of mail. */
import { type Child, within } from "./child.ts";
import type { DnsHandlers } from "./dns.child.ts";
import type { E2a } from "./e2a.ts";
import { HttpConnection } from "./http-connection.ts";
import type { ListenersHandlers } from "./listeners.child.ts";
import type { LoadHandlers, LoadOrder } from "./load.child.ts";
import type { Round, RunOptions } from "./run.ts";
import { SERIES_TIMEOUT_MS, type Series, sharedDomain } from "./series.ts";
import type { SinkHandlers } from "./sink.child.ts";
import type { Sent } from "./smtp-connection.ts";

export interface DeliveryOptions extends RunOptions {
  /** Agents that listen on a WebSocket at the same time. */
  listeners: number;
  /** Deliveries that wait for dead endpoints. */
  waiting: number;
  part: "sockets" | "endpoints" | "all";
}

/** The context of a round. */
export interface DeliveryBench extends Round {
  options: DeliveryOptions;
  load: Child<LoadHandlers>;
  listeners: Child<ListenersHandlers>;
  sink: Child<SinkHandlers>;
  dns: Child<DnsHandlers>;
  dnsAddress: string;
  /** Reserves this many signed messages that have not been sent; returns the index of the first. */
  reserve(count: number): number;
}

/** Limits above their defaults, so that one account and one address can make the load. */
export const raisedLimits = {
  E2A_SMTP_MAX_MESSAGES_PER_MINUTE_PER_IP: "1000000",
  E2A_SMTP_MAX_MESSAGES_PER_CONNECTION: "1000000",
  E2A_SMTP_MAX_RECIPIENTS: "10000",
  E2A_LIMITS_API_REQUESTS_PER_MINUTE: "10000000",
  E2A_LIMITS_AGENTS_PER_ACCOUNT: "1000000",
  E2A_LIMITS_WEBSOCKETS_PER_KEY: "1000000",
};

/** Concurrent HTTP connections for making agents, and concurrent handshakes. */
export const AT_ONCE = 50;

export const addressOf = (slug: string) => `${slug}@${sharedDomain}`;

/** Makes agents through the API. */
export async function makeAgents(server: E2a, key: string, slugs: readonly string[], more: object): Promise<void> {
  const port = Number(new URL(server.httpUrl).port);
  let next = 0;
  await Promise.all(
    Array.from({ length: Math.min(AT_ONCE, slugs.length) }, async () => {
      const connection = await HttpConnection.open(port);
      for (let n = next++; n < slugs.length; n = next++) {
        const json = JSON.stringify({ slug: slugs[n], ...more });
        const { status, body } = await connection.post("/api/v1/agents", [`Authorization: Bearer ${key}`], json);
        if (status !== 201) throw new Error(`POST /agents: ${status} ${body}`);
      }
      connection.close();
    }),
  );
}

/** Sends messages that have not been sent before. */
export function sendMail(
  bench: DeliveryBench,
  server: E2a,
  order: Pick<LoadOrder, "to" | "everyone" | "count" | "perSecond">,
): Promise<Series<Sent>> {
  const first = bench.reserve(order.count);
  const { connections } = bench.options;
  const call = bench.load.call("run", {
    port: server.smtpPort,
    connections: Math.min(connections, order.count),
    pipelined: true,
    connection: "kept",
    first,
    ...order,
  });
  return within(SERIES_TIMEOUT_MS, `sending ${order.count} messages`, call);
}
