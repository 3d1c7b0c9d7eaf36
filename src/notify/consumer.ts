import { type FrameRow, frameOnWire } from "../store/mail/received.ts";
import type { AgentRow } from "../store/schema.ts";
import { MessageFrame } from "../wire/message.ts";
import { pick } from "../wire/words.ts";
import type { Acks } from "./acks.ts";
import { CLOSE, type HubSocket, LiveSocket, type Proof, type SocketDeps } from "./live-socket.ts";

/** Messages read from the store in one turn; the rest are read in the next one. */
const PAGE = 100;
/** Longest id that an ack may have; ours have 36 characters. */
const ACK_ID_MAX = 64;
/** Acks that a client may send for frames of earlier connections; more count as other frames do. */
const ACKS_OF_EARLIER = 2_000;

/** An agent as it was at the handshake. One that is later made under the same address is a different agent. */
export type Listened = Pick<AgentRow, "id" | "userId" | "createdAt">;

/** An agent's one consumer, with its position in the agent's sequence of messages: unread ones first, then live. */
export class Consumer extends LiveSocket {
  private position = 0;
  /** The agent's last message at the last look, and whether the agent was paused. */
  private committed = 0;
  private paused = false;
  private unreadOnly = true;
  /** Frames sent less acks received. */
  private unacknowledged = 0;
  private acksOfEarlier = ACKS_OF_EARLIER;
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
    private readonly acks: Acks,
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
    if (outcome !== "dropped") {
      this.position = row.seq;
      this.unacknowledged++;
    }
    return outcome === "sent";
  }

  protected override heard(text: string): void {
    const id = ackIn(text);
    const isOfSent = id !== null && this.unacknowledged > 0;
    if (isOfSent) this.unacknowledged--;
    else if (id !== null && this.acksOfEarlier > 0) this.acksOfEarlier--;
    else if (!this.spend()) return;
    if (id !== null) this.acks.add(this.agent, id, isOfSent);
  }
}

/** The message id of `{"ack":"msg_…"}`; null for anything else a client may say. */
function ackIn(text: string): string | null {
  try {
    const ack = (JSON.parse(text) as { ack?: unknown } | null)?.ack;
    return typeof ack === "string" && ack.startsWith("msg_") && ack.length <= ACK_ID_MAX ? ack : null;
  } catch {
    return null;
  }
}

function frameOf(row: FrameRow): string {
  return JSON.stringify(pick(MessageFrame, { ...frameOnWire(row), type: "message.received" }));
}
