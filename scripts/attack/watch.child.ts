/** Watches a server from a separate process: how long `/api/health` takes, and how much memory the server uses. */
import { answerCalls, type Handlers } from "../bench/child.ts";
import { descendantsOf, memoryMB } from "../bench/process.ts";

/** Time between two probes, and so the precision of a measured stall. */
const PROBE_INTERVAL_MS = 10;
const MEMORY_INTERVAL_MS = 20;

/** The measurements between `begin` and `end`. */
export interface Watched {
  /** The longest wait for `/api/health`, in milliseconds. */
  healthMs: number;
  /** The same for an idle server in the watching process: the delay that the machine itself adds. */
  controlMs: number;
  /** Peak resident memory of the server and its child processes together, in MB (10^6 bytes). */
  peakMB: number;
  /** Probes that got no answer, or a status other than 200. */
  failures: number;
}

let watching: { stop: () => Promise<Watched> } | null = null;

const handlers = {
  begin({ url, pid }: { url: string; pid: number }): void {
    const seen: Watched = { healthMs: 0, controlMs: 0, peakMB: 0, failures: 0 };
    let isOver = false;
    const control = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: () => new Response("ok") });
    const probe = async (target: string, note: (ms: number) => void) => {
      while (!isOver) {
        const startedAt = performance.now();
        try {
          const response = await fetch(target);
          await response.arrayBuffer();
          if (response.status !== 200) seen.failures++;
        } catch {
          seen.failures++;
        }
        note(performance.now() - startedAt);
        await Bun.sleep(PROBE_INTERVAL_MS);
      }
    };
    const probes = [
      probe(`${url}/api/health`, (ms) => (seen.healthMs = Math.max(seen.healthMs, ms))),
      probe(control.url.href, (ms) => (seen.controlMs = Math.max(seen.controlMs, ms))),
    ];
    const look = () => (seen.peakMB = Math.max(seen.peakMB, residentMB(pid)));
    const sampling = setInterval(look, MEMORY_INTERVAL_MS);
    watching = {
      async stop() {
        look();
        isOver = true;
        clearInterval(sampling);
        await Promise.all(probes);
        await control.stop(true);
        return seen;
      },
    };
  },
  async end(): Promise<Watched> {
    const watched = await watching?.stop();
    watching = null;
    if (!watched) throw new Error("nothing is watched");
    return watched;
  },
} satisfies Handlers;
export type WatchHandlers = typeof handlers;

/** Resident memory of a process and its descendants; 0 without /proc. */
function residentMB(pid: number): number {
  return [pid, ...descendantsOf(pid)].reduce((sum, one) => sum + (memoryMB(one).now || 0), 0);
}

answerCalls(handlers);
