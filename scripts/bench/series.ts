/** One series of messages: how a load sends it, and the figures that benchmarks derive from it. */
import { wallMs } from "./child.ts";
import type { MeterReading } from "./process.ts";

/** The product's shared domain. */
export const sharedDomain = "e2a.localhost";

/** Messages before measuring starts, so that code is compiled and caches are warm. */
export const WARM_UP_MESSAGES = 1_000;
/** Slower series, and those that only measure latency, use this fraction of the messages. */
const PARTIAL_SHARE = 5;
export const partOf = (messages: number) => Math.ceil(messages / PARTIAL_SHARE);
/** A series that measures latency without queueing runs at most this long. */
export const CALM_SECONDS_MAX = 5;
/** The limit for one series; far more than any takes on a working machine. */
export const SERIES_TIMEOUT_MS = 60_000;

export interface Series<T> {
  /** By `wallMs`, from the start of the first message to the end of the last. */
  startedAt: number;
  endedAt: number;
  /** In the order of completion. */
  sent: T[];
  /** CPU seconds of the load itself. Near the duration, the load was the bottleneck. */
  cpuSeconds: number;
}

export type Measured<T> = Series<T> & { meter: MeterReading };

/**
 * Sends `count` messages over all `senders`; each sender sends one after the other.
 * @param perSecond Messages started per second, whether or not the server keeps up. Default: as fast as possible.
 */
export async function sendAll<T>(
  { count, perSecond }: { count: number; perSecond?: number | undefined },
  senders: readonly ((n: number) => Promise<T>)[],
): Promise<Series<T>> {
  const sent: T[] = [];
  let next = 0;
  const cpuBefore = process.cpuUsage();
  const startedAt = wallMs();
  await Promise.all(
    senders.map(async (send) => {
      for (let n = next++; n < count; n = next++) {
        if (perSecond) await Bun.sleep(Math.max(0, startedAt + (n / perSecond) * 1000 - wallMs()));
        sent.push(await send(n));
      }
    }),
  );
  const cpu = process.cpuUsage(cpuBefore);
  return { startedAt, endedAt: wallMs(), sent, cpuSeconds: (cpu.user + cpu.system) / 1e6 };
}

export function perSecond({ sent, startedAt, endedAt }: Series<unknown>): number {
  return sent.length / ((endedAt - startedAt) / 1000);
}

/** How much of a core the load used. Near 1, the load was the bottleneck. */
export function loadCores({ cpuSeconds, startedAt, endedAt }: Series<unknown>): number {
  return cpuSeconds / ((endedAt - startedAt) / 1000);
}
