/** Many WebSockets on one server: the cost of each, and how soon each hears of its message. */
import { within } from "./child.ts";
import { AT_ONCE, addressOf, type DeliveryBench, makeAgents, raisedLimits, sendMail } from "./delivery-load.ts";
import { api, type E2a, startPrepared } from "./e2a.ts";
import type { Heard } from "./listener-socket.ts";
import { memoryMB, startMeter } from "./process.ts";
import { type Measured, perSecond, SERIES_TIMEOUT_MS, sharedDomain } from "./series.ts";
import type { Sent } from "./smtp-connection.ts";
import { type Latency, latency } from "./statistics.ts";

/** Agents that get a message in a burst. */
const BURST_LISTENERS = 1_000;
/** Memory is measured after the server has been this idle for this long: garbage collection has run by then. */
const quiet = { cores: 0.03, ms: 5_000, waitMsMax: 60_000 };
/** Interval of the requests that check whether the server answers while sockets open. */
const PROBE_EVERY_MS = 20;

/** WebSockets in one round. Times in milliseconds. */
export interface SocketsRound {
  rssMB: { before: number; connected: number; afterBursts: number; peak: number };
  kBPerConnection: number;
  handshakesPerSecond: number;
  /** Time of GET /api/health while the sockets open. */
  healthMs: Latency;
  /** One message to this many agents: one commit, then as many frames. */
  broadcast: { commitToFrameMs: Latency; lastFrameMs: number; otherCores: number };
  /** One message per agent, as fast as the server accepts them. */
  burst: { messagesPerSecond: number; commitToFrameMs: Latency; dotToFrameMs: Latency; otherCores: number };
  /** Cores that the server uses with all sockets connected and no messages, pings included. */
  quietCores: number;
}

/** Every message must arrive as one frame at its own listener, and no listener may be closed. */
export interface SocketCounts {
  messages: number;
  frames: number;
  doubles: number;
  strays: number;
  closed: number;
}

/** Starts on an empty folder, makes the agents, starts again, connects them all, and measures. Adds to `counts`. */
export async function socketsRound(bench: DeliveryBench, counts: SocketCounts): Promise<SocketsRound> {
  await using cleanUp = new AsyncDisposableStack();
  const { options, say } = bench;
  const slugs = Array.from({ length: options.listeners }, (_, i) => `listener-${i + 1}`);
  const settings = { ...raisedLimits, E2A_SHARED_DOMAIN: sharedDomain, E2A_DNS_SERVERS: bench.dnsAddress };
  const { command, database } = options;
  say(`e2a starts and makes ${options.listeners} agents`);
  const product = { command, folder: bench.folder, settings, database };
  const { server, key, idleMB } = await startPrepared(product, cleanUp, (empty, key) =>
    makeAgents(empty, key, slugs, { agent_mode: "local" }),
  );

  say(`${options.listeners} WebSockets connect`);
  const { handshakesPerSecond, healthMs } = await connectAll(bench, server, key, slugs.map(addressOf));
  await untilQuiet(server);
  const quietCores = await untilQuiet(server);
  const connectedMB = memoryMB(server.pid).now;

  const burst = await bursts(bench, server, counts);
  counts.closed += await bench.listeners.call("closed", null);
  await untilQuiet(server);
  const memory = memoryMB(server.pid);
  return {
    rssMB: { before: idleMB, connected: connectedMB, afterBursts: memory.now, peak: memory.peak },
    kBPerConnection: ((connectedMB - idleMB) * 1000) / options.listeners,
    handshakesPerSecond,
    healthMs,
    ...burst,
    quietCores,
  };
}

/** Waits until the server is idle; resolves with the cores that it still uses. */
async function untilQuiet(server: E2a): Promise<number> {
  for (let waitedMs = 0; ; waitedMs += quiet.ms) {
    const readMeter = startMeter(server.pid, []);
    await Bun.sleep(quiet.ms);
    const { server: used, seconds } = readMeter();
    const cores = used.all / seconds;
    if (cores <= quiet.cores || waitedMs >= quiet.waitMsMax) return cores;
  }
}

async function connectAll(bench: DeliveryBench, server: E2a, key: string, agents: string[]) {
  const health: number[] = [];
  let connecting = true;
  const probe = (async () => {
    while (connecting) {
      const startedAt = performance.now();
      await api(server, key, "GET", "/../health");
      health.push(performance.now() - startedAt);
      await Bun.sleep(PROBE_EVERY_MS);
    }
  })();
  const port = Number(new URL(server.httpUrl).port);
  const order = { port, key, agents, atOnce: AT_ONCE };
  const { seconds } = await within(SERIES_TIMEOUT_MS, "connecting", bench.listeners.call("connect", order));
  connecting = false;
  await probe;
  return { handshakesPerSecond: agents.length / seconds, healthMs: latency(health) };
}

/** Warms up with one run of each kind, then measures each. */
async function bursts(bench: DeliveryBench, server: E2a, counts: SocketCounts) {
  const { options, say, listeners } = bench;
  // Spread the messages over all sockets, so that none is warmer than another.
  const size = Math.min(BURST_LISTENERS, options.listeners);
  const step = Math.floor(options.listeners / size);
  const to = Array.from({ length: size }, (_, i) => addressOf(`listener-${i * step + 1}`));
  const measured = async (order: { count: number; everyone?: boolean }) => {
    const readMeter = startMeter(server.pid, [bench.load.pid, listeners.pid, bench.dns.pid]);
    const series = await sendMail(bench, server, { to, ...order });
    await within(SERIES_TIMEOUT_MS, "waiting for frames", listeners.call("waitFor", size));
    const frames = await listeners.call("take", null);
    count(counts, size, step, frames);
    return { ...series, meter: readMeter(), frames };
  };
  await measured({ count: 1, everyone: true });
  await measured({ count: size });
  say(`one message to ${size} of them`);
  const broadcast = await measured({ count: 1, everyone: true });
  say(`${size} messages, each to another`);
  const burst = await measured({ count: size });

  const committedAt = broadcast.sent[0]?.replyAt ?? Number.NaN;
  const after = broadcast.frames.map(({ at }) => at - committedAt);
  return {
    broadcast: {
      commitToFrameMs: latency(after),
      lastFrameMs: Math.max(...after),
      otherCores: broadcast.meter.otherCores,
    },
    burst: {
      messagesPerSecond: perSecond(burst),
      commitToFrameMs: since(burst, "replyAt"),
      dotToFrameMs: since(burst, "dotAt"),
      otherCores: burst.meter.otherCores,
    },
  };
}

function since({ sent, frames }: Measured<Sent> & { frames: Heard[] }, start: "dotAt" | "replyAt"): Latency {
  const arrivals = new Map(frames.map(({ messageId, at }) => [messageId, at]));
  return latency(sent.map((one) => (arrivals.get(one.queueId) ?? Number.NaN) - one[start]));
}

function count(counts: SocketCounts, size: number, step: number, frames: Heard[]): void {
  const listeners = new Set(frames.map(({ listener }) => listener));
  counts.messages += size;
  counts.frames += listeners.size;
  counts.doubles += frames.length - listeners.size;
  counts.strays += [...listeners].filter((listener) => listener % step !== 0 || listener >= size * step).length;
}
