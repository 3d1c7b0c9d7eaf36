import type { EventPosition } from "../store/events/events.ts";
import type { EventFeed, EventQuery } from "./event-feed.ts";
import { type HubSocket, LiveSocket, type Proof, type SocketDeps } from "./live-socket.ts";
import { eventBody } from "./webhook.ts";

/** Events read in one turn; the rest are read in the next one. */
const PAGE = 100;
/** Pause before looking again for events that are committed but not readable yet. */
const BEHIND_RETRY_MS = 25;

/** A client that follows an event log on a WebSocket: everything after a position, in the log's order, then live. */
export class EventReader extends LiveSocket {
  private after: EventPosition | null;

  constructor(
    private readonly query: Pick<EventQuery, "owner" | "types" | "after">,
    private readonly feed: EventFeed,
    proof: Proof,
    socket: HubSocket,
    deps: SocketDeps,
  ) {
    super(proof, socket, deps);
    this.after = query.after;
  }

  get userId(): string {
    return this.query.owner.userId;
  }

  protected about() {
    return { user: this.userId };
  }

  /** What a reader says is ignored. */
  protected heard(): void {
    this.spend();
  }

  protected async readOn(): Promise<void> {
    if (this.isBlocked) return;
    const { owner, types } = this.query;
    const { rows, isBehind } = await this.feed.look({ owner, types, after: this.after, sort: "asc", limit: PAGE });
    for (const row of rows) {
      const outcome = this.send(JSON.stringify(eventBody(row)));
      if (outcome !== "dropped") this.after = { xid: row.xid, seq: row.seq };
      if (outcome !== "sent") return;
    }
    if (rows.length === PAGE) this.deps.scheduler.schedule(this);
    else if (isBehind) this.deps.clock.after(BEHIND_RETRY_MS, () => this.wake());
  }
}
