import type { BareHandlers } from "./bare-smtp.child.ts";
import { within } from "./child.ts";
import { api, type E2a, pages, startPrepared } from "./e2a.ts";
import { addressOf, agentSlugs, type OutboundBench, readers } from "./outbound-load.ts";
import { type CpuUse, memoryMB, scaled, startMeter } from "./process.ts";
import type { Run } from "./run.ts";
import type { Accepted, SendersOrder } from "./senders.child.ts";
import {
  CALM_SECONDS_MAX,
  loadCores,
  type Measured,
  partOf,
  perSecond,
  SERIES_TIMEOUT_MS,
  sharedDomain,
  WARM_UP_MESSAGES,
} from "./series.ts";
import type { Arrival } from "./sink.child.ts";
import { type Latency, latency } from "./statistics.ts";

/** The cost of a series. */
interface Cost {
  cpuMsPerMessage: CpuUse;
  /** Cores that the server used. */
  cores: CpuUse;
  /** Cores that the load used; then those that other programs used, such as a Postgres server. */
  loadCores: number;
  otherCores: number;
}

/** The product in one round. Times in milliseconds. */
export interface ProductRound {
  /** To the sink; each sender waits until the sink has the message. */
  waiting: Cost & { messagesPerSecond: number; answerMs: Latency };
  /** To the sink; each sender continues as soon as the message is queued. */
  queued: Cost & {
    acceptedPerSecond: number;
    acceptMs: Latency;
    /** From the first call to the last message at the sink. */
    messagesPerSecond: number;
  };
  /** To an agent of the same server; from the first call to the last webhook. */
  relayed: Cost & { messagesPerSecond: number; answerMs: Latency; callToWebhookMs: Latency };
  /** At a tenth of the full rate. */
  tenth: { messagesPerSecond: number; sentMs: Latency; acceptMs: Latency };
  rssMB: { idle: number; afterLoad: number; peak: number };
  readyMs: { first: number; again: number };
}

/** Every call must become one message at the sink or one webhook, and be so in the API. */
export interface Counts {
  /** Outside mail: answers to calls, messages that the API shows as sent, and messages that the sink accepted. */
  outsideCalls: number;
  outsideSent: number;
  outsideTaken: number;
  /** Mail to a local agent: the same, and its webhooks (distinct verified ones, then additional ones). */
  relayCalls: number;
  relayDelivered: number;
  webhooks: number;
  duplicates: number;
}

/** Limits that are raised or switched off, so that a few agents can send at full speed. */
export const raisedLimits = {
  E2A_LIMITS_API_REQUESTS_PER_MINUTE: "10000000",
  E2A_LIMITS_SENDS_PER_MINUTE_PER_AGENT: "0",
  E2A_LIMITS_SENDS_PER_MINUTE_PER_ACCOUNT: "0",
  E2A_LIMITS_SENDS_PER_DAY_PER_ACCOUNT: "0",
  E2A_LIMITS_NEW_RECIPIENTS_PER_DAY_PER_ACCOUNT: "0",
  E2A_LIMITS_LOOP_MESSAGES: "0",
  E2A_WEBHOOK_CONCURRENCY_PER_ENDPOINT: "32",
};

const readerSlug = "reader";

/** One message as the product sends it. */
export interface Sample {
  bytes: number;
  /** The `a=` of its DKIM signatures. */
  signatures: string[];
}

/** Starts on an empty folder, makes agents, samples one message, restarts and measures. Adds to `counts`. */
export async function productRound(
  bench: OutboundBench,
  run: Run,
  counts: Counts,
): Promise<ProductRound & { sample: Sample }> {
  await using cleanUp = new AsyncDisposableStack();
  const { command, database, connections, senders } = bench.options;
  const upstream = (port: number) => ({ E2A_OUTBOUND_SMTP_PORT: `${port}` });
  const settings = {
    ...raisedLimits,
    E2A_SHARED_DOMAIN: sharedDomain,
    E2A_OUTBOUND_SMTP_HOST: "127.0.0.1",
    E2A_OUTBOUND_SMTP_TLS: "off",
    E2A_OUTBOUND_SMTP_CONNECTIONS: `${connections}`,
    ...upstream(bench.mailSink.port),
  };
  const probe = run.child<BareHandlers>("bare-smtp.child.ts");
  cleanUp.defer(() => probe.stop());
  const probePort = await probe.call("start", { greets: "at once", keeps: "the last message" });
  const webhook = { webhook_url: await bench.webhooks.call("start", { keyed: "by subject" }), agent_mode: "cloud" };

  bench.say("e2a starts");
  const product = { command, folder: bench.folder, settings, database, firstSettings: upstream(probePort) };
  const { server, key, idleMB, readyMs } = await startPrepared(product, cleanUp, async (empty, key) => {
    await api(empty, key, "POST", "/agents", { slug: readerSlug, ...webhook });
    for (const slug of agentSlugs(senders)) await api(empty, key, "POST", "/agents", { slug, agent_mode: "local" });
    await orderSenders(bench, empty, key, { to: readers, answer: "when sent", first: 0, count: 1 });
  });
  counts.outsideCalls += 1;
  counts.outsideTaken += await probe.call("taken", null);

  const measured = await allSeries(bench, server, key, counts);
  const memory = memoryMB(server.pid);
  counts.outsideSent += await countSent(server, key, "sent");
  counts.relayDelivered += await countSent(server, key, "delivered");
  return {
    ...measured,
    rssMB: { idle: idleMB, afterLoad: memory.now, peak: memory.peak },
    readyMs,
    sample: sampleOf(await probe.call("last", null)),
  };
}

type Order = Pick<SendersOrder, "to" | "answer" | "count" | "first" | "perSecond">;

async function orderSenders(bench: OutboundBench, server: E2a, key: string, order: Order) {
  const from = agentSlugs(bench.options.senders).map(addressOf);
  const port = Number(new URL(server.httpUrl).port);
  const call = bench.senders.call("run", { port, key, from, ...order });
  return within(SERIES_TIMEOUT_MS, `sending ${order.count} messages`, call);
}

type Speed = Omit<ProductRound, "rssMB" | "readyMs">;

/** Runs the warm-up, then each kind of sending at full speed, then a tenth of it. Each waits for its last message. */
async function allSeries(bench: OutboundBench, server: E2a, key: string, counts: Counts): Promise<Speed> {
  const { options, mailSink, webhooks, senders, say } = bench;
  const { messages } = options;
  let first = 1;
  const measured = async (order: Omit<Order, "first">, settled: () => Promise<unknown>) => {
    const readMeter = startMeter(server.pid, [senders.pid, mailSink.pid, webhooks.pid]);
    const series = await orderSenders(bench, server, key, { first, ...order });
    await within(SERIES_TIMEOUT_MS, `the arrival of ${order.count} messages`, settled());
    first += order.count;
    return { ...series, settledAt: performance.timeOrigin + performance.now(), meter: readMeter() };
  };
  const outside = async (order: Omit<Order, "first" | "to">) => {
    const before = await mailSink.taken();
    const series = await measured({ to: readers, ...order }, () => mailSink.waitFor(before + order.count)).catch(
      async (error) => {
        const taken = (await mailSink.taken()) - before;
        throw new Error(`${error}; the sink has ${taken}. ${await whereabouts(server, key)}`);
      },
    );
    counts.outsideCalls += series.sent.length;
    counts.outsideTaken += (await mailSink.taken()) - before;
    return series;
  };
  const relayed = async (order: Omit<Order, "first" | "to">) => {
    const series = await measured({ to: [addressOf(readerSlug)], ...order }, () =>
      webhooks.call("waitFor", order.count),
    );
    const { arrivals, duplicates } = await webhooks.call("take", null);
    counts.relayCalls += series.sent.length;
    counts.webhooks += [...arrivals.values()].filter((arrival) => arrival.verified).length;
    counts.duplicates += duplicates;
    return { ...series, arrivals };
  };

  await outside({ answer: "when sent", count: WARM_UP_MESSAGES });
  say("e2a to the sink, each call waits until it is sent");
  const waiting = await outside({ answer: "when sent", count: messages });
  say("e2a to the sink, calls wait for the queue only");
  const queued = await outside({ answer: "when queued", count: messages });
  await relayed({ answer: "when sent", count: partOf(WARM_UP_MESSAGES) });
  say("e2a from agent to agent");
  const relay = await relayed({ answer: "when sent", count: messages });
  const rate = perSecond(waiting) / 10;
  say(`e2a at a tenth, ${Math.round(rate)} messages/s`);
  const count = Math.min(partOf(messages), Math.ceil(rate * CALM_SECONDS_MAX));
  const tenthSent = await outside({ answer: "when sent", count, perSecond: rate });
  const tenthQueued = await outside({ answer: "when queued", count, perSecond: rate });

  const lastWebhookAt = Math.max(...[...relay.arrivals.values()].map((arrival) => arrival.at));
  return {
    waiting: { messagesPerSecond: perSecond(waiting), answerMs: answerMs(waiting), ...cost(waiting) },
    queued: {
      acceptedPerSecond: perSecond(queued),
      acceptMs: answerMs(queued),
      messagesPerSecond: messages / ((queued.settledAt - queued.startedAt) / 1000),
      ...cost(queued),
    },
    relayed: {
      messagesPerSecond: messages / ((lastWebhookAt - relay.startedAt) / 1000),
      answerMs: answerMs(relay),
      callToWebhookMs: callToWebhookMs(relay),
      ...cost(relay),
    },
    tenth: { messagesPerSecond: perSecond(tenthSent), sentMs: answerMs(tenthSent), acceptMs: answerMs(tenthQueued) },
  };
}

function cost(series: Measured<Accepted>): Cost {
  const { meter, sent } = series;
  return {
    cpuMsPerMessage: scaled(meter.server, 1000 / sent.length),
    cores: scaled(meter.server, 1 / meter.seconds),
    loadCores: loadCores(series),
    otherCores: meter.otherCores,
  };
}

function answerMs({ sent }: Measured<Accepted>): Latency {
  return latency(sent.map(({ calledAt, answeredAt }) => answeredAt - calledAt));
}

function callToWebhookMs({ sent, arrivals }: Measured<Accepted> & { arrivals: Map<string, Arrival> }): Latency {
  return latency(sent.map(({ calledAt, subject }) => (arrivals.get(subject)?.at ?? Number.NaN) - calledAt));
}

/** Describes the status of messages that did not arrive. */
async function whereabouts(server: E2a, key: string): Promise<string> {
  const found: string[] = [];
  for (const status of ["queued", "sending", "deferred", "failed"])
    for await (const [first, ...others] of pages<object>(server, key, `/messages?status=${status}`))
      if (first) found.push(`${others.length + 1} ${status}, such as ${JSON.stringify(first)}`);
  return found.join("\n") || "The API has none that waits.";
}

async function countSent(server: E2a, key: string, status: "sent" | "delivered"): Promise<number> {
  let count = 0;
  for await (const page of pages(server, key, `/messages?status=${status}`)) count += page.length;
  return count;
}

function sampleOf(message: string): Sample {
  const header = message.slice(0, message.indexOf("\r\n\r\n")).replace(/\r\n(?=[ \t])/g, "");
  const signatures = [...header.matchAll(/^dkim-signature:.*?\ba=([\w-]+)/gim)].map(([, algorithm = ""]) => algorithm);
  return { bytes: message.length, signatures };
}
