/** A webhook endpoint that takes everything at once and remembers when which message came. */
import { answerCalls, wallMs } from "./child.ts";

export interface Arrival {
  /** When the last byte of the request was here, by `wallMs`. */
  at: number;
  verified: boolean;
}

let arrivals = new Map<string, Arrival>();
let duplicates = 0;
let reached = () => {};
let wanted = Number.POSITIVE_INFINITY;

const server = Bun.serve({
  hostname: "127.0.0.1",
  port: 0,
  async fetch(request) {
    await request.arrayBuffer();
    const id = request.headers.get("x-e2a-auth-message-id") ?? "";
    if (arrivals.has(id)) duplicates += 1;
    else arrivals.set(id, { at: wallMs(), verified: request.headers.get("x-e2a-auth-verified") === "true" });
    if (arrivals.size >= wanted) reached();
    return new Response(null, { status: 204 });
  },
});

const handlers = {
  url: (_: null) => `http://127.0.0.1:${server.port}/hook`,
  /** Resolves when `count` different messages have come since the last `take`. */
  async waitFor(count: number) {
    if (arrivals.size >= count) return;
    wanted = count;
    await new Promise<void>((resolve) => {
      reached = resolve;
    });
    wanted = Number.POSITIVE_INFINITY;
  },
  /** Gives what came by message id, and forgets it. */
  take(_: null) {
    const taken = { arrivals, duplicates };
    arrivals = new Map();
    duplicates = 0;
    return taken;
  },
};

export type SinkHandlers = typeof handlers;

answerCalls(handlers);
