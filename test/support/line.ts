import { createConnection, createServer, type Socket } from "node:net";

/** A TCP line to a server that a test can cut and mend. */
export interface Line extends AsyncDisposable {
  /** The same URL with the line's near end as host and port. */
  urlOf(url: string): string;
  /** Breaks what is open; whoever connects from now on is hung up on. */
  cut(): void;
  mend(): void;
  /** Carries nothing more, and breaks nothing, until it is cut. */
  freeze(): void;
  /** When the nth connection since the cut was attempted, in milliseconds; waits for it. */
  attempt(nth: number): Promise<number>;
}

/** Lays a line on loopback to the host and port of `url`. */
export async function cuttableLine(url: string): Promise<Line> {
  const far = new URL(url);
  const open = new Set<Socket>();
  let isCut = false;
  let attempts: PromiseWithResolvers<number>[] = [];
  let made = 0;
  const slot = (index: number) => {
    attempts[index] ??= Promise.withResolvers<number>();
    return attempts[index];
  };

  const server = createServer((near) => {
    near.on("error", () => {});
    if (isCut) {
      near.destroy();
      slot(made++).resolve(performance.now());
      return;
    }
    const on = createConnection(Number(far.port), far.hostname);
    for (const [one, other] of [
      [near, on],
      [on, near],
    ] as const) {
      open.add(one);
      one.on("error", () => other.destroy());
      one.on("close", () => {
        open.delete(one);
        other.destroy();
      });
      one.pipe(other);
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };

  return {
    urlOf(through) {
      const changed = new URL(through);
      changed.host = `127.0.0.1:${port}`;
      return changed.href;
    },
    cut() {
      isCut = true;
      attempts = [];
      made = 0;
      for (const socket of open) socket.destroy();
    },
    mend() {
      isCut = false;
    },
    freeze() {
      for (const socket of open) {
        socket.unpipe();
        socket.pause();
      }
    },
    attempt: (nth) => slot(nth - 1).promise,
    async [Symbol.asyncDispose]() {
      for (const socket of open) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
