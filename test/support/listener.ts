import { within } from "./until.ts";

/** A WebSocket consumer for tests. Keeps every frame, and lets a test wait for one. */
export interface Listener extends AsyncDisposable {
  // biome-ignore lint/suspicious/noExplicitAny: a test reads the shape that it expects, and fails if it differs.
  readonly frames: any[];
  readonly opened: Promise<void>;
  readonly closed: Promise<{ code: number; reason: string }>;
  /** Resolves when `count` frames have arrived in total. */
  reached(count: number): Promise<void>;
  send(value: unknown): void;
  close(): void;
}

/** Connects to an agent's WebSocket; `onFrame` may act while frames arrive. */
export function listen(httpUrl: string, agent: string, key: string): Listener {
  const url = `${httpUrl.replace(/^http/, "ws")}/api/v1/agents/${agent}/ws`;
  const socket = new WebSocket(url, { headers: { authorization: `Bearer ${key}` } } as never);
  const frames: unknown[] = [];
  const waiting: { count: number; resolve: () => void }[] = [];
  socket.addEventListener("message", ({ data }) => {
    frames.push(JSON.parse(String(data)));
    for (const waiter of waiting) if (frames.length >= waiter.count) waiter.resolve();
  });
  const closed = new Promise<{ code: number; reason: string }>((resolve) =>
    socket.addEventListener("close", ({ code, reason }) => resolve({ code, reason })),
  );
  return {
    frames,
    opened: new Promise((resolve) => socket.addEventListener("open", () => resolve())),
    closed,
    reached(count) {
      if (frames.length >= count) return Promise.resolve();
      const there = new Promise<void>((resolve) => waiting.push({ count, resolve }));
      return within(there, () => `${count} frames, and there are ${frames.length}: ${Bun.inspect(frames)}`);
    },
    send: (value) => socket.send(JSON.stringify(value)),
    close: () => socket.close(),
    async [Symbol.asyncDispose]() {
      socket.close();
      await closed;
    },
  };
}
