import { pause } from "./environment.ts";
import { APIError, E2AConnectionError, E2ATimeoutError } from "./errors.ts";
import { backoffMs } from "./http.ts";

const FIRST_MS = 250;
const MAX_MS = 30_000;

/** For what goes on for ever: tries again with growing pauses, as long as trying again can help. */
export interface Backoff {
  /** Runs it until it works. Throws what trying again cannot help. */
  persist<T>(run: () => Promise<T>): Promise<T>;
  /** Waits before the next try; at least so many seconds when the server said so. */
  wait(retryAfter?: number): Promise<void>;
  /** It works again. */
  reset(): void;
}

export function createBackoff(signal: AbortSignal | undefined): Backoff {
  let attempt = 0;
  const backoff: Backoff = {
    async persist(run) {
      for (;;) {
        try {
          const result = await run();
          backoff.reset();
          return result;
        } catch (error) {
          if (!isTemporary(error)) throw error;
          await backoff.wait(error instanceof APIError ? error.retryAfter : undefined);
        }
      }
    },
    async wait(retryAfter = 0) {
      await pause(Math.max(retryAfter * 1000, backoffMs(attempt, FIRST_MS, MAX_MS)), signal);
      attempt += 1;
    },
    reset() {
      attempt = 0;
    },
  };
  return backoff;
}

/** Whether the server, or the way to it, is at fault for a while. */
function isTemporary(error: unknown): boolean {
  if (error instanceof E2AConnectionError || error instanceof E2ATimeoutError) return true;
  return error instanceof APIError && (error.status === 429 || error.status === 408 || error.status >= 500);
}
