/** A webhook endpoint that accepts everything at once and records when each message arrived. */
import { answerCalls, wallMs } from "./child.ts";

export interface Arrival {
  /** When the last byte of the request had arrived, by `wallMs`. */
  at: number;
  verified: boolean;
}

let bySubject = false;
let arrivals = new Map<string, Arrival>();
let duplicates = 0;
let reached = () => {};
let wanted = Number.POSITIVE_INFINITY;

const server = Bun.serve({
  hostname: "127.0.0.1",
  port: 0,
  async fetch(request) {
    const body = await request.arrayBuffer();
    const at = wallMs();
    const { headers } = request;
    const key = bySubject ? subjectOf(body) : (headers.get("x-e2a-auth-message-id") ?? "");
    if (arrivals.has(key)) duplicates += 1;
    else arrivals.set(key, { at, verified: headers.get("x-e2a-auth-verified") === "true" });
    if (arrivals.size >= wanted) reached();
    return new Response(null, { status: 204 });
  },
});

const subjectOf = (body: ArrayBuffer) => (JSON.parse(Buffer.from(body).toString()) as { subject: string }).subject;

const handlers = {
  /** Starts it and returns its URL. Messages are identified by the product's id or by the sender's subject. */
  start({ keyed }: { keyed: "by message id" | "by subject" }) {
    bySubject = keyed === "by subject";
    return `http://127.0.0.1:${server.port}/hook`;
  },
  /** Resolves when `count` different messages have arrived since the last `take`. */
  async waitFor(count: number) {
    if (arrivals.size >= count) return;
    wanted = count;
    await new Promise<void>((resolve) => {
      reached = resolve;
    });
    wanted = Number.POSITIVE_INFINITY;
  },
  /** Returns the arrivals by key, and forgets them. */
  take(_: null) {
    const taken = { arrivals, duplicates };
    arrivals = new Map();
    duplicates = 0;
    return taken;
  },
};

export type SinkHandlers = typeof handlers;

answerCalls(handlers);
