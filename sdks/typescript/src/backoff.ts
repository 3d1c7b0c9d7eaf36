import { pause } from "./environment.ts";
import { APIError, E2AConnectionError, E2ATimeoutError } from "./errors.ts";
import { backoffMs } from "./http.ts";

const FIRST_MS = 250;
const MAX_MS = 30_000;
/** Whoever asks for more patience is asked again after this; timers know no month, and run at once for one. */
const ASKED_MAX_MS = 3_600_000;

/** Told how what goes on for ever gets on. */
export interface RetryHooks {
  /** Called before each wait for another try, with why, and for how long. What it throws ends everything. */
  onRetry?: ((error: unknown, waitMs: number) => void) | undefined;
  /** Called when it works again. */
  onRecovery?: (() => void) | undefined;
}

/** For what goes on for ever: tries again with growing pauses, as long as trying again can help. */
export interface Backoff {
  /** Runs it until it works. Throws what trying again cannot help. */
  persist<T>(run: () => Promise<T>): Promise<T>;
  /** Waits before the next try, after `error`; as long as the server said, where it did, an hour at most. */
  wait(error: unknown): Promise<void>;
  /** It works again. */
  reset(): void;
}

export function createBackoff(signal: AbortSignal | undefined, hooks: RetryHooks = {}): Backoff {
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
          await backoff.wait(error);
        }
      }
    },
    async wait(error) {
      const askedMs = error instanceof APIError ? (error.retryAfter ?? 0) * 1000 : 0;
      const waitMs = Math.max(Math.min(askedMs, ASKED_MAX_MS), backoffMs(attempt, FIRST_MS, MAX_MS));
      hooks.onRetry?.(error, waitMs);
      await pause(waitMs, signal);
      attempt += 1;
    },
    reset() {
      if (attempt > 0) hooks.onRecovery?.();
      attempt = 0;
    },
  };
  return backoff;
}

/** Whether the server, or the way to it, is at fault for a while. */
export function isTemporary(error: unknown): boolean {
  if (error instanceof E2AConnectionError || error instanceof E2ATimeoutError) return true;
  return error instanceof APIError && (error.status === 429 || error.status === 408 || error.status >= 500);
}
