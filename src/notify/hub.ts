import type { Clock } from "../clock.ts";
import type { Log } from "../log.ts";
import type { Signal } from "../store/engine.ts";
import type { MessageRow } from "../store/schema.ts";
import type { Store } from "../store/store.ts";

/** Messages read from the store at once; more come as the socket takes them. */
const PAGE = 100;
/** A consumer that has not answered a ping by the next one is gone. */
const PING_INTERVAL_MS = 30_000;
/** Longest text a client may send; an ack is 45 characters. */
const CLIENT_TEXT_MAX = 1_024;

/** Close codes beside the standard ones of RFC 6455 7.4.1. */
const CLOSE = { goingAway: 1001, policy: 1008, internal: 1011, replaced: 4000 } as const;

/** What the hub needs of a WebSocket; Bun's ServerWebSocket fits. */
export interface HubSocket {
  /** Returns the bytes queued, 0 when dropped, -1 under back-pressure. */
  send(frame: string): number;
  ping(): void;
  close(code: number, reason: string): void;
}

/** One consumer's connection; the door passes on what the socket hears. */
export interface HubConnection {
  onMessage(text: string): void;
  onPong(): void;
  onDrain(): void;
  onClose(): void;
}

export interface Hub {
  /** Makes this socket the agent's one consumer; an older one, on any node, is closed with 4000. */
  attach(agentId: string, keyId: string | null, socket: HubSocket): HubConnection;
  /** Resolves when the agent may have new mail, or after `timeoutMs`, or when `signal` aborts. */
  waitForMail(agentId: string, timeoutMs: number, signal?: AbortSignal): Promise<void>;
  /** Closes every socket with 1001 and stops. */
  close(): void;
}

interface Consumer {
  readonly id: string;
  readonly keyId: string | null;
  wake(): void;
  close(code: number, reason: string): void;
}

/**
 * The WebSocket hub: tells each agent's one consumer about its messages, unread ones first, then live.
 *
 * A consumer has a position in the agent's sequence of messages and reads on from there whenever
 * it is woken. Sequence numbers follow commit order, so nothing is skipped and nothing comes twice;
 * a lost wake-up costs time, never a message.
 */
export function createHub(deps: { store: Store; clock: Clock; log: Log }): Hub {
  const { store, clock, log } = deps;
  const consumers = new Map<string, Consumer>();
  const waiting = new Map<string, Set<() => void>>();

  const unsubscribe = store.onSignal((signal) => {
    if (signal.topic === "mail") wake(signal.key);
    if (signal.topic === "consumer") replaceOlder(signal);
    if (signal.topic === "keys")
      for (const consumer of consumers.values())
        if (consumer.keyId === signal.key) consumer.close(CLOSE.policy, "key revoked");
    if (signal.topic === "agent" && consumers.has(signal.key))
      void store.getAgent(signal.key).then((agent) => {
        if (!agent) consumers.get(signal.key)?.close(CLOSE.policy, "agent deleted");
      });
  });

  function wake(agentId: string) {
    const agents = agentId === "" ? new Set([...consumers.keys(), ...waiting.keys()]) : [agentId];
    for (const agent of agents) {
      consumers.get(agent)?.wake();
      for (const resolve of waiting.get(agent) ?? []) resolve();
    }
  }

  function replaceOlder(signal: Signal) {
    const [agentId = "", id] = signal.key.split(" ");
    const current = consumers.get(agentId);
    // Ids sort by time: what an older one announced may come after a newer one is here.
    if (current && id && current.id < id) current.close(CLOSE.replaced, "replaced");
  }

  function attach(agentId: string, keyId: string | null, socket: HubSocket): HubConnection {
    const id = Bun.randomUUIDv7();
    let open = true;
    let position: number | null = null;
    let unreadOnly = true;
    let blocked = false;
    let pumping = false;
    let again = false;
    let answered = true;
    let stopPing = () => {};

    const close = (code: number, reason: string) => {
      if (!open) return;
      end();
      socket.close(code, reason);
    };
    const end = () => {
      open = false;
      stopPing();
      if (consumers.get(agentId)?.id === id) consumers.delete(agentId);
    };

    // Only one pump at a time reads on; a wake-up meanwhile makes it look once more before it rests.
    async function pump() {
      if (pumping) {
        again = true;
        return;
      }
      pumping = true;
      try {
        do {
          again = false;
          await readOn();
        } while (again && open && !blocked);
      } catch (error) {
        log.error("websocket.failed", { agent: agentId }, error);
        close(CLOSE.internal, "internal error");
      } finally {
        pumping = false;
      }
    }

    async function readOn() {
      const agent = await store.getAgent(agentId);
      if (!agent || agent.paused) return;
      // Everything up to here has been committed, so the first pass over the unread ends the past.
      const live = agent.lastSeq;
      position ??= 0;
      for (;;) {
        const rows = await store.messagesAfter(agentId, position, { unreadOnly, limit: PAGE });
        for (const row of rows) {
          if (!open || blocked) return;
          const sent = socket.send(frameOf(row));
          // 0: the socket is gone and its close is on the way; the position stays.
          if (sent === 0) return;
          position = row.seq;
          if (sent < 0) blocked = true;
        }
        if (rows.length < PAGE) break;
      }
      if (unreadOnly) {
        unreadOnly = false;
        position = Math.max(position, live);
        again = true;
      }
    }

    function pingLater() {
      stopPing = clock.after(PING_INTERVAL_MS, () => {
        if (!answered) return close(CLOSE.goingAway, "ping timeout");
        answered = false;
        socket.ping();
        pingLater();
      });
    }

    consumers.get(agentId)?.close(CLOSE.replaced, "replaced");
    consumers.set(agentId, { id, keyId, wake: () => void pump(), close });
    void store.announceConsumer(`${agentId} ${id}`).catch((error) => log.warn("websocket.announce_failed", {}, error));
    pingLater();
    void pump();

    return {
      onMessage: (text) => void acknowledge(agentId, text),
      onPong: () => {
        answered = true;
      },
      onDrain: () => {
        blocked = false;
        void pump();
      },
      onClose: end,
    };
  }

  async function acknowledge(agentId: string, text: string) {
    if (text.length > CLIENT_TEXT_MAX) return;
    let ack: unknown;
    try {
      ack = (JSON.parse(text) as { ack?: unknown } | null)?.ack;
    } catch {
      return;
    }
    if (typeof ack !== "string") return;
    await store
      .setReadStatus(agentId, ack, "read")
      .catch((error) => log.warn("websocket.ack_failed", { agent: agentId }, error));
  }

  return {
    attach,
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
    close() {
      unsubscribe();
      for (const consumer of [...consumers.values()]) consumer.close(CLOSE.goingAway, "shutting down");
      for (const waiters of [...waiting.values()]) for (const resolve of [...waiters]) resolve();
    },
  };
}

function frameOf(row: MessageRow): string {
  return JSON.stringify({
    type: "message.received",
    event_id: row.eventId,
    message_id: row.id,
    conversation_id: row.conversationId,
    from: row.fromAddress,
    recipient: row.recipient,
    subject: row.subject,
    received_at: row.createdAt.toISOString(),
    verified: row.verified,
    auto_submitted: row.autoSubmitted,
    list_id: row.listId,
    precedence: row.precedence,
  });
}
