import { pause } from "./environment.ts";
import { APIError, E2AConnectionError, E2ATimeoutError } from "./errors.ts";
import { backoffMs } from "./http.ts";

const FIRST_MS = 250;
const MAX_MS = 30_000;
/** The longest pause that a server can ask for. Timers overflow after 24 days, and then fire at once. */
const ASKED_MAX_MS = 3_600_000;

/** Callbacks that report the retries of an endless operation. */
export interface RetryHooks {
  /** Called before each wait for a retry, with its cause and its length. If it throws, the operation ends. */
  onRetry?: ((error: unknown, waitMs: number) => void) | undefined;
  /** Called when an attempt succeeds after failures. */
  onRecovery?: (() => void) | undefined;
}

/** Retries an endless operation with growing pauses, as long as its errors are temporary. */
export interface Backoff {
  /** Calls `run` until it succeeds. Throws errors that a retry cannot fix. */
  persist<T>(run: () => Promise<T>): Promise<T>;
  /** Waits before the next attempt, after `error`; at least as long as the server asked for, but an hour at most. */
  wait(error: unknown): Promise<void>;
  /** Records a success: the next pause is short again. */
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

/** Whether the error is a temporary fault of the server or the network. */
export function isTemporary(error: unknown): boolean {
  if (error instanceof E2AConnectionError || error instanceof E2ATimeoutError) return true;
  return error instanceof APIError && (error.status === 429 || error.status === 408 || error.status >= 500);
}
