import type { Store } from "../store/store.ts";
import type { Clock } from "../util/clock.ts";
import type { Log } from "../util/log.ts";
import type { Scheduler } from "./scheduler.ts";

/** A listener that has not answered a ping by the next one is treated as gone. */
const PING_INTERVAL_MS = 30_000;
/** A listener that does not take its waiting frames in this time is too slow. After reconnecting, it reads the rest. */
const SLOW_MS_MAX = 30_000;

/**
 * Frames that a client may send besides one ack for each frame that it gets: at once, and then per second. One more
 * closes the socket.
 */
const FRAMES_AT_ONCE = 1_000;
const FRAMES_PER_SECOND = 100;
/** Longest text that a client may send; an ack has 45 characters. */
const TEXT_MAX = 1_024;

/** Close codes: those of RFC 6455 7.4.1, 1013 of the IANA registry, and our own. */
export const CLOSE = {
  goingAway: 1001,
  policy: 1008,
  tooLarge: 1009,
  internal: 1011,
  tryLater: 1013,
  replaced: 4000,
} as const;

/** The parts of a WebSocket that are used here; Bun's ServerWebSocket fits. */
export interface HubSocket {
  /** Returns the bytes sent, -1 if they wait in memory (back-pressure), 0 if they were dropped. */
  send(frame: string): number;
  /** The number of bytes that wait in memory. */
  getBufferedAmount(): number;
  ping(): void;
  close(code: number, reason: string): void;
}

/** The proof that a listener may listen: the API key or session of the handshake. */
export interface Proof {
  readonly id: string;
  readonly via: "key" | "session";
  readonly expiresAt: Date | null;
}

/** What all sockets of a hub share. */
export interface SocketDeps {
  store: Store;
  clock: Clock;
  log: Log;
  /** Gives the socket a turn whenever there may be something to read. */
  scheduler: Scheduler<LiveSocket>;
  /** Called once, when the connection has ended. */
  ended(socket: LiveSocket): void;
}

/**
 * One WebSocket that reads something stored, from a position of its own.
 *
 * There are tens of thousands of them, so it is a plain object without closures and timers. Memory for each is bounded:
 * a frame is sent only when the previous one has left, and a client that reads too slowly is disconnected.
 */
export abstract class LiveSocket {
  /** Whether its proof has been checked since the last reason to doubt it. */
  private proven = false;
  /** Once true, nothing is sent, and nothing received counts. */
  ended = false;
  /** Since when data waits in memory for the socket; null if none does. */
  private blockedSince: number | null = null;
  private pingAt: number;
  private answered = true;
  /** Frames that the client may send now, and when that was counted. */
  private frames = FRAMES_AT_ONCE;
  private framesAt: number;

  constructor(
    readonly proof: Proof,
    private readonly socket: HubSocket,
    protected readonly deps: SocketDeps,
  ) {
    this.framesAt = deps.clock.elapsed();
    this.pingAt = this.framesAt + PING_INTERVAL_MS;
  }

  /**
   * Sends what has not been sent, at most a page, and asks for another turn if there may be more. `isDoubtful`: what it
   * reads may be gone.
   */
  protected abstract readOn(isDoubtful: boolean): Promise<void>;
  /** Takes a text of at most TEXT_MAX characters. Must call `spend` unless the client may send any number of such texts. */
  protected abstract heard(text: string): void;
  /** Fields for the log. */
  protected abstract about(): Record<string, string>;

  protected get isBlocked(): boolean {
    return this.blockedSince !== null;
  }

  /** Call this when there may be more to read. */
  wake(): void {
    if (!this.isBlocked) this.deps.scheduler.schedule(this);
  }

  /** Call this when its proof may be void, or what it reads gone. */
  doubt(): void {
    this.mistrust();
    this.deps.scheduler.schedule(this);
  }

  /** Makes its next turn check the proof. */
  protected mistrust(): void {
    this.proven = false;
  }

  /** Takes one turn: checks the proof if it is in doubt, then reads on. Never rejects. */
  async turn(): Promise<void> {
    try {
      if (this.ended || this.closeIfExpired()) return;
      const isDoubtful = !this.proven;
      this.proven = true;
      if (isDoubtful && !(await this.deps.store.proofStands(this.proof.id))) this.revoked();
      if (!this.ended) await this.readOn(isDoubtful);
    } catch (error) {
      if (this.ended) return;
      this.deps.log.error("websocket.failed", this.about(), error);
      this.close(CLOSE.internal, "internal error");
    }
  }

  /** Sends a frame. `kept`: it left or will leave, but the next one must wait. `dropped`: it must be sent again. */
  protected send(frame: string): "sent" | "kept" | "dropped" {
    if (this.ended) return "dropped";
    const sent = this.socket.send(frame);
    if (sent <= 0) this.blockedSince ??= this.deps.clock.elapsed();
    // Dropped: too much waits already, or the socket is gone and its close event is coming.
    return sent > 0 ? "sent" : sent < 0 ? "kept" : "dropped";
  }

  onDrain(): void {
    // While only part of it has left, the clock runs on: reading a byte now and then buys no time.
    if (this.blockedSince === null || this.socket.getBufferedAmount() > 0) return;
    this.blockedSince = null;
    this.deps.scheduler.schedule(this);
  }

  /** `text` is null for a binary message. */
  onMessage(text: string | null): void {
    if (this.ended) return;
    if (text === null) this.spend();
    else if (text.length > TEXT_MAX) this.close(CLOSE.tooLarge, "message too large");
    else this.heard(text);
  }

  /** Bun answers pings itself. */
  onPing(): void {
    this.spend();
  }

  onPong(): void {
    this.answered = true;
    this.spend();
  }

  /** Counts a frame of the client. False if it was one too many; then the socket is closed. */
  protected spend(): boolean {
    const now = this.deps.clock.elapsed();
    const more = ((now - this.framesAt) / 1_000) * FRAMES_PER_SECOND;
    this.frames = Math.min(FRAMES_AT_ONCE, this.frames + more) - 1;
    this.framesAt = now;
    if (this.frames >= 0) return true;
    this.close(CLOSE.policy, "too many frames");
    return false;
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
    const now = this.deps.clock.elapsed();
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
