import { useSyncExternalStore } from "react";
import { type ApiEvent, api, ok } from "./client.ts";

/** How events arrive: by WebSocket, or by polling if a proxy blocks WebSockets. */
export type LiveState = "connecting" | "live" | "polling" | "offline";

const RETRY_MS_MIN = 1_000;
const RETRY_MS_MAX = 30_000;
/** Polling takes over after this many sockets in a row that never opened. */
const FAILED_SOCKETS_MAX = 2;
/** How long polling lasts before the socket is tried again. */
const POLLING_MS = 5 * 60_000;
const POLL_WAIT_SECONDS = 25;
/** The code with which the server closes a socket whose session has ended. */
const CLOSED_REVOKED = 1008;

export interface LiveOptions {
  onEvent: (event: ApiEvent) => void;
  /** Events may have been missed: everything on the page must be fetched again. */
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
 * Follows the account's event log until the returned function is called. After a lost connection it resumes after the
 * last event that it received, so that no event is missed.
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

  /** Resolves when the socket closes, with whether it had opened. */
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
      // Without an event to resume after, earlier events were missed.
      if (!last) onGap();
    };
    connection.onmessage = ({ data }) => receive(JSON.parse(data));
    const close = () => connection.close();
    signal.addEventListener("abort", close);
    return new Promise((resolve) => {
      connection.onclose = ({ code }) => {
        signal.removeEventListener("abort", close);
        // The session was ended elsewhere: any request notices, and goes to the sign-in page.
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
      // The event to resume after may be gone from the log; the browser does not say why a socket was refused.
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

/** Resolves after `ms`, or as soon as the browser is online again or the signal aborts. */
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
