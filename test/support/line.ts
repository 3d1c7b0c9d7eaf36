import { createConnection, createServer, type Socket } from "node:net";

/** A TCP proxy to a server, which a test can cut and restore. */
export interface Line extends AsyncDisposable {
  /** The same URL with the proxy's host and port. */
  urlOf(url: string): string;
  /** Breaks all open connections; new ones are closed at once. */
  cut(): void;
  mend(): void;
  /** Stops forwarding without closing connections, until it is cut. */
  freeze(): void;
  /** Waits for the nth connection attempt since the cut; resolves with its time in milliseconds. */
  attempt(nth: number): Promise<number>;
}

/** Starts a proxy on loopback to the host and port of `url`. */
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
