import { useRef } from "react";
import { idempotencyKey } from "./client.ts";
import { ApiError } from "./problem.ts";

/**
 * For requests that must not run twice. Returns a function that sends a request with an Idempotency-Key. If its outcome
 * is unknown (a lost connection, a server error), the next call repeats the request with the same key and gets the
 * first one's answer. Once the server has accepted or refused it, the next call is a new request.
 */
export function useOnce(): <T>(send: (key: string) => Promise<T>) => Promise<T> {
  const key = useRef<string | null>(null);
  return async (send) => {
    key.current ??= idempotencyKey();
    try {
      const answer = await send(key.current);
      key.current = null;
      return answer;
    } catch (error) {
      const isRefused = error instanceof ApiError && error.status >= 400 && error.status < 500;
      if (isRefused) key.current = null;
      throw error;
    }
  };
}
