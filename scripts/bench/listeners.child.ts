/** Many agents' programs, which listen on WebSockets at the same time. */
import { answerCalls, wallMs } from "./child.ts";
import { createListeners, type Heard, type ListenerGroup } from "./listener-socket.ts";

export interface ListenOrder {
  port: number;
  key: string;
  /** Addresses, one socket each. */
  agents: string[];
  /** Concurrent handshakes. */
  atOnce: number;
}

let listeners: ListenerGroup | null = null;
let heard: Heard[] = [];
let reached = () => {};
let wanted = Number.POSITIVE_INFINITY;

const handlers = {
  /** Opens all sockets and returns how long that took. */
  async connect({ port, key, agents, atOnce }: ListenOrder) {
    const group = createListeners({ port, key }, (one) => {
      heard.push(one);
      if (heard.length >= wanted) reached();
    });
    listeners = group;
    const startedAt = wallMs();
    let next = 0;
    await Promise.all(
      Array.from({ length: atOnce }, async () => {
        for (let n = next++; n < agents.length; n = next++) await group.open(n, agents[n] as string);
      }),
    );
    return { seconds: (wallMs() - startedAt) / 1000 };
  },
  /** Resolves when `count` frames have arrived since the last `take`. */
  async waitFor(count: number) {
    if (heard.length >= count) return;
    wanted = count;
    await new Promise<void>((resolve) => {
      reached = resolve;
    });
    wanted = Number.POSITIVE_INFINITY;
  },
  /** Returns the frames heard so far, and forgets them. */
  take(_: null) {
    const taken = heard;
    heard = [];
    return taken;
  },
  /** How many sockets the server has closed so far. */
  closed: (_: null) => listeners?.closed() ?? 0,
};

export type ListenersHandlers = typeof handlers;

answerCalls(handlers);
