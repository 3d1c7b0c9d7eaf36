import { createBackoff, isTemporary, type RetryHooks } from "./backoff.ts";
import { APIError, ConnectionClosedError, E2AError, ListenerReplacedError } from "./errors.ts";
import type { Http } from "./http.ts";
import { dropOldest } from "./oldest.ts";
import { path } from "./resources/resource.ts";
import { openSocket, type WebSocketConstructor } from "./socket.ts";
import type { MessageFrame } from "./types.ts";

/** The announcement of a message on the WebSocket. */
export type Arrival = MessageFrame;

export interface WatchOptions extends Pick<RetryHooks, "onRetry"> {
  /**
   * Called once for each message, in order, one at a time. "stop" ends the watch. "left" means that the message was not
   * processed, so it comes again with the next connection. `connection` aborts when the announcing connection has
   * ended.
   */
  onMessage(
    arrival: Arrival,
    connection: AbortSignal,
  ): Promise<"stop" | "left" | undefined> | "stop" | "left" | undefined;
  /** Mark each message read after `onMessage`. Default: messages stay unread, so the next consumer gets them again. */
  acknowledge?: boolean | undefined;
  /**
   * How many announcements to buffer while one is being processed; the rest is requested again once these are done. Use
   * it if messages become read. Default: no limit.
   */
  aheadMax?: number | undefined;
  /** Ends the watch, which then resolves, once `onMessage` has returned. */
  signal?: AbortSignal | undefined;
  onConnected?: (() => void) | undefined;
}

/** After a connection of this length, the next pause is short again. */
const STABLE_MS = 10_000;
const OPEN_MS = 15_000;
/** A socket that has been silent for this long is replaced: its connection may have died without notice. */
const IDLE_MAX_MS = 300_000;
/** How many ids are remembered to skip duplicates after a reconnect: far more than a backlog, about 1 MB. */
const REMEMBERED_MAX = 10_000;

/** Receives announcements of an agent's mail, and reconnects as needed. See `E2AClient.watch`. */
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

  /** Hands an announcement to `onMessage`, unless that was done before. False if the message was left. */
  async function take(arrival: Arrival, connection: AbortSignal): Promise<boolean> {
    if (seen.has(arrival.message_id)) return true;
    const next = await onMessage(arrival, connection);
    if (next === "left") return false;
    seen.add(arrival.message_id);
    dropOldest(seen, REMEMBERED_MAX);
    if (next === "stop") stop();
    return true;
  }

  /** Runs one connection. Resolves with what ended it; null if this side did, to reconnect at once or to stop. */
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
      const openedAt = performance.now();
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
          if (performance.now() - openedAt >= STABLE_MS) backoff.reset();
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

  /** Finds out why a handshake was refused: a socket does not say, but a plain HTTP request to the same path does. */
  async function whyRefused(): Promise<E2AError> {
    try {
      await http.json(url, {}, { signal, retries: 0 });
      return new E2AError("the connection was refused");
    } catch (error) {
      // 426 means "this path is for WebSockets": key and agent are valid.
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
    // The abort ended the current wait; it is not an error.
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
