/** The part of WebSocket that the SDK uses. Browsers, Node, Bun, Deno and the package `ws` have it. */
export interface WebSocketLike {
  readonly readyState: number;
  send(data: string): void;
  close(code?: number, reason?: string): void;
  /** Only Bun and `ws` have these two. */
  ping?(): void;
  terminate?(): void;
  addEventListener(type: "open" | "error", listener: () => void): void;
  addEventListener(type: "message", listener: (event: { data: unknown }) => void): void;
  addEventListener(type: "close", listener: (event: { code: number; reason: string }) => void): void;
}

export type WebSocketConstructor = new (url: string) => WebSocketLike;

/** How long to wait for the closing handshake. */
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
  /** How it ended; null while it is open or connecting. */
  readonly closed: Closed | null;
  /** Resolves when the handshake is over: true if the socket is open. */
  opened(timeoutMs: number, signal: AbortSignal): Promise<boolean>;
  /**
   * Resolves with "news" on the next frame or the end; with "idle" if neither comes in time and the runtime cannot
   * detect a dead connection. Rejects when aborted.
   */
  news(idleMs: number, signal: AbortSignal): Promise<"news" | "idle">;
  /** Sends a frame. False if the socket is not open. */
  send(text: string): boolean;
  /** Closes the socket. True if the other side confirmed it, and so has received everything sent before. */
  close(): Promise<boolean>;
}

/** Connects to a path of the server. Calls `onText` for each frame, and `onClosed` at the end. */
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
  /** Frames since the last call of `news`. */
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
  /** Gives up a socket that does not respond; ends the connection at once if the runtime can. */
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
      const late = performance.now() + timeoutMs;
      while (socket.readyState !== OPEN && !closed)
        if ((await within(happened(), late - performance.now(), signal)) === "late") cut();
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
      const late = performance.now() + CLOSE_MS;
      socket.close(1000);
      while (!closed) if ((await within(happened(), late - performance.now(), null)) === "late") cut();
      return [1000, 1005].includes((closed as Closed).code);
    },
  };

  socket.addEventListener("open", () => wake());
  // A close event follows, except in some versions of Node after a failed handshake.
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

/** Ping interval. The server must answer (RFC 6455 5.5.3), so more than two missed pings mean a dead connection. */
const PING_MS = 30_000;
const SILENCE_MAX_MS = 75_000;

/** Pings the other side, and calls `onDead` if it stays silent. Returns a stop function; null if it cannot ping. */
function keepAlive(socket: WebSocketLike, onDead: () => void): (() => void) | null {
  if (!socket.ping || !("Bun" in globalThis)) return null;
  let heardAt = performance.now();
  const listen = socket.addEventListener as (type: string, listener: () => void) => void;
  for (const type of ["open", "ping", "pong", "message"])
    listen.call(socket, type, () => {
      heardAt = performance.now();
    });
  const pulse = setInterval(() => {
    if (performance.now() - heardAt > SILENCE_MAX_MS) onDead();
    else if (socket.readyState === OPEN) socket.ping?.();
  }, PING_MS);
  return () => clearInterval(pulse);
}

/** Makes the socket. Sends the key as a header if the runtime can set one; else in the URL, which proxies may log. */
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

/** Resolves with "late" after `ms`; rejects when aborted. */
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
