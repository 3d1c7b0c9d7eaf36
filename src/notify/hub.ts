import type { Signal } from "../store/engine/engine.ts";
import type { Store } from "../store/store.ts";
import type { Clock } from "../util/clock.ts";
import type { Log } from "../util/log.ts";
import { createAcks } from "./acks.ts";
import { Consumer, type Listened } from "./consumer.ts";
import type { EventFeed, EventQuery } from "./event-feed.ts";
import { EventReader } from "./event-reader.ts";
import { CLOSE, type HubSocket, type LiveSocket, type Proof } from "./live-socket.ts";
import { createScheduler } from "./scheduler.ts";

/** Sockets that read from the store at the same time: few, so that waking all of them leaves room for other work. */
const READERS_MAX = 4;
/** Consumers that one transaction announces to the other nodes. */
const ANNOUNCED_AT_ONCE = 500;
/** How often one timer checks all sockets for pings, expiry and slow readers: 0.1 ms of each second for 10,000. */
const TICK_MS = 1_000;

/** One socket's connection. The HTTP side passes on the socket's events. */
export interface HubConnection {
  /** `text` is null for a binary message. */
  onMessage(text: string | null): void;
  onPing(): void;
  onPong(): void;
  onDrain(): void;
  onClose(): void;
}

export interface Hub {
  /** Makes this socket the agent's one consumer; an older one, on any node, is closed with 4000. */
  attach(agent: Listened, proof: Proof, socket: HubSocket): HubConnection;
  /** Lets this socket follow an event log; the number of followers is not limited. */
  follow(query: Pick<EventQuery, "owner" | "types" | "after">, proof: Proof, socket: HubSocket): HubConnection;
  /** Whether the agent's consumer on this node has this proof: another one with the same proof replaces it. */
  listens(agentId: string, proofId: string): boolean;
  /** Resolves when the agent may have new mail, or after `timeoutMs`, or when `signal` aborts. */
  waitForMail(agentId: string, timeoutMs: number, signal?: AbortSignal): Promise<void>;
  /** Closes every socket with 1001 and stops. Resolves when all received acks are stored. */
  close(): Promise<void>;
}

/**
 * Creates the WebSocket hub. It sends each agent's one consumer the agent's messages, unread ones first, then live, and
 * it sends followers of an event log the log's new events.
 *
 * A consumer has a position in the agent's sequence of messages and continues from there whenever it is woken. Sequence
 * numbers follow commit order, so no message is skipped or sent twice; a lost wake-up costs time, never a message.
 */
export function createHub({ feed, ...deps }: { store: Store; feed: EventFeed; clock: Clock; log: Log }): Hub {
  const { store, clock, log } = deps;
  const consumers = new Map<string, Consumer>();
  const readers = new Set<EventReader>();
  const waiting = new Map<string, Set<() => void>>();
  const scheduler = createScheduler<LiveSocket>(READERS_MAX, (socket) => socket.turn());
  const revoked = new Set<string>();
  const name = crypto.randomUUID();
  const unannounced = new Set<Consumer>();
  let announcing = false;
  let attached = 0;
  let stopTicking: (() => void) | null = null;
  let closed = false;
  const acks = createAcks(deps);
  const shared = {
    ...deps,
    scheduler,
    ended(socket: LiveSocket) {
      if (socket instanceof EventReader) readers.delete(socket);
      if (!(socket instanceof Consumer)) return;
      const { agent } = socket;
      if (consumers.get(agent.id)?.ended) consumers.delete(agent.id);
    },
  };

  const unsubscribe = store.onSignal((signal) => {
    if (signal.topic === "mail") wake(signal.key);
    if (signal.topic === "consumer") meet(signal);
    if (signal.topic === "keys") revoke(signal.key);
    if (signal.topic === "agent") consumers.get(signal.key)?.doubt();
    if (signal.topic === "events")
      for (const reader of readers) if (signal.key === "" || reader.userId === signal.key) reader.wake();
  });

  function wake(agentId: string) {
    const agents = agentId === "" ? new Set([...consumers.keys(), ...waiting.keys()]) : [agentId];
    for (const agent of agents) {
      consumers.get(agent)?.wake();
      for (const resolve of waiting.get(agent) ?? []) resolve();
    }
  }

  function revoke(proofId: string) {
    // With an empty key, signals may have been missed, so any proof may be void.
    if (proofId === "") for (const socket of all()) socket.doubt();
    // Deleting an account revokes many keys at once; the sockets are walked once for all of them.
    if (revoked.size === 0) queueMicrotask(closeRevoked);
    revoked.add(proofId);
  }

  function closeRevoked() {
    for (const socket of all()) if (revoked.has(socket.proof.id)) socket.revoked();
    revoked.clear();
  }

  // A newer consumer on this hub replaces the older one immediately, in `attach`.
  function meet({ key }: Signal) {
    const [agentId = "", id = "", since] = key.split(" ");
    if (!id.startsWith(name)) consumers.get(agentId)?.meet(id, Number(since));
  }

  function announce(consumer: Consumer) {
    // With SQLite there are no other nodes.
    if (store.dialect === "sqlite") return consumer.announced(0);
    unannounced.add(consumer);
    if (!announcing) void announceAll();
  }

  /** One transaction at a time, each with all consumers that were attached during the previous one. */
  async function announceAll() {
    announcing = true;
    while (unannounced.size > 0) {
      const some = [...unannounced].slice(0, ANNOUNCED_AT_ONCE);
      for (const consumer of some) unannounced.delete(consumer);
      try {
        const here = some.filter(({ ended }) => !ended);
        const now = await store.announceConsumers(
          here.map(({ agent, id, since }) => ({ agentId: agent.id, id, since })),
        );
        for (const consumer of here) consumer.announced(now);
      } catch (error) {
        if (!closed) log.error("websocket.announce_failed", {}, error);
        for (const consumer of some) consumer.close(CLOSE.internal, "internal error");
      }
    }
    announcing = false;
  }

  function tick() {
    stopTicking = consumers.size + readers.size > 0 ? clock.after(TICK_MS, tick) : null;
    for (const socket of all()) socket.tick();
  }

  function* all(): Generator<LiveSocket> {
    yield* consumers.values();
    yield* readers;
  }

  return {
    attach(agent, proof, socket) {
      const consumer = new Consumer(`${name}.${attached++}`, agent, proof, socket, shared, acks, announce);
      if (closed) {
        consumer.close(CLOSE.goingAway, "shutting down");
        return consumer;
      }
      consumers.get(agent.id)?.close(CLOSE.replaced, "replaced");
      consumers.set(agent.id, consumer);
      stopTicking ??= clock.after(TICK_MS, tick);
      consumer.doubt();
      return consumer;
    },
    follow(query, proof, socket) {
      const reader = new EventReader(query, feed, proof, socket, shared);
      if (closed) {
        reader.close(CLOSE.goingAway, "shutting down");
        return reader;
      }
      readers.add(reader);
      stopTicking ??= clock.after(TICK_MS, tick);
      reader.doubt();
      return reader;
    },
    listens: (agentId, proofId) => consumers.get(agentId)?.proof.id === proofId,
    waitForMail(agentId, timeoutMs, signal) {
      return new Promise((resolve) => {
        const agentWaiters = waiting.get(agentId) ?? new Set<() => void>();
        waiting.set(agentId, agentWaiters);
        const done = () => {
          agentWaiters.delete(done);
          if (agentWaiters.size === 0 && waiting.get(agentId) === agentWaiters) waiting.delete(agentId);
          cancel();
          signal?.removeEventListener("abort", done);
          resolve();
        };
        const cancel = clock.after(timeoutMs, done);
        agentWaiters.add(done);
        signal?.addEventListener("abort", done);
      });
    },
    async close() {
      closed = true;
      unsubscribe();
      stopTicking?.();
      for (const socket of [...all()]) socket.close(CLOSE.goingAway, "shutting down");
      for (const waiters of [...waiting.values()]) for (const resolve of [...waiters]) resolve();
      await acks.stored();
    },
  };
}
