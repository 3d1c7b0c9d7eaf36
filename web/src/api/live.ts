import { useSyncExternalStore } from "react";
import { type ApiEvent, api, ok } from "./client.ts";

/** How news arrive: at once by socket, or by asking again and again where a proxy lets no sockets through. */
export type LiveState = "connecting" | "live" | "polling" | "offline";

const RETRY_MS_MIN = 1_000;
const RETRY_MS_MAX = 30_000;
/** Sockets that never opened, in a row, before polling takes over. */
const FAILED_SOCKETS_MAX = 2;
/** How long polling goes on before the socket gets another chance. */
const POLLING_MS = 5 * 60_000;
const POLL_WAIT_SECONDS = 25;
/** How the server closes a socket whose session has ended. */
const CLOSED_REVOKED = 1008;

export interface LiveOptions {
  onEvent: (event: ApiEvent) => void;
  /** Something may have been missed: everything that is shown should be asked for again. */
  onGap: () => void;
}

let state: LiveState = "connecting";
const listeners = new Set<() => void>();

function setState(next: LiveState): void {
  if (next === state) return;
  state = next;
  for (const listener of listeners) listener();
}

export function useLiveState(): LiveState {
  return useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => state,
  );
}

/**
 * Follows the account's event log until the returned function is called. After a lost connection it goes on after the
 * last event that it has seen, so that nothing is missed.
 */
export function startLive({ onEvent, onGap }: LiveOptions): () => void {
  const stopped = new AbortController();
  const { signal } = stopped;
  let last: string | null = null;
  let retryMs = RETRY_MS_MIN;

  const receive = (event: ApiEvent) => {
    last = event.id;
    onEvent(event);
  };

  /** Resolves when the socket closes: whether it had opened. */
  function socket(): Promise<boolean> {
    const url = new URL("/api/v1/events/ws", location.href);
    url.protocol = url.protocol.replace("http", "ws");
    if (last) url.searchParams.set("after", last);
    const connection = new WebSocket(url);
    let opened = false;
    connection.onopen = () => {
      opened = true;
      retryMs = RETRY_MS_MIN;
      setState("live");
      // Without a place to go on from, what happened until now was not heard.
      if (!last) onGap();
    };
    connection.onmessage = ({ data }) => receive(JSON.parse(data));
    const close = () => connection.close();
    signal.addEventListener("abort", close);
    return new Promise((resolve) => {
      connection.onclose = ({ code }) => {
        signal.removeEventListener("abort", close);
        // Signed out elsewhere: any request finds out, and goes to sign in.
        if (code === CLOSED_REVOKED) void api.GET("/api/v1/users/me").catch(() => {});
        resolve(opened);
      };
    });
  }

  async function poll(): Promise<void> {
    const get = (query: { after?: string; wait?: number; sort?: "desc"; page_size?: number }) =>
      ok(api.GET("/api/v1/events", { params: { query }, signal }));
    const endMs = performance.now() + POLLING_MS;
    if (!last) {
      const { events } = await get({ sort: "desc", page_size: 1 });
      last = events[0]?.id ?? null;
      onGap();
    }
    setState("polling");
    while (!signal.aborted && performance.now() < endMs) {
      const { events } = await get({ ...(last && { after: last }), wait: POLL_WAIT_SECONDS });
      for (const event of events) receive(event);
    }
  }

  async function run(): Promise<void> {
    let failedSockets = 0;
    while (!signal.aborted) {
      const opened = await socket();
      if (signal.aborted) return;
      failedSockets = opened ? 0 : failedSockets + 1;
      // The place to go on from may have been swept meanwhile; the browser does not say why a socket was refused.
      if (!opened) last = null;
      setState("offline");
      if (failedSockets >= FAILED_SOCKETS_MAX) {
        failedSockets = 0;
        await poll().catch(() => {
          last = null;
          setState("offline");
          onGap();
        });
      }
      await pause(retryMs, signal);
      retryMs = Math.min(retryMs * 2, RETRY_MS_MAX);
    }
  }

  void run();
  return () => stopped.abort();
}

/** Resolves after a while, or as soon as the browser is online again or all is over. */
function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      window.removeEventListener("online", done);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    window.addEventListener("online", done);
    signal.addEventListener("abort", done);
  });
}
