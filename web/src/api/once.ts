import { useRef } from "react";
import { idempotencyKey } from "./client.ts";
import { ApiError } from "./problem.ts";

/**
 * Requests that must not happen twice. Returns a function that makes one under an Idempotency-Key: as long as nobody
 * knows what became of it (a lost connection, a server that failed), the next press repeats it under the same key and
 * gets the first one's answer. Once the server has answered, yes or no, the next press is another request.
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
