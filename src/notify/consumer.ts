import { type FrameRow, frameOnWire } from "../store/mail/received.ts";
import type { AgentRow } from "../store/schema.ts";
import { MessageFrame } from "../wire/message.ts";
import { pick } from "../wire/words.ts";
import { CLOSE, type HubSocket, LiveSocket, type Proof, type SocketDeps } from "./live-socket.ts";

/** Messages read from the store in one turn; the rest are read in the next one. */
const PAGE = 100;
/** Longest text a client may send; an ack is 45 characters. */
const CLIENT_TEXT_MAX = 1_024;
/** Acks of one consumer that are being stored at once: enough to share its commits. */
const ACKS_AT_ONCE = 50;
/** Acks that may wait, about 2 MB: more than the frames in flight to any consumer, so only nonsense gets here. */
const ACKS_WAITING_MAX = 20_000;

/** An agent as it was at the handshake. One that is later made under the same address is a different agent. */
export type Listened = Pick<AgentRow, "id" | "userId" | "createdAt">;

/** An agent's one consumer, with its position in the agent's sequence of messages: unread ones first, then live. */
export class Consumer extends LiveSocket {
  private position = 0;
  /** The agent's last message at the last look, and whether the agent was paused. */
  private committed = 0;
  private paused = false;
  private unreadOnly = true;
  private acks: string[] | null = null;
  /** Resolves when all acks are stored; null while none waits. */
  acking: Promise<void> | null = null;
  /** Its place in the order of all nodes' consumers; null until it has been announced. */
  since: number | null = null;
  /** The newest consumer on another node that was announced before this one has its place. */
  private rival: { id: string; since: number } | null = null;

  /** @param announce announces the consumer to the other nodes, then calls `announced` */
  constructor(
    readonly id: string,
    readonly agent: Listened,
    proof: Proof,
    socket: HubSocket,
    deps: SocketDeps,
    private readonly announce: (consumer: Consumer) => void,
  ) {
    super(proof, socket, deps);
  }

  protected about() {
    return { agent: this.agent.id };
  }

  override wake(): void {
    if (this.since !== null) super.wake();
  }

  /** Call this when its agent may be gone, its proof void, or another node unaware of it. */
  override doubt(): void {
    this.mistrust();
    this.announce(this);
  }

  /**
   * Called when the other nodes have been told. Nothing is read before, so that two consumers of an agent receive the
   * same frames for a moment only.
   */
  announced(now: number): void {
    if (this.ended) return;
    this.since ??= now;
    this.deps.scheduler.schedule(this);
    const { rival } = this;
    this.rival = null;
    if (rival) this.meet(rival.id, rival.since);
  }

  protected async readOn(isDoubtful: boolean): Promise<void> {
    // Otherwise a signal would have said that the agent has changed.
    if (isDoubtful || this.unreadOnly) await this.lookAtAgent();
    if (!this.ended && !this.paused && !this.isBlocked) await this.readPage();
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

  private async readPage(): Promise<void> {
    const { store, scheduler } = this.deps;
    const { unreadOnly } = this;
    const rows = await store.messagesAfter(this.agent.id, this.position, { unreadOnly, limit: PAGE });
    for (const row of rows) if (!this.tell(row)) return;
    if (rows.length === PAGE) scheduler.schedule(this);
    else if (unreadOnly) {
      // Everything committed before this page was read is behind it: the unread messages among it have been sent. Later
      // commits wake this consumer.
      this.unreadOnly = false;
      this.position = Math.max(this.position, this.committed);
    }
  }

  /** Handles a consumer of this agent on another node: the newer one stays. All nodes see the same order. */
  meet(id: string, since: number): void {
    const isNewer = (than: { id: string; since: number }) =>
      since > than.since || (since === than.since && id > than.id);
    if (this.since === null) {
      if (!this.rival || isNewer(this.rival)) this.rival = { id, since };
    } else if (isNewer({ id: this.id, since: this.since })) this.close(CLOSE.replaced, "replaced");
    // The older one has not heard of this one.
    else this.doubt();
  }

  /** Sends a frame; false if the next one must wait. */
  private tell(row: FrameRow): boolean {
    const outcome = this.send(frameOf(row));
    if (outcome !== "dropped") this.position = row.seq;
    return outcome === "sent";
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

  /** Stores the acks. Those that arrived before the connection ended are stored too. */
  private async acknowledge(): Promise<void> {
    const { store, log } = this.deps;
    while (this.acks && this.acks.length > 0) {
      const some = this.acks.splice(0, ACKS_AT_ONCE).map((id) => store.setReadStatus(this.agent.id, id, "read"));
      for (const { reason } of (await Promise.allSettled(some)).filter((result) => result.status === "rejected"))
        log.warn("websocket.ack_failed", { agent: this.agent.id }, reason);
    }
    this.acks = null;
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

function frameOf(row: FrameRow): string {
  return JSON.stringify(pick(MessageFrame, { ...frameOnWire(row), type: "message.received" }));
}
