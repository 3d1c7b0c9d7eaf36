/** The part of a WebSocket that is used here; browsers', Node's, Bun's, Deno's and that of the package `ws` have it. */
export interface WebSocketLike {
  readonly readyState: number;
  send(data: string): void;
  close(code?: number, reason?: string): void;
  /** Bun's and that of `ws` have these two. */
  ping?(): void;
  terminate?(): void;
  addEventListener(type: "open" | "error", listener: () => void): void;
  addEventListener(type: "message", listener: (event: { data: unknown }) => void): void;
  addEventListener(type: "close", listener: (event: { code: number; reason: string }) => void): void;
}

export type WebSocketConstructor = new (url: string) => WebSocketLike;

/** How long a closing handshake may take before it is not waited for any more. */
const CLOSE_MS = 2_000;
const OPEN = 1;
const lost: Closed = { code: 1006, reason: "" };

/** How a socket ended (RFC 6455 7.1). */
export interface Closed {
  code: number;
  reason: string;
}

/** A WebSocket that can be awaited. */
export interface Socket {
  /** How it ended; null while it has not. */
  readonly closed: Closed | null;
  /** Resolves when the handshake is over: true when it is open. */
  opened(timeoutMs: number, signal: AbortSignal): Promise<boolean>;
  /** Resolves with the next frame or the end; with "idle" when neither comes in time, and silence may mean a dead line. Rejects when aborted. */
  news(idleMs: number, signal: AbortSignal): Promise<"news" | "idle">;
  /** False when it is not open. */
  send(text: string): boolean;
  /** Closes. True when the other side agreed, and so has taken all that was sent before. */
  close(): Promise<boolean>;
}

/** Connects to a path of the server. `onText` is called for each frame, `onClosed` at the end. */
export function openSocket(
  Constructor: WebSocketConstructor,
  server: { origin: string; apiKey: string },
  path: string,
  onText: (text: string, socket: Socket) => void,
  onClosed: () => void = () => {},
): Socket {
  const socket = construct(Constructor, `${server.origin.replace(/^http/, "ws")}${path}`, server.apiKey);
  let closed: Closed | null = null;
  let wake: () => void = () => {};
  /** Frames since somebody looked. */
  let unseen = 0;

  const happened = (): Promise<void> =>
    new Promise((resolve) => {
      wake = resolve;
    });

  const end = (how: Closed): void => {
    if (closed) return;
    closed = how;
    stopPulse?.();
    onClosed();
    wake();
  };
  /** For one that does not answer: the line is cut, where that can be done. */
  const cut = (): void => {
    if (socket.terminate) socket.terminate();
    else socket.close();
    end(lost);
  };
  const stopPulse = keepAlive(socket, cut);

  const it: Socket = {
    get closed() {
      return closed;
    },
    async opened(timeoutMs, signal) {
      const late = Date.now() + timeoutMs;
      while (socket.readyState !== OPEN && !closed)
        if ((await within(happened(), late - Date.now(), signal)) === "late") cut();
      return socket.readyState === OPEN;
    },
    async news(idleMs, signal) {
      while (unseen === 0 && !closed)
        if ((await within(happened(), idleMs, signal)) === "late" && !stopPulse) return "idle";
      unseen = 0;
      return "news";
    },
    send(text) {
      if (socket.readyState !== OPEN) return false;
      socket.send(text);
      return true;
    },
    async close() {
      if (closed) return false;
      const late = Date.now() + CLOSE_MS;
      socket.close(1000);
      while (!closed) if ((await within(happened(), late - Date.now(), null)) === "late") cut();
      return [1000, 1005].includes((closed as Closed).code);
    },
  };

  socket.addEventListener("open", () => wake());
  // A close follows, but in some versions of Node not when the handshake failed.
  socket.addEventListener("error", () => {
    if (socket.readyState !== OPEN) end(lost);
    wake();
  });
  socket.addEventListener("message", ({ data }) => {
    unseen += 1;
    onText(String(data), it);
    wake();
  });
  socket.addEventListener("close", ({ code, reason }) => end({ code, reason }));
  return it;
}

/** We ping this often; a server must answer (RFC 6455 5.5.3), so silence of more than two pings is a dead line. */
const PING_MS = 30_000;
const SILENCE_MAX_MS = 75_000;

/** Finds out whether the other side is still there. Returns what ends that; null where the runtime cannot ping. */
function keepAlive(socket: WebSocketLike, onDead: () => void): (() => void) | null {
  if (!socket.ping || !("Bun" in globalThis)) return null;
  let heardAt = Date.now();
  const listen = socket.addEventListener as (type: string, listener: () => void) => void;
  for (const type of ["open", "ping", "pong", "message"])
    listen.call(socket, type, () => {
      heardAt = Date.now();
    });
  const pulse = setInterval(() => {
    if (Date.now() - heardAt > SILENCE_MAX_MS) onDead();
    else if (socket.readyState === OPEN) socket.ping?.();
  }, PING_MS);
  return () => clearInterval(pulse);
}

/** Where headers can be set, the key is one; else it goes with the URL, which proxies may write to their logs. */
function construct(Constructor: WebSocketConstructor, url: string, apiKey: string): WebSocketLike {
  const { Bun, Deno, process } = globalThis as {
    Bun?: unknown;
    Deno?: unknown;
    process?: { release?: { name?: string } };
  };
  const takesHeaders = Bun !== undefined || (process?.release?.name === "node" && Deno === undefined);
  if (takesHeaders && (Constructor as unknown) === (globalThis as { WebSocket?: unknown }).WebSocket) {
    const WithHeaders = Constructor as unknown as new (url: string, options: object) => WebSocketLike;
    return new WithHeaders(url, { headers: { authorization: `Bearer ${apiKey}` } });
  }
  return new Constructor(`${url}?token=${encodeURIComponent(apiKey)}`);
}

/** "late" when it takes longer; rejects when aborted. */
function within(happened: Promise<void>, ms: number, signal: AbortSignal | null): Promise<"done" | "late"> {
  return new Promise((resolve, reject) => {
    const end = () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", stop);
    };
    const stop = () => {
      end();
      reject(signal?.reason);
    };
    if (signal?.aborted) return reject(signal.reason);
    const timer = setTimeout(() => {
      end();
      resolve("late");
    }, ms);
    signal?.addEventListener("abort", stop);
    void happened.then(() => {
      end();
      resolve("done");
    });
  });
}
