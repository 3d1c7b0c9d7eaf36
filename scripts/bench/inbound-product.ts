import { api, countMessages, type E2a, startPrepared } from "./e2a.ts";
import { agent, agentSlug, type Bench, dotToReply, sendSeries } from "./inbound-load.ts";
import type { LoadOrder } from "./load.child.ts";
import { type CpuUse, memoryMB, scaled } from "./process.ts";
import {
  CALM_SECONDS_MAX,
  loadCores,
  type Measured,
  partOf,
  perSecond,
  sharedDomain,
  WARM_UP_MESSAGES,
} from "./series.ts";
import type { Arrival } from "./sink.child.ts";
import type { Sent } from "./smtp-connection.ts";
import { type Latency, latency } from "./statistics.ts";

/** The product in one round. Times in milliseconds. */
export interface ProductRound {
  /** 250 replies per second over open connections. */
  messagesPerSecond: number;
  /** Webhooks per second, from the first command to the last webhook. */
  webhooksPerSecond: number;
  dotToReplyMs: Latency;
  dotToWebhookMs: Latency;
  /** The same at a tenth of the full rate. */
  tenth: { messagesPerSecond: number; dotToReplyMs: Latency; dotToWebhookMs: Latency };
  onePerConnection: { messagesPerSecond: number; dotToReplyMs: Latency };
  /** At full speed, webhook included. */
  cpuMsPerMessage: CpuUse;
  /** Cores that the server used at full speed. */
  cores: CpuUse;
  /** Cores that the load used at full speed; then those that other programs used, such as a Postgres server. */
  loadCores: number;
  otherCores: number;
  rssMB: { idle: number; afterLoad: number; peak: number };
  readyMs: { first: number; again: number };
  dnsQuestions: number;
}

/** Every 250 must become one verified message in the API and one verified webhook. */
export interface Counts {
  replies: number;
  stored: number;
  verified: number;
  webhooks: number;
  duplicates: number;
}

/** Limits above their defaults, so that one address can send at full speed and all messages can be counted. */
export const raisedLimits = {
  E2A_SMTP_MAX_MESSAGES_PER_MINUTE_PER_IP: "1000000",
  E2A_SMTP_MAX_MESSAGES_PER_CONNECTION: "1000000",
  E2A_SMTP_MAX_CONNECTIONS_PER_IP: "1000",
  E2A_LIMITS_API_REQUESTS_PER_MINUTE: "1000000",
};

/** Starts on an empty folder, makes an agent with a webhook, restarts and measures. Adds to `counts`. */
export async function productRound(bench: Bench, counts: Counts): Promise<ProductRound> {
  await using cleanUp = new AsyncDisposableStack();
  const settings = { ...raisedLimits, E2A_SHARED_DOMAIN: sharedDomain, E2A_DNS_SERVERS: bench.dnsAddress };
  const { command, database } = bench.options;
  bench.say("e2a starts");
  const webhook = { webhook_url: await bench.sink.call("start", { keyed: "by message id" }), agent_mode: "cloud" };
  const { server, key, idleMB, readyMs } = await startPrepared(
    { command, folder: bench.folder, settings, database },
    cleanUp,
    (empty, key) => api(empty, key, "POST", "/agents", { slug: agentSlug, ...webhook }),
  );
  await bench.dns.call("questions", null);

  const measured = await allSeries(bench, server, counts);
  const memory = memoryMB(server.pid);
  const { messages, verified } = await countMessages(server, key, agent);
  counts.stored += messages;
  counts.verified += verified;
  return {
    ...measured,
    rssMB: { idle: idleMB, afterLoad: memory.now, peak: memory.peak },
    readyMs,
    dnsQuestions: await bench.dns.call("questions", null),
  };
}

type Speed = Omit<ProductRound, "rssMB" | "readyMs" | "dnsQuestions">;

/** Runs the warm-up, full speed, a tenth of it, and one message per connection. Each waits for its last webhook. */
async function allSeries(bench: Bench, { pid, smtpPort }: E2a, counts: Counts): Promise<Speed> {
  const { messages } = bench.options;
  let first = 0;
  const next = async (order: Pick<LoadOrder, "count" | "connection" | "perSecond">) => {
    const delivered = () => bench.sink.call("waitFor", order.count);
    const series = await sendSeries(bench, { pid, port: smtpPort }, { first, ...order }, delivered);
    first += order.count;
    const { arrivals, duplicates } = await bench.sink.call("take", null);
    counts.replies += series.sent.length;
    counts.webhooks += [...arrivals.values()].filter((arrival) => arrival.verified).length;
    counts.duplicates += duplicates;
    return { ...series, arrivals };
  };
  await next({ count: WARM_UP_MESSAGES, connection: "kept" });
  bench.say("e2a at full speed");
  const full = await next({ count: messages, connection: "kept" });
  const rate = perSecond(full);
  bench.say(`e2a at a tenth of ${Math.round(rate)} messages/s`);
  const count = Math.min(partOf(messages), Math.ceil((rate / 10) * CALM_SECONDS_MAX));
  const tenth = await next({ count, connection: "kept", perSecond: rate / 10 });
  bench.say("e2a with one message a connection");
  const single = await next({ count: partOf(messages), connection: "for each message" });

  const lastWebhookAt = Math.max(...[...full.arrivals.values()].map((arrival) => arrival.at));
  return {
    messagesPerSecond: rate,
    webhooksPerSecond: messages / ((lastWebhookAt - full.startedAt) / 1000),
    dotToReplyMs: dotToReply(full),
    dotToWebhookMs: dotToWebhook(full),
    tenth: {
      messagesPerSecond: perSecond(tenth),
      dotToReplyMs: dotToReply(tenth),
      dotToWebhookMs: dotToWebhook(tenth),
    },
    onePerConnection: { messagesPerSecond: perSecond(single), dotToReplyMs: dotToReply(single) },
    cpuMsPerMessage: scaled(full.meter.server, 1000 / messages),
    cores: scaled(full.meter.server, 1 / full.meter.seconds),
    loadCores: loadCores(full),
    otherCores: full.meter.otherCores,
  };
}

function dotToWebhook({ sent, arrivals }: Measured<Sent> & { arrivals: Map<string, Arrival> }): Latency {
  return latency(sent.map(({ dotAt, queueId }) => (arrivals.get(queueId)?.at ?? Number.NaN) - dotAt));
}
