import { within } from "./until.ts";

/** A webhook endpoint for tests. Keeps every request, and answers as configured. */
export interface Sink extends AsyncDisposable {
  readonly url: string;
  readonly requests: SinkRequest[];
  /** Answers the next requests. Default: 204 for all. */
  answer: (request: SinkRequest) => Response | Promise<Response>;
  /** Resolves when `count` requests have arrived in total. */
  reached(count: number): Promise<void>;
}

export interface SinkRequest {
  headers: Record<string, string>;
  text: string;
  // biome-ignore lint/suspicious/noExplicitAny: a test reads the shape that it expects, and fails if it differs.
  body: any;
}

/** Starts a sink on loopback. */
export function startSink(): Sink {
  const requests: SinkRequest[] = [];
  const waiting: { count: number; resolve: () => void }[] = [];
  const sink: Sink = {
    url: "",
    requests,
    answer: () => new Response(null, { status: 204 }),
    reached(count) {
      if (requests.length >= count) return Promise.resolve();
      const there = new Promise<void>((resolve) => waiting.push({ count, resolve }));
      return within(there, () => `${count} requests, and there were ${requests.length}`);
    },
    async [Symbol.asyncDispose]() {
      await server.stop(true);
    },
  };
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    idleTimeout: 0,
    async fetch(incoming) {
      const text = await incoming.text();
      const request = { headers: Object.fromEntries(incoming.headers), text, body: JSON.parse(text) };
      requests.push(request);
      for (const waiter of waiting) if (requests.length >= waiter.count) waiter.resolve();
      return sink.answer(request);
    },
  });
  return Object.assign(sink, { url: `http://127.0.0.1:${server.port}/mail` });
}
