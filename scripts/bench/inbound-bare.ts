import type { BareHandlers } from "./bare-smtp.child.ts";
import { startChild } from "./child.ts";
import { type Bench, dotToReply, sendSeries } from "./inbound-load.ts";
import { type CpuUse, memoryMB, scaled } from "./process.ts";
import { loadCores, partOf, perSecond, WARM_UP_MESSAGES } from "./series.ts";
import type { Latency } from "./statistics.ts";

/** A bare smtp-server in one round. Times in milliseconds. */
export interface BareRound {
  messagesPerSecond: number;
  dotToReplyMs: Latency;
  cpuMsPerMessage: CpuUse;
  rssPeakMB: number;
  /** One message per connection: with smtp-server's pause before the greeting, and without. */
  onePerConnection: { paused: number; prompt: number };
  /** Cores that the load used at full speed; then those that other programs used. */
  loadCores: number;
  otherCores: number;
}

/** The bare server is faster, so it needs more messages to run for the same time. */
const MESSAGES_FACTOR = 4;
/** Fewer messages, because each connection to a server that pauses takes 100 ms. */
const PAUSED_MESSAGES = 200;

/** Measures full speed over open connections, then one message per connection. */
export async function bareRound(bench: Bench): Promise<BareRound> {
  const child = () => startChild<BareHandlers>("bare-smtp.child.ts");
  const [paused, prompt] = [child(), child()];
  try {
    bench.say("bare smtp-server");
    const pausing = { pid: paused.pid, port: await paused.call("start", { greets: "after its pause" }) };
    const prompting = { pid: prompt.pid, port: await prompt.call("start", { greets: "at once" }) };
    const kept = { first: 0, connection: "kept" } as const;
    await sendSeries(bench, pausing, { ...kept, count: WARM_UP_MESSAGES });
    const count = bench.options.messages * MESSAGES_FACTOR;
    const full = await sendSeries(bench, pausing, { ...kept, count });

    const each = { first: 0, connection: "for each message" } as const;
    const slow = await sendSeries(bench, pausing, { ...each, count: PAUSED_MESSAGES });
    await sendSeries(bench, prompting, { ...each, count: WARM_UP_MESSAGES });
    const quick = await sendSeries(bench, prompting, { ...each, count: partOf(bench.options.messages) });
    return {
      messagesPerSecond: perSecond(full),
      dotToReplyMs: dotToReply(full),
      cpuMsPerMessage: scaled(full.meter.server, 1000 / count),
      rssPeakMB: memoryMB(paused.pid).peak,
      onePerConnection: { paused: perSecond(slow), prompt: perSecond(quick) },
      loadCores: loadCores(full),
      otherCores: full.meter.otherCores,
    };
  } finally {
    await Promise.all([paused.stop(), prompt.stop()]);
  }
}
