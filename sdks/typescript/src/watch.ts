import { createBackoff, isTemporary, type RetryHooks } from "./backoff.ts";
import { APIError, ConnectionClosedError, E2AError, ListenerReplacedError } from "./errors.ts";
import type { Http } from "./http.ts";
import { dropOldest } from "./oldest.ts";
import { path } from "./resources/resource.ts";
import { openSocket, type WebSocketConstructor } from "./socket.ts";
import type { MessageFrame } from "./types.ts";

/** A message that came, as the WebSocket announces it. */
export type Arrival = MessageFrame;

export interface WatchOptions extends Pick<RetryHooks, "onRetry"> {
  /**
   * Called once for each message, in order, one at a time. "stop" ends the watch; "left" means that nothing was done, so that
   * the message comes again with the next connection. `connection` is aborted when the one that announced it has ended.
   */
  onMessage(
    arrival: Arrival,
    connection: AbortSignal,
  ): Promise<"stop" | "left" | undefined> | "stop" | "left" | undefined;
  /** Mark each message read after `onMessage`. Default: they stay unread, so that they come again to whoever comes next. */
  acknowledge?: boolean | undefined;
  /**
   * Announcements kept here while an earlier one is in hand; what is beyond is asked for again once these are done. Give it
   * where messages become read. Default: all are kept.
   */
  aheadMax?: number | undefined;
  /** Ends the watch, which then resolves, once `onMessage` has returned. */
  signal?: AbortSignal | undefined;
  onConnected?: (() => void) | undefined;
}

/** A connection that lived this long was a good one: waiting starts over. */
const STABLE_MS = 10_000;
const OPEN_MS = 15_000;
/** A socket that has been silent for this long may be dead without anybody having told us. */
const IDLE_MAX_MS = 300_000;
/** Ids remembered against doubles after a reconnect: far more than one backlog, about a megabyte. */
const REMEMBERED_MAX = 10_000;

/** Announcements of an agent's mail, over as many connections as it takes. See `E2AClient.watch`. */
export async function watch(
  http: Http,
  webSocket: WebSocketConstructor,
  agent: string,
  options: WatchOptions,
): Promise<void> {
  const { onMessage, acknowledge, aheadMax = Number.POSITIVE_INFINITY, onRetry, onConnected } = options;
  const ended = new AbortController();
  const stop = () => ended.abort();
  options.signal?.addEventListener("abort", stop, { once: true });
  if (options.signal?.aborted) stop();
  const { signal } = ended;
  const backoff = createBackoff(signal, { onRetry });
  const url = path`/api/v1/agents/${agent}/ws`;
  const seen = new Set<string>();

  /** Whether it was dealt with, now or earlier. */
  async function take(arrival: Arrival, connection: AbortSignal): Promise<boolean> {
    if (seen.has(arrival.message_id)) return true;
    const next = await onMessage(arrival, connection);
    if (next === "left") return false;
    seen.add(arrival.message_id);
    dropOldest(seen, REMEMBERED_MAX);
    if (next === "stop") stop();
    return true;
  }

  /** One connection from handshake to close. What ended it; null when we did, to be shown again what was not kept. */
  async function connect(): Promise<E2AError | null> {
    const waiting: Arrival[] = [];
    let isInHand = false;
    let isSurplus = false;
    const over = new AbortController();
    const onText = (text: string) => {
      const arrival = arrivalIn(text);
      if (arrival === null) return;
      if (waiting.length + (isInHand ? 1 : 0) >= aheadMax) isSurplus = true;
      else waiting.push(arrival);
    };
    const socket = openSocket(webSocket, http.options, url, onText, () => over.abort());
    try {
      if (!(await socket.opened(OPEN_MS, signal))) return await whyRefused();
      const openedAt = Date.now();
      onConnected?.();
      for (;;) {
        const arrival = waiting.shift();
        isInHand = arrival !== undefined;
        if (arrival) {
          const isDone = !signal.aborted && (await take(arrival, over.signal));
          if (isDone && acknowledge) socket.send(JSON.stringify({ ack: arrival.message_id }));
          continue;
        }
        if (signal.aborted || isSurplus) return null;
        if (socket.closed) {
          if (Date.now() - openedAt >= STABLE_MS) backoff.reset();
          return closedError(socket.closed);
        }
        if ((await socket.news(IDLE_MAX_MS, signal)) === "idle") return null;
      }
    } finally {
      await socket.close();
    }
  }

  function closedError({ code, reason }: { code: number; reason: string }): E2AError {
    if (code === 4000) throw new ListenerReplacedError(`Another consumer listens to ${agent} now.`);
    return new ConnectionClosedError(code, reason, http.options.origin);
  }

  /** A socket does not say why its handshake was refused, so the same path is asked as plain HTTP. */
  async function whyRefused(): Promise<E2AError> {
    try {
      await http.json(url, {}, { signal, retries: 0 });
      return new E2AError("the connection was refused");
    } catch (error) {
      // "This path is for WebSockets": the key and the agent are good.
      if (isTemporary(error) || (error instanceof APIError && error.status === 426)) return error as E2AError;
      throw error;
    }
  }

  try {
    while (!signal.aborted) {
      const reason = await connect();
      if (reason !== null && !signal.aborted) await backoff.wait(reason);
    }
  } catch (error) {
    // Whatever was waited for gave way to it.
    if (!signal.aborted || error !== signal.reason) throw error;
  } finally {
    options.signal?.removeEventListener("abort", stop);
  }
}

function arrivalIn(text: string): Arrival | null {
  try {
    const arrival = JSON.parse(text) as Partial<Arrival> | null;
    return typeof arrival?.message_id === "string" ? (arrival as Arrival) : null;
  } catch {
    return null;
  }
}
