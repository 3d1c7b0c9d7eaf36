/** One series of messages: how a load sends it, and what both benchmarks read from it. */
import { wallMs } from "./child.ts";
import type { MeterReading } from "./process.ts";

/** The product's shared domain. */
export const sharedDomain = "e2a.localhost";

/** Messages before anything is measured, so that code is compiled and caches are warm. */
export const WARM_UP_MESSAGES = 1_000;
/** Series that take longer for a message, or say something about latency only: this part of the messages. */
const PARTIAL_SHARE = 5;
export const partOf = (messages: number) => Math.ceil(messages / PARTIAL_SHARE);
/** What is to say something about latency without a queue goes on for this long at most. */
export const CALM_SECONDS_MAX = 5;
/** For one series; far more than any takes on a machine that works. */
export const SERIES_TIMEOUT_MS = 60_000;

export interface Series<T> {
  /** By `wallMs`, from the first message begun to the last one done. */
  startedAt: number;
  endedAt: number;
  /** In the order in which they were done. */
  sent: T[];
  /** CPU seconds of the load itself: near the duration means that the load was the limit. */
  cpuSeconds: number;
}

export type Measured<T> = Series<T> & { meter: MeterReading };

/**
 * Sends `count` messages over all `senders`, each of which sends one after the other.
 * @param perSecond Begun a second, whether the server keeps up or not; without it, as fast as it goes.
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

/** How much of a core the load took: near 1 means that the load was the limit. */
export function loadCores({ cpuSeconds, startedAt, endedAt }: Series<unknown>): number {
  return cpuSeconds / ((endedAt - startedAt) / 1000);
}
