import type { Clock } from "../clock.ts";
import type { Log } from "../log.ts";
import type { News } from "../store/messages.ts";
import type { AgentRow } from "../store/schema.ts";
import type { Store } from "../store/store.ts";
import type { Turns } from "./turns.ts";

/** Messages read from the store in one turn; more come in the next one. */
const PAGE = 100;
/** A consumer that has not answered a ping by the next one is gone. */
const PING_INTERVAL_MS = 30_000;
/** A consumer that does not take what waits for it in this time is too slow; it reads on from what it has not read when it comes back. */
const SLOW_MS_MAX = 30_000;
/** Longest text a client may send; an ack is 45 characters. */
const CLIENT_TEXT_MAX = 1_024;
/** Acks in the store's hands at once for one consumer: enough to share its commits. */
const ACKS_AT_ONCE = 50;
/** Acks that may wait, about 2 MB: more than there are frames under way to any consumer, so only nonsense gets here. */
const ACKS_WAITING_MAX = 20_000;

/** Close codes: of RFC 6455 7.4.1, 1013 of the IANA registry, and ours. */
export const CLOSE = { goingAway: 1001, policy: 1008, internal: 1011, tryLater: 1013, replaced: 4000 } as const;

/** What the hub needs of a WebSocket; Bun's ServerWebSocket fits. */
export interface HubSocket {
  /** Returns the bytes sent, -1 when they wait in memory (back-pressure), 0 when they were dropped. */
  send(frame: string): number;
  /** Bytes that wait in memory. */
  getBufferedAmount(): number;
  ping(): void;
  close(code: number, reason: string): void;
}

/** By what somebody may listen: the API key or session of the handshake. */
export interface Proof {
  readonly id: string;
  readonly via: "key" | "session";
  readonly expiresAt: Date | null;
}

/** An agent as it was at the handshake: one that is made again under the same address is another. */
export type Listened = Pick<AgentRow, "id" | "userId" | "createdAt">;

/** What all consumers of a hub share. */
export interface ConsumerDeps {
  store: Store;
  clock: Clock;
  log: Log;
  /** Asked for a turn whenever there may be something to read. */
  turns: Turns<Consumer>;
  /** Called once, when the connection has ended. */
  ended(consumer: Consumer): void;
  /** Tells the other nodes of it, then calls `announced`. */
  announce(consumer: Consumer): void;
}

/**
 * One WebSocket: an agent's consumer with its position in the agent's sequence of messages.
 *
 * There are tens of thousands of them, so it is a plain object without closures and timers. Memory for each is bounded: a
 * frame is only sent when the one before has left, and who sends too much or takes too little is closed.
 */
export class Consumer {
  /** Whether its proof was looked up since there was reason to doubt it. */
  private proven = false;
  /** Nothing is sent any more, and nothing that it hears counts. */
  ended = false;
  private position = 0;
  /** The agent's last message when it was last looked at, and whether it was paused. */
  private committed = 0;
  private paused = false;
  private unreadOnly = true;
  /** Since when something waits in memory for the socket; null when nothing does. */
  private blockedSince: number | null = null;
  private pingAt: number;
  private answered = true;
  private acks: string[] | null = null;
  /** Resolves when no ack waits; null when none does. */
  acking: Promise<void> | null = null;
  /** Its place in the order of all nodes' consumers; null until it has one. */
  since: number | null = null;
  /** The newest of other nodes that was heard of before that. */
  private rival: { id: string; since: number } | null = null;

  constructor(
    readonly id: string,
    readonly agent: Listened,
    readonly proof: Proof,
    private readonly socket: HubSocket,
    private readonly deps: ConsumerDeps,
  ) {
    this.pingAt = deps.clock.now() + PING_INTERVAL_MS;
  }

  /** There may be new mail. */
  wake(): void {
    if (this.since !== null && this.blockedSince === null) this.deps.turns.ask(this);
  }

  /** Its agent may be gone, its proof void, or another node may not know of it. */
  doubt(): void {
    this.proven = false;
    this.deps.announce(this);
  }

  /** The other nodes were told. Nothing is read before, so that two consumers of an agent hear the same for a moment only. */
  announced(now: number): void {
    if (this.ended) return;
    this.since ??= now;
    this.deps.turns.ask(this);
    const { rival } = this;
    this.rival = null;
    if (rival) this.meet(rival.id, rival.since);
  }

  /** One turn: looks whether it may still listen where there is doubt, then sends one page of what it has not seen. Never rejects. */
  async turn(): Promise<void> {
    try {
      if (this.ended || this.closeIfExpired()) return;
      const doubtful = !this.proven;
      this.proven = true;
      if (doubtful && !(await this.deps.store.proofStands(this.proof.id))) this.revoked();
      // Else its signal would have said that the agent has changed.
      if (doubtful || this.unreadOnly) await this.lookAtAgent();
      if (!this.ended && !this.paused && this.blockedSince === null) await this.readOn();
    } catch (error) {
      if (this.ended) return;
      this.deps.log.error("websocket.failed", { agent: this.agent.id }, error);
      this.close(CLOSE.internal, "internal error");
    }
  }

  private async lookAtAgent(): Promise<void> {
    const { id, userId, createdAt } = this.agent;
    const agent = await this.deps.store.getAgent(id);
    if (agent?.userId !== userId || agent.createdAt.getTime() !== createdAt.getTime())
      this.close(CLOSE.policy, "agent deleted");
    else {
      this.paused = agent.paused;
      this.committed = agent.lastSeq;
    }
  }

  private async readOn(): Promise<void> {
    const { store, turns } = this.deps;
    const { unreadOnly } = this;
    const rows = await store.messagesAfter(this.agent.id, this.position, { unreadOnly, limit: PAGE });
    for (const row of rows) if (!this.tell(row)) return;
    if (rows.length === PAGE) turns.ask(this);
    else if (unreadOnly) {
      // What had been committed before this page was read is past: what is unread of it has been sent.
      // What is committed from now on wakes this consumer.
      this.unreadOnly = false;
      this.position = Math.max(this.position, this.committed);
    }
  }

  /** Another node has a consumer of this agent: the newer one stays. All nodes see the same order. */
  meet(id: string, since: number): void {
    const isNewer = (than: { id: string; since: number }) =>
      since > than.since || (since === than.since && id > than.id);
    if (this.since === null) {
      if (!this.rival || isNewer(this.rival)) this.rival = { id, since };
    } else if (isNewer({ id: this.id, since: this.since })) this.close(CLOSE.replaced, "replaced");
    // It has not heard of this one.
    else this.doubt();
  }

  /** Sends a frame; false when the next one must wait. */
  private tell(row: News): boolean {
    if (this.ended) return false;
    const sent = this.socket.send(frameOf(row));
    // Dropped: too much waits already, or the socket is gone and its close is on the way. The position stays.
    if (sent !== 0) this.position = row.seq;
    if (sent <= 0) this.blockedSince ??= this.deps.clock.now();
    return sent > 0;
  }

  onDrain(): void {
    // Some of it has left; a reader that takes a byte now and then has no more time for that.
    if (this.blockedSince === null || this.socket.getBufferedAmount() > 0) return;
    this.blockedSince = null;
    this.deps.turns.ask(this);
  }

  onPong(): void {
    this.answered = true;
  }

  onMessage(text: string): void {
    const id = this.ended ? null : ackIn(text);
    if (id === null) return;
    this.acks ??= [];
    this.acks.push(id);
    if (this.acks.length > ACKS_WAITING_MAX) this.close(CLOSE.policy, "too many acks");
    this.acking ??= this.acknowledge().finally(() => {
      this.acking = null;
    });
  }

  /** What was acknowledged before the end is acknowledged. */
  private async acknowledge(): Promise<void> {
    const { store, log } = this.deps;
    while (this.acks && this.acks.length > 0) {
      const some = this.acks.splice(0, ACKS_AT_ONCE).map((id) => store.setReadStatus(this.agent.id, id, "read"));
      for (const { reason } of (await Promise.allSettled(some)).filter((result) => result.status === "rejected"))
        log.warn("websocket.ack_failed", { agent: this.agent.id }, reason);
    }
    this.acks = null;
  }

  onClose(): void {
    if (this.ended) return;
    this.ended = true;
    this.deps.ended(this);
  }

  close(code: number, reason: string): void {
    if (this.ended) return;
    this.onClose();
    this.socket.close(code, reason);
  }

  revoked(): void {
    this.close(CLOSE.policy, this.proof.via === "session" ? "session ended" : "key revoked");
  }

  /** Called about every second. */
  tick(): void {
    if (this.closeIfExpired()) return;
    const now = this.deps.clock.now();
    const pingDue = now >= this.pingAt;
    const silent = pingDue && !this.answered;
    const slow = this.blockedSince !== null && (silent || now - this.blockedSince >= SLOW_MS_MAX);
    if (slow) this.close(CLOSE.tryLater, "too slow");
    else if (silent) this.close(CLOSE.goingAway, "ping timeout");
    else if (pingDue) this.ping(now);
  }

  private ping(now: number): void {
    this.pingAt = now + PING_INTERVAL_MS;
    this.answered = false;
    this.socket.ping();
  }

  private closeIfExpired(): boolean {
    const { expiresAt, via } = this.proof;
    if (!expiresAt || expiresAt.getTime() > this.deps.clock.now()) return false;
    this.close(CLOSE.policy, via === "session" ? "session ended" : "key expired");
    return true;
  }
}

/** The message id of `{"ack":"msg_…"}`; null for anything else a client may say. */
function ackIn(text: string): string | null {
  if (text.length > CLIENT_TEXT_MAX) return null;
  try {
    const ack = (JSON.parse(text) as { ack?: unknown } | null)?.ack;
    return typeof ack === "string" ? ack : null;
  } catch {
    return null;
  }
}

function frameOf(row: News): string {
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
