/** Mail in, from the final dot to the webhook, beside a bare smtp-server that throws everything away. */
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { testPostgres } from "../../src/testing/postgres.ts";
import type { BareHandlers } from "./bare-smtp.child.ts";
import { type Child, startChild, within } from "./child.ts";
import type { DnsHandlers } from "./dns.child.ts";
import { api, countMessages, type E2a, type E2aOptions, makeAccount, startE2a } from "./e2a.ts";
import type { LoadHandlers, LoadOrder, LoadResult } from "./load.child.ts";
import { newSender } from "./mail.ts";
import { type CpuUse, cpuSeconds, loadAverage, memoryMB } from "./process.ts";
import type { Arrival, SinkHandlers } from "./sink.child.ts";
import { type Latency, latency, median, medians } from "./statistics.ts";

export interface InboundOptions {
  rounds: number;
  /** At full speed in each round; the other series are parts of it. */
  messages: number;
  connections: number;
  database: "sqlite" | "postgres";
  /** The command line of the product before `serve`. */
  command: readonly string[];
  /** Says what is going on. */
  progress(text: string): void;
}

/** A bare smtp-server in one round. Times in milliseconds. */
interface BareRound {
  messagesPerSecond: number;
  dotToReplyMs: Latency;
  cpuMsPerMessage: CpuUse;
  rssPeakMB: number;
  /** One message a connection: with smtp-server's pause before the greeting, and without. */
  onePerConnection: { paused: number; prompt: number };
  /** How much of a core the load took at full speed. */
  loadCores: number;
}

/** The product in one round. Times in milliseconds. */
interface ProductRound {
  /** 250s a second over connections kept open. */
  messagesPerSecond: number;
  /** Webhooks a second, from the first command to the last webhook. */
  webhooksPerSecond: number;
  dotToReplyMs: Latency;
  dotToWebhookMs: Latency;
  /** The same at a tenth of the full rate. */
  tenth: { messagesPerSecond: number; dotToReplyMs: Latency; dotToWebhookMs: Latency };
  onePerConnection: { messagesPerSecond: number; dotToReplyMs: Latency };
  /** Webhook included. */
  cpuMsPerMessage: CpuUse;
  /** Cores kept busy at full speed, and how much of its own core the main thread used. */
  cores: CpuUse;
  rssMB: { idle: number; afterLoad: number; peak: number };
  readyMs: { first: number; again: number };
  dnsQuestions: number;
  loadCores: number;
}

export interface InboundResult {
  benchmark: "inbound";
  conditions: Record<string, string | number>;
  /** Every 250 is a message in the API and a webhook, each of them verified. Counts over all rounds. */
  counts: { replies: number; stored: number; verified: number; webhooks: number; duplicates: number };
  median: { bare: BareRound; product: ProductRound; share: number };
  rounds: { bare: BareRound; product: ProductRound }[];
}

/** What is raised over its default so that one address can send at full speed. */
const raisedLimits = {
  E2A_SMTP_MAX_MESSAGES_PER_MINUTE_PER_IP: "1000000",
  E2A_SMTP_MAX_MESSAGES_PER_CONNECTION: "1000000",
  E2A_SMTP_MAX_CONNECTIONS_PER_IP: "1000",
  E2A_LIMITS_API_REQUESTS_PER_MINUTE: "1000000",
};

const agentSlug = "bench";
const sharedDomain = "e2a.localhost";
const agent = `${agentSlug}@${sharedDomain}`;

/** Messages before anything is measured, so that code is compiled and caches are warm. */
const warmUpMessages = 300;
/** The bare server is so fast that it needs more messages for the same seconds. */
const bareFactor = 4;
/** Of the messages: for one a connection, and at most for the tenth of the load. */
const partialShare = 5;
/** Each connection to a server that pauses costs 100 ms. */
const pausedMessages = 200;
const tenthSecondsMax = 5;
/** Between "ready" and the look at idle memory. */
const idleSettleMs = 1_500;
const seriesTimeoutMs = 60_000;

interface Bench {
  options: InboundOptions;
  load: Child<LoadHandlers>;
  sink: Child<SinkHandlers>;
  dns: Child<DnsHandlers>;
  dnsAddress: string;
  folder: string;
  counts: InboundResult["counts"];
  say: (text: string) => void;
}

/** Runs all rounds, bare and product in turn. Leaves no process and no file behind. */
export async function benchInbound(options: InboundOptions): Promise<InboundResult> {
  const startedAt = new Date();
  const noise = loadAverage();
  const folder = await mkdtemp(join(tmpdir(), "e2a-bench-"));
  await using children = new AsyncDisposableStack();
  children.defer(() => rm(folder, { recursive: true, force: true }));
  const child = <H extends Record<string, (argument: never) => unknown>>(file: string): Child<H> => {
    const started = startChild<H>(file);
    children.defer(() => started.stop());
    return started;
  };
  const { privateKey, zone } = newSender();
  const [dns, sink, load] = [
    child<DnsHandlers>("dns.child.ts"),
    child<SinkHandlers>("sink.child.ts"),
    child<LoadHandlers>("load.child.ts"),
  ];
  const dnsAddress = await dns.call("start", zone);
  const prepared = options.messages + 2 * Math.ceil(options.messages / partialShare) + warmUpMessages;
  options.progress(`signing ${prepared} messages`);
  const messageBytes = await load.call("prepare", { count: prepared, privateKey, to: agent });

  const counts = { replies: 0, stored: 0, verified: 0, webhooks: 0, duplicates: 0 };
  const rounds: InboundResult["rounds"] = [];
  for (let number = 1; number <= options.rounds; number++) {
    const say = (text: string) => options.progress(`round ${number} of ${options.rounds}: ${text}`);
    const bench = { options, load, sink, dns, dnsAddress, folder, counts, say };
    rounds.push({ bare: await bareRound(bench), product: await productRound(bench, number) });
  }
  const [bare, product] = [medians(rounds.map((round) => round.bare)), medians(rounds.map((round) => round.product))];
  const shares = rounds.map((round) => round.product.messagesPerSecond / round.bare.messagesPerSecond);
  return {
    benchmark: "inbound",
    conditions: {
      started_at: startedAt.toISOString(),
      seconds: Math.round((Date.now() - startedAt.getTime()) / 1000),
      cores: navigator.hardwareConcurrency,
      load_average_before: noise,
      bun: Bun.version,
      product: options.command.join(" "),
      database: options.database,
      message_bytes: messageBytes,
      messages: options.messages,
      connections: options.connections,
      raised_limits: Object.entries(raisedLimits)
        .map(([name, value]) => `${name}=${value}`)
        .join(" "),
    },
    counts,
    median: { bare, product, share: median(shares) },
    rounds,
  };
}

async function bareRound({ load, options, say }: Bench): Promise<BareRound> {
  const [paused, prompt] = [
    startChild<BareHandlers>("bare-smtp.child.ts"),
    startChild<BareHandlers>("bare-smtp.child.ts"),
  ];
  try {
    say("bare smtp-server");
    const order = { to: agent, connections: options.connections, first: 0 };
    const kept = {
      ...order,
      port: await paused.call("start", { greets: "after its pause" }),
      connection: "kept" as const,
    };
    await run(load, { ...kept, count: warmUpMessages });
    const cpuBefore = cpuSeconds(paused.pid);
    const count = options.messages * bareFactor;
    const full = await run(load, { ...kept, count });
    const cpu = since(cpuBefore, paused.pid);

    const each = { ...order, connection: "for each message" as const };
    const slow = await run(load, { ...each, port: kept.port, count: pausedMessages });
    const port = await prompt.call("start", { greets: "at once" });
    await run(load, { ...each, port, count: warmUpMessages });
    const quick = await run(load, { ...each, port, count: Math.ceil(options.messages / partialShare) });
    return {
      messagesPerSecond: perSecond(full),
      dotToReplyMs: dotToReply(full),
      cpuMsPerMessage: scaled(cpu, 1000 / count),
      rssPeakMB: memoryMB(paused.pid).peak,
      onePerConnection: { paused: perSecond(slow), prompt: perSecond(quick) },
      loadCores: loadCores(full),
    };
  } finally {
    await Promise.all([paused.stop(), prompt.stop()]);
  }
}

async function productRound(bench: Bench, number: number): Promise<ProductRound> {
  const { options, say } = bench;
  await using cleanUp = new AsyncDisposableStack();
  const folder = join(bench.folder, `round-${number}`);
  await mkdir(folder);
  const settings: Record<string, string> = {
    ...raisedLimits,
    E2A_SHARED_DOMAIN: sharedDomain,
    E2A_DNS_SERVERS: bench.dnsAddress,
  };
  if (options.database === "postgres") {
    const database = await testPostgres();
    cleanUp.defer(() => database.drop());
    settings.E2A_DATABASE_URL = database.url;
  }
  const product: E2aOptions = { command: options.command, folder, settings };

  say("e2a starts");
  const empty = await startE2a(product);
  const key = await makeAccount(product);
  const webhookUrl = await bench.sink.call("url", null);
  await api(empty, key, "POST", "/agents", { slug: agentSlug, webhook_url: webhookUrl, agent_mode: "cloud" });
  await empty.stop();

  const server = await startE2a(product);
  let running = true;
  const stop = async () => {
    if (running) await server.stop();
    running = false;
  };
  cleanUp.defer(stop);
  await Bun.sleep(idleSettleMs);
  const idle = memoryMB(server.pid).now;
  await bench.dns.call("questions", null);

  const measured = await series(bench, server);
  const memory = memoryMB(server.pid);
  const { counts } = bench;
  const stored = await countMessages(server, key, agent);
  counts.stored += stored.messages;
  counts.verified += stored.verified;
  await stop();
  return {
    ...measured,
    rssMB: { idle, afterLoad: memory.now, peak: memory.peak },
    readyMs: { first: empty.readyMs, again: server.readyMs },
    dnsQuestions: await bench.dns.call("questions", null),
  };
}

/** Warm-up, full speed, a tenth of it, one message a connection; each waits for its last webhook. */
async function series(bench: Bench, server: E2a): Promise<Omit<ProductRound, "rssMB" | "readyMs" | "dnsQuestions">> {
  const { options, say } = bench;
  const part = Math.ceil(options.messages / partialShare);
  let first = 0;
  const next = async (order: Pick<LoadOrder, "count" | "connection" | "perSecond">) => {
    const common = { port: server.smtpPort, to: agent, connections: options.connections, first };
    first += order.count;
    const cpuBefore = cpuSeconds(server.pid);
    const result = await run(bench.load, { ...common, ...order });
    await within(seriesTimeoutMs, `waiting for ${order.count} webhooks`, bench.sink.call("waitFor", order.count));
    const cpu = since(cpuBefore, server.pid);
    const { arrivals, duplicates } = await bench.sink.call("take", null);
    bench.counts.replies += result.sent.length;
    bench.counts.webhooks += [...arrivals.values()].filter((arrival) => arrival.verified).length;
    bench.counts.duplicates += duplicates;
    return { ...result, arrivals, cpu };
  };
  await next({ count: warmUpMessages, connection: "kept" });
  say("e2a at full speed");
  const full = await next({ count: options.messages, connection: "kept" });
  const rate = perSecond(full);
  say(`e2a at a tenth of ${Math.round(rate)} messages/s`);
  const tenthCount = Math.min(part, Math.ceil((rate / 10) * tenthSecondsMax));
  const tenth = await next({ count: tenthCount, connection: "kept", perSecond: rate / 10 });
  say("e2a with one message a connection");
  const single = await next({ count: part, connection: "for each message" });

  const lastWebhookAt = Math.max(...[...full.arrivals.values()].map((arrival) => arrival.at));
  return {
    messagesPerSecond: rate,
    webhooksPerSecond: options.messages / ((lastWebhookAt - full.startedAt) / 1000),
    dotToReplyMs: dotToReply(full),
    dotToWebhookMs: dotToWebhook(full, full.arrivals),
    tenth: {
      messagesPerSecond: perSecond(tenth),
      dotToReplyMs: dotToReply(tenth),
      dotToWebhookMs: dotToWebhook(tenth, tenth.arrivals),
    },
    onePerConnection: { messagesPerSecond: perSecond(single), dotToReplyMs: dotToReply(single) },
    cpuMsPerMessage: scaled(full.cpu, 1000 / options.messages),
    cores: scaled(full.cpu, 1000 / (lastWebhookAt - full.startedAt)),
    loadCores: loadCores(full),
  };
}

function run(load: Child<LoadHandlers>, order: LoadOrder): Promise<LoadResult> {
  return within(seriesTimeoutMs, `sending ${order.count} messages`, load.call("run", order));
}

function since(before: CpuUse, pid: number): CpuUse {
  const now = cpuSeconds(pid);
  return { all: now.all - before.all, main: now.main - before.main };
}

function scaled({ all, main }: CpuUse, factor: number): CpuUse {
  return { all: all * factor, main: main * factor };
}

function perSecond({ sent, startedAt, endedAt }: LoadResult): number {
  return sent.length / ((endedAt - startedAt) / 1000);
}

function loadCores({ cpuSeconds, startedAt, endedAt }: LoadResult): number {
  return cpuSeconds / ((endedAt - startedAt) / 1000);
}

function dotToReply({ sent }: LoadResult): Latency {
  return latency(sent.map(({ dotAt, replyAt }) => replyAt - dotAt));
}

function dotToWebhook({ sent }: LoadResult, arrivals: Map<string, Arrival>): Latency {
  return latency(sent.map(({ dotAt, queueId }) => (arrivals.get(queueId)?.at ?? Number.NaN) - dotAt));
}
