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
  /** One message a connection: with smtp-server's pause before the greeting, and without. */
  onePerConnection: { paused: number; prompt: number };
  /** How much of a core the load took at full speed, and programs that are none of ours. */
  loadCores: number;
  otherCores: number;
}

/** It is so fast that it needs more messages for the same seconds. */
const MESSAGES_FACTOR = 4;
/** Each connection to a server that pauses costs 100 ms. */
const PAUSED_MESSAGES = 200;

/** Full speed over connections kept open, then one message a connection. */
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
