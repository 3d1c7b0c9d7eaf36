import { type Backoff, createBackoff, type RetryHooks } from "./backoff.ts";
import { APIError, ConnectionClosedError, ListenerReplacedError, NotFoundError } from "./errors.ts";
import type { Http } from "./http.ts";
import { stoppable } from "./iteration.ts";
import type { Message } from "./message.ts";
import { dropOldest } from "./oldest.ts";
import type { Messages } from "./resources/messages.ts";
import { path } from "./resources/resource.ts";
import { type Closed, openSocket, type Socket, type WebSocketConstructor } from "./socket.ts";

export interface ListenOptions extends RetryHooks {
  /** Ends the iteration, which then rejects with the signal's reason. */
  signal?: AbortSignal | undefined;
}

export interface ListenDeps {
  http: Http;
  messages: Messages;
  /** Null: the runtime has no WebSockets, so the listener uses long polls. */
  webSocket: WebSocketConstructor | null;
}

/** Less than a minute, after which proxies commonly abort a silent request. */
const WAIT_SECONDS = 50;
/** A socket that has been silent for this long is replaced: its connection may have died without notice. */
const IDLE_MAX_MS = 300_000;
/** After a socket that was open for this long, the next pause is short again. */
const STABLE_MS = 30_000;
/** After this many failed handshakes in a row with a reachable server, a proxy must block WebSockets: poll instead. */
const HANDSHAKES_MAX = 3;
/** An acknowledgement that was sent this long ago has arrived, unless the socket was already dead. */
const CERTAIN_MS = 60_000;
/** How many recent acknowledgements are kept. Each message is fetched first, so fewer are in transit at once. */
const UNCERTAIN_MAX = 50;
/** How long closing a listener may take. */
const CLOSE_MS = 5_000;
/** How many acknowledged messages are remembered in case an acknowledgement was lost: more than can be in transit. */
const ACKED_MAX = 10_000;

/** Iterates over an agent's mail, unread messages first. See `E2AClient.listen`. */
export function listen(
  deps: ListenDeps,
  agent: string,
  options: ListenOptions = {},
): AsyncGenerator<Message, void, undefined> {
  return stoppable(options.signal, (signal) => messagesOf(new Listener(deps, agent, signal, options)));
}

async function* messagesOf(listener: Listener): AsyncGenerator<Message, void, undefined> {
  try {
    for (;;) {
      const message = await listener.next();
      if (!message) continue;
      yield message;
      // A request for the next message means that this one is done.
      await listener.ack(message.id);
    }
  } finally {
    await listener.close();
  }
}

/**
 * Tracks the messages that socket or polling announced, and the acknowledged ones. It connects and polls only when all
 * known messages are done. So a message that is unread then is new, or its acknowledgement was lost.
 */
class Listener {
  private readonly queue: string[] = [];
  private readonly acked = new Set<string>();
  /** Acknowledgements sent by socket, each with its time. */
  private readonly uncertain = new Map<string, number>();
  private readonly backoff: Backoff;
  private socket: Socket | null = null;
  private isPolling: boolean;
  private failedHandshakes = 0;
  private openedAt = Number.POSITIVE_INFINITY;

  constructor(
    private readonly deps: ListenDeps,
    private readonly agent: string,
    private readonly signal: AbortSignal,
    hooks: RetryHooks,
  ) {
    this.backoff = createBackoff(signal, hooks);
    this.isPolling = deps.webSocket === null;
  }

  /** Resolves with the next message once there is one; null if it has been deleted meanwhile. */
  async next(): Promise<Message | null> {
    for (;;) {
      this.signal.throwIfAborted();
      // Another consumer has replaced this one, and now gets the same messages.
      if (this.socket?.closed?.code === 4000)
        throw new ListenerReplacedError(`Another consumer listens to ${this.agent} now.`);
      const id = this.queue.shift();
      if (id === undefined) await (this.isPolling ? this.poll() : this.hear());
      else return this.fetch(id);
    }
  }

  private async fetch(id: string): Promise<Message | null> {
    const { agent, signal } = this;
    try {
      return await this.backoff.persist(() => this.deps.messages.get(id, { agent, peek: true, signal, retries: 0 }));
    } catch (error) {
      if (error instanceof NotFoundError) return null;
      throw error;
    }
  }

  async ack(id: string): Promise<void> {
    this.acked.add(id);
    dropOldest(this.acked, ACKED_MAX);
    await this.markRead(id);
  }

  private async markRead(id: string): Promise<void> {
    if (this.socket && this.sendAck(this.socket, id)) return;
    try {
      await this.backoff.persist(() => this.update(id, this.signal));
    } catch (error) {
      if (!(error instanceof NotFoundError)) throw error;
    }
  }

  private update(id: string, signal: AbortSignal): Promise<unknown> {
    return this.deps.messages.update(id, { status: "read" }, { agent: this.agent, signal, retries: 0 });
  }

  /** Sends an acknowledgement by socket. The socket does not confirm it, so it is remembered for a while. */
  private sendAck(socket: Socket, id: string): boolean {
    if (!socket.send(JSON.stringify({ ack: id }))) return false;
    this.uncertain.delete(id);
    this.uncertain.set(id, performance.now());
    dropOldest(this.uncertain, UNCERTAIN_MAX);
    return true;
  }

  /** Recent acknowledgements, which a broken socket may have lost. Older ones arrived, or the message comes again. */
  private lately(): string[] {
    for (const [id, at] of this.uncertain) if (performance.now() - at > CERTAIN_MS) this.uncertain.delete(id);
    return [...this.uncertain.keys()];
  }

  /** Queues an id from the server. True if it was already acknowledged, so the server has missed that. */
  private take(id: string): boolean {
    if (this.acked.has(id)) return true;
    this.queue.push(id);
    return false;
  }

  private async poll(): Promise<void> {
    const { agent, signal } = this;
    const { messages } = await this.backoff.persist(() =>
      this.deps.messages.wait({ agent, timeout: WAIT_SECONDS, signal, retries: 0 }),
    );
    for (const { message_id } of messages) if (this.take(message_id)) await this.markRead(message_id);
  }

  /** Waits for a frame on the socket, or connects if there is no socket. Resolves when the queue may have changed. */
  private async hear(): Promise<void> {
    if (!this.socket || this.socket.closed) await this.connect();
    else if ((await this.socket.news(IDLE_MAX_MS, this.signal)) === "idle") await this.drop();
  }

  private async connect(): Promise<void> {
    const { http, webSocket } = this.deps;
    const url = path`/api/v1/agents/${this.agent}/ws`;
    const before = this.socket?.closed;
    if (before) {
      if (performance.now() - this.openedAt > STABLE_MS) this.backoff.reset();
      await this.afterClose(url, before);
    }
    if (this.isPolling || !webSocket) return;
    this.openedAt = Number.POSITIVE_INFINITY;
    const socket = openSocket(webSocket, http.options, url, (text, socket) => {
      this.backoff.reset();
      const id = idIn(text);
      if (id !== null && this.take(id)) this.sendAck(socket, id);
    });
    this.socket = socket;
    if (await socket.opened(http.options.timeoutMs, this.signal)) {
      this.failedHandshakes = 0;
      this.openedAt = performance.now();
    } else this.failedHandshakes += 1;
  }

  /** Waits before a new connection, or throws if it is pointless. A plain request tells why a handshake failed. */
  private async afterClose(url: string, { code, reason }: Closed): Promise<void> {
    if (this.failedHandshakes > 0 || code === 1008) {
      try {
        await this.backoff.persist(() => this.deps.http.json(url, {}, { signal: this.signal, retries: 0 }));
      } catch (error) {
        // 426 means "this path is for WebSockets": key and agent are valid.
        if (!(error instanceof APIError) || error.status !== 426) throw error;
        if (this.failedHandshakes >= HANDSHAKES_MAX) this.isPolling = true;
      }
    }
    await this.backoff.wait(new ConnectionClosedError(code, reason, this.deps.http.options.origin));
  }

  /** Closes the socket, so that `hear` connects again. True if the server has received everything sent on it. */
  private async drop(): Promise<boolean> {
    const { socket } = this;
    this.socket = null;
    return (await socket?.close()) ?? false;
  }

  /** Closes the listener. Repeats acknowledgements that may have been lost with a broken socket. */
  async close(): Promise<void> {
    if (await this.drop()) return;
    const signal = AbortSignal.timeout(CLOSE_MS);
    await Promise.allSettled(this.lately().map((id) => this.update(id, signal)));
  }
}

function idIn(text: string): string | null {
  try {
    const id = (JSON.parse(text) as { message_id?: unknown } | null)?.message_id;
    return typeof id === "string" ? id : null;
  } catch {
    return null;
  }
}
