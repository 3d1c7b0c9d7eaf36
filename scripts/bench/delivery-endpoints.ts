/** Live endpoints beside dead ones: how soon they get a webhook with an empty queue, and with a very long one. */
import { within } from "./child.ts";
import type { DeadHandlers } from "./dead.child.ts";
import { addressOf, type DeliveryBench, makeAgents, raisedLimits, sendMail } from "./delivery-load.ts";
import { countAttempts, openDatabase, pileUp, timeClaims } from "./delivery-pile.ts";
import { type E2a, type PreparedE2a, startE2a, startPrepared } from "./e2a.ts";
import { type CpuUse, scaled, startMeter } from "./process.ts";
import type { Run } from "./run.ts";
import { sharedDomain } from "./series.ts";
import { type Latency, latency } from "./statistics.ts";

const LIVE_ENDPOINTS = 20;
/** Half of them accept the connection and never answer; the other half refuse it. */
const DEAD_ENDPOINTS = 100;
/** Messages per second, and for how many seconds: slow enough that latency includes no queueing. */
const CALM_PER_SECOND = 50;
const CALM_SECONDS = 20;
const WARM_UP_MESSAGES = 200;
/** A webhook may wait for a slot that a silent endpoint holds: for one whole attempt, 30 s. */
const ARRIVAL_TIMEOUT_MS = 120_000;

/** Webhooks in one round. Times in milliseconds. */
export interface EndpointsRound {
  empty: Phase;
  piled: Phase;
  claimMs: { empty: Latency; piled: Latency };
  /** The ratio of the 99th percentiles: with the pile to without. */
  p99Ratio: number;
  /** Attempts per second at dead endpoints, over the whole time with the pile. */
  deadAttemptsPerSecond: number;
}

interface Phase {
  /** From the 250 to the webhook. */
  commitToWebhookMs: Latency;
  /** Cores that the server used. */
  cores: CpuUse;
  /** Cores that other programs used, such as a Postgres server. */
  otherCores: number;
  /** From the start of the warm-up series to its last webhook. */
  warmUpSeconds: number;
}

/** Every message must arrive as exactly one verified webhook. */
export interface EndpointCounts {
  messages: number;
  webhooks: number;
  duplicates: number;
}

/** Measures with an empty queue, stops the server, makes the pile, restarts and measures again. Adds to `counts`. */
export async function endpointsRound(bench: DeliveryBench, run: Run, counts: EndpointCounts): Promise<EndpointsRound> {
  await using cleanUp = new AsyncDisposableStack();
  const { options, say } = bench;
  const { command, database } = options;
  const dead = run.child<DeadHandlers>("dead.child.ts");
  cleanUp.defer(() => dead.stop());
  const { silentUrl, refusingUrl } = await dead.call("start", null);
  const hook = await bench.sink.call("start", { keyed: "by message id" });
  const named = (name: string, count: number) => Array.from({ length: count }, (_, i) => `${name}-${i + 1}`);
  const [live, silent, refusing] = [
    named("live", LIVE_ENDPOINTS),
    named("silent", DEAD_ENDPOINTS / 2),
    named("refusing", DEAD_ENDPOINTS / 2),
  ];
  const settings = { ...raisedLimits, E2A_SHARED_DOMAIN: sharedDomain, E2A_DNS_SERVERS: bench.dnsAddress };
  const measure = (server: E2a) => calmPhase(bench, server, live.map(addressOf), dead.pid, counts);

  say("e2a starts for webhooks");
  const prepared: PreparedE2a = await startPrepared(
    { command, folder: bench.folder, settings, database },
    cleanUp,
    async (empty, key) => {
      for (const [slugs, url] of [
        [live, hook],
        [silent, silentUrl],
        [refusing, refusingUrl],
      ] as const)
        await makeAgents(empty, key, slugs, { webhook_url: url, agent_mode: "cloud" });
    },
  );
  say("webhooks with an empty queue");
  const empty = await measure(prepared.server);
  await prepared.server.stop();

  say(`${options.waiting} deliveries pile up`);
  const deadAgents = [...silent, ...refusing].map(addressOf);
  const claimMs = await (async () => {
    await using opened = await openDatabase(prepared.product);
    const before = await timeClaims(opened.store, deadAgents);
    await pileUp(opened.engine, opened.store, deadAgents, options.waiting);
    return { empty: before, piled: await timeClaims(opened.store, deadAgents) };
  })();

  const startedAt = performance.now();
  const again = await startE2a(prepared.product);
  cleanUp.defer(() => again.stop());
  say("webhooks beside the pile");
  const piled = await measure(again);
  const seconds = (performance.now() - startedAt) / 1000;
  await again.stop();
  await using opened = await openDatabase(prepared.product);
  return {
    empty,
    piled,
    claimMs,
    p99Ratio: piled.commitToWebhookMs.p99 / empty.commitToWebhookMs.p99,
    deadAttemptsPerSecond: (await countAttempts(opened.engine, deadAgents)) / seconds,
  };
}

async function calmPhase(
  bench: DeliveryBench,
  server: E2a,
  to: string[],
  deadPid: number,
  counts: EndpointCounts,
): Promise<Phase> {
  const { sink, load, dns } = bench;
  const series = async (count: number) => {
    const startedAt = performance.now();
    const sent = await sendMail(bench, server, { to, count, perSecond: CALM_PER_SECOND });
    await within(ARRIVAL_TIMEOUT_MS, `waiting for ${count} webhooks`, sink.call("waitFor", count));
    const { arrivals, duplicates } = await sink.call("take", null);
    counts.messages += sent.sent.length;
    counts.webhooks += [...arrivals.values()].filter((arrival) => arrival.verified).length;
    counts.duplicates += duplicates;
    return { ...sent, arrivals, seconds: (performance.now() - startedAt) / 1000 };
  };
  const warmUp = await series(WARM_UP_MESSAGES);
  const readMeter = startMeter(server.pid, [load.pid, sink.pid, dns.pid, deadPid]);
  const calm = await series(CALM_PER_SECOND * CALM_SECONDS);
  const meter = readMeter();
  return {
    commitToWebhookMs: latency(
      calm.sent.map(({ queueId, replyAt }) => (calm.arrivals.get(queueId)?.at ?? Number.NaN) - replyAt),
    ),
    cores: scaled(meter.server, 1 / meter.seconds),
    otherCores: meter.otherCores,
    warmUpSeconds: warmUp.seconds,
  };
}
