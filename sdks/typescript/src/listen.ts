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
  /** Ends the iteration; it rejects with the signal's reason. */
  signal?: AbortSignal | undefined;
}

export interface ListenDeps {
  http: Http;
  messages: Messages;
  /** Null: there are none here, so long polls take their place. */
  webSocket: WebSocketConstructor | null;
}

/** Under the minute after which proxies commonly give a silent request up. */
const WAIT_SECONDS = 50;
/** A socket that has been silent for this long may be dead without anybody having told us: it is replaced. */
const IDLE_MAX_MS = 300_000;
/** A socket that was open for this long was a good one, so the next pause is a short one. */
const STABLE_MS = 30_000;
/** Handshakes in a row that fail although the server itself can be reached: something between does not know WebSocket. */
const HANDSHAKES_MAX = 3;
/** An acknowledgement that was sent so long ago arrived, unless the socket was dead already. */
const CERTAIN_MS = 60_000;
/** As many of them are remembered: more are not on their way at once, as each message is fetched in between. */
const UNCERTAIN_MAX = 50;
/** How long the end of a listener may take. */
const CLOSE_MS = 5_000;
/** Acknowledged messages that are remembered, in case the server did not hear of it: more than can be on their way. */
const ACKED_MAX = 10_000;

/** An agent's mail as it comes: what is unread first. See `E2AClient.listen`. */
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
      // Whoever asks for the next one is done with this one.
      await listener.ack(message.id);
    }
  } finally {
    await listener.close();
  }
}

/**
 * Knows which messages are to come, by socket or by polling, and what was acknowledged. It connects and polls only when
 * all that it knows of is done, so that what is unread then is new, or was acknowledged without the server's hearing of it.
 */
class Listener {
  private readonly queue: string[] = [];
  private readonly acked = new Set<string>();
  /** Acknowledgements sent by socket, and when. */
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

  /** The next message, once there is one; null when it was deleted meanwhile. */
  async next(): Promise<Message | null> {
    for (;;) {
      this.signal.throwIfAborted();
      // Its successor gets the same messages now.
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

  /** By the socket, which does not say whether it arrived: until that is certain it is remembered. */
  private sendAck(socket: Socket, id: string): boolean {
    if (!socket.send(JSON.stringify({ ack: id }))) return false;
    this.uncertain.delete(id);
    this.uncertain.set(id, Date.now());
    dropOldest(this.uncertain, UNCERTAIN_MAX);
    return true;
  }

  /** Acknowledgements that may have been lost with a socket. What is older arrived, or the server shows it again. */
  private lately(): string[] {
    for (const [id, at] of this.uncertain) if (Date.now() - at > CERTAIN_MS) this.uncertain.delete(id);
    return [...this.uncertain.keys()];
  }

  /** Takes an id from the server. True when it was acknowledged before, of which the server has not heard. */
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

  /** Waits for a frame on the socket; connects when there is none. Returns when it is worth looking again. */
  private async hear(): Promise<void> {
    if (!this.socket || this.socket.closed) await this.connect();
    else if ((await this.socket.news(IDLE_MAX_MS, this.signal)) === "idle") await this.drop();
  }

  private async connect(): Promise<void> {
    const { http, webSocket } = this.deps;
    const url = path`/api/v1/agents/${this.agent}/ws`;
    const before = this.socket?.closed;
    if (before) {
      if (Date.now() - this.openedAt > STABLE_MS) this.backoff.reset();
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
      this.openedAt = Date.now();
    } else this.failedHandshakes += 1;
  }

  /** Whether and when to connect again. A socket does not say why a handshake failed, a plain request does. */
  private async afterClose(url: string, { code, reason }: Closed): Promise<void> {
    if (this.failedHandshakes > 0 || code === 1008) {
      try {
        await this.backoff.persist(() => this.deps.http.json(url, {}, { signal: this.signal, retries: 0 }));
      } catch (error) {
        // "This path is for WebSockets": the key and the agent are good.
        if (!(error instanceof APIError) || error.status !== 426) throw error;
        if (this.failedHandshakes >= HANDSHAKES_MAX) this.isPolling = true;
      }
    }
    await this.backoff.wait(new ConnectionClosedError(code, reason, this.deps.http.options.origin));
  }

  /** Lets go of a socket, so that the next look connects anew. True when the server took all that was sent. */
  private async drop(): Promise<boolean> {
    const { socket } = this;
    this.socket = null;
    return (await socket?.close()) ?? false;
  }

  /** What was acknowledged on a socket that broke is told once more. */
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
