/** Whether the server can do its work, and what a stopping server does when its store no longer answers. */

import { readdirSync, readFileSync, statfsSync } from "node:fs";
import type { Config } from "./config.ts";
import type { Store } from "./store/store.ts";
import type { ThreadedStore } from "./store/threaded-store.ts";
import type { Clock } from "./util/clock.ts";
import type { Log } from "./util/log.ts";

/** With less free space, the store may fail at any moment. */
const DISK_FREE_BYTES_MIN = 100 * 1024 * 1024;
/** With more of the files open that the process may have, it may soon take no connection any more. */
const OPEN_FILES_SHARE_MAX = 0.9;
/** How long readiness waits for the store. */
const STORE_ANSWER_MS = 3_000;
/** If a due delivery has not been taken for this long, the workers have stalled. */
const QUEUE_AGE_MS_MAX = 5 * 60_000;
/** How often a stopping server checks whether its store still answers. */
const STOP_LOOK_MS = 5_000;

/** Checks whether the server is ready. `reasons` has one sentence for each obstacle; empty if it is ready. */
export async function health(store: Store, config: Config, clock: Clock): Promise<{ ok: boolean; reasons: string[] }> {
  const reasons: string[] = [];
  const now = new Date(clock.now());
  try {
    const look = async () => {
      await store.probeWrite(now);
      return [await store.queueState(now), await store.outboundState(now)] as const;
    };
    const [deliveries, outbound] = await inTime(look(), clock);
    const tooOld = ({ oldestDueAt }: { oldestDueAt: Date | null }) =>
      oldestDueAt !== null && now.getTime() - oldestDueAt.getTime() > QUEUE_AGE_MS_MAX;
    const fault = store.fault();
    if (fault !== null) reasons.push(fault);
    if (tooOld(deliveries)) reasons.push("Webhook deliveries have been due for more than five minutes.");
    if (tooOld(outbound)) reasons.push("Outbound mail has been due for more than five minutes.");
  } catch {
    reasons.push(store.fault() ?? "The store does not accept writes.");
  }
  if ((openFilesShare() ?? 0) > OPEN_FILES_SHARE_MAX)
    reasons.push("Almost as many connections and files are open as the system allows this process (ulimit -n).");
  const free = freeBytes(config.dataDir);
  if (free === null) reasons.push("The data folder cannot be read.");
  else if (free < DISK_FREE_BYTES_MIN) reasons.push("Less than 100 MiB of disk are free.");
  return { ok: reasons.length === 0, reasons };
}

/** The share of the files that this process may open and has open, sockets included; null if the system does not tell. */
function openFilesShare(): number | null {
  try {
    const [, most] = /^Max open files +(\d+)/m.exec(readFileSync("/proc/self/limits", "latin1")) ?? [];
    return most === undefined ? null : readdirSync("/proc/self/fd").length / Number(most);
  } catch {
    return null;
  }
}

function freeBytes(folder: string): number | null {
  try {
    const { bavail, bsize } = statfsSync(folder);
    return bavail * bsize;
  } catch {
    return null;
  }
}

/**
 * Gives up the store once it stops answering, so that a stopping server does not wait for a store that may never
 * return. Everything the server has promised is stored or in the journal. Returns a function that ends the checks.
 */
export function giveUpUnlessAnswered(store: ThreadedStore, clock: Clock, log: Log): () => void {
  let cancel = () => {};
  let isOver = false;
  const later = () => {
    cancel = clock.after(STOP_LOOK_MS, async () => {
      try {
        await inTime(
          store.probeWrite(new Date(clock.now())).catch(() => {}),
          clock,
        );
        if (!isOver) later();
      } catch (error) {
        if (isOver) return;
        log.error("store.given_up", {}, error);
        store.giveUp();
      }
    });
  };
  later();
  return () => {
    isOver = true;
    cancel();
  };
}

/** Rejects if the store does not answer in time: a dead connection breaks only after many minutes. */
function inTime<T>(answer: Promise<T>, clock: Clock): Promise<T> {
  return new Promise((resolve, reject) => {
    const cancel = clock.after(STORE_ANSWER_MS, () => reject(new Error("The store does not answer.")));
    answer.then(resolve, reject).finally(cancel);
  });
}
