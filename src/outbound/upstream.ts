/**
 * The way out: a pool of connections to one upstream server. Nodemailer's own pool resends a message whose connection
 * closes, even after the final dot, which duplicates mail; this pool sends nothing twice.
 */
import type { Log } from "../util/log.ts";
import { type EightBit, type SendOutcome, type TransactionOutcome, UpstreamSession } from "./upstream-session.ts";
import type { UpstreamSettings } from "./upstream-settings.ts";

export type UpstreamCheck = { ok: true; tls: string | null; signedIn: boolean } | { ok: false; error: string };

export interface Upstream {
  readonly settings: UpstreamSettings;
  /**
   * Sends one message (CRLF lines) to one recipient; waits its turn if all connections are in use. Asks `mayBegin` when
   * a connection is free: if that is false, nothing is sent. Rejects only if `mayBegin` does. Sends nothing either if the
   * message has 8-bit bytes that the server does not take.
   */
  send(
    envelope: { from: string; to: string },
    raw: Uint8Array,
    signal?: AbortSignal,
    mayBegin?: () => Promise<boolean>,
  ): Promise<SendOutcome | EightBit | Withdrawn>;
  /** Connects, encrypts, signs in and quits, outside the pool. `tls` is the protocol version. */
  check(): Promise<UpstreamCheck>;
  /** Quits idle connections and destroys the rest. Resolves when all are gone. */
  close(): Promise<void>;
}

/** `mayBegin` was false. */
interface Withdrawn {
  kind: "withdrawn";
}

export interface PoolLimits {
  /** Servers drop idle clients after a minute or more (Postfix: 300 s, some far less); the pool quits earlier. */
  idleMs: number;
  /** Common servers close a connection after a hundred messages or so. */
  messagesPerConnection: number;
}

const usualLimits: PoolLimits = { idleMs: 30_000, messagesPerConnection: 100 };

/** Makes a pool, which connects only when there is mail to send. */
export function createUpstream(settings: UpstreamSettings, log: Log, limits = usualLimits): Upstream {
  return new Pool(settings, log, limits);
}

interface Waiter {
  settle(turn: UpstreamSession | { error: string }): void;
}

class Pool implements Upstream {
  /** All sessions that are not gone yet: setting up, in use, idle, quitting. */
  private readonly sessions = new Set<UpstreamSession>();
  /** The longest idle first. */
  private idle: UpstreamSession[] = [];
  /** In order of arrival. */
  private waiters: Waiter[] = [];
  private settingUp = 0;
  private sweeper: NodeJS.Timeout | null = null;
  private isClosing = false;

  constructor(
    readonly settings: UpstreamSettings,
    private readonly log: Log,
    private readonly limits: PoolLimits,
  ) {}

  async send(
    envelope: { from: string; to: string },
    raw: Uint8Array,
    signal?: AbortSignal,
    mayBegin: () => Promise<boolean> = async () => true,
  ): Promise<SendOutcome | EightBit | Withdrawn> {
    let outcome = await this.attempt(envelope, raw, "last", mayBegin, signal);
    if (outcome.kind === "stale" && outcome.isReused && !this.isClosing && !signal?.aborted) {
      // The cause that ended this connection while it was idle has most likely ended the others too.
      for (const session of this.idle.splice(0)) session.destroy("another one was found dead");
      outcome = await this.attempt(envelope, raw, "first", mayBegin, signal);
    }
    if (outcome.kind !== "stale") return outcome;
    if (this.isClosing || signal?.aborted) return this.stopped();
    return { kind: "deferred", reply: outcome.error };
  }

  async check(): Promise<UpstreamCheck> {
    const session = new UpstreamSession(this.settings);
    try {
      await session.open();
      await session.quit();
      return { ok: true, tls: session.tlsVersion, signedIn: session.isSignedIn };
    } catch (error) {
      return { ok: false, error: (error as Error).message };
    }
  }

  async close(): Promise<void> {
    this.isClosing = true;
    if (this.sweeper) clearTimeout(this.sweeper);
    for (const waiter of this.waiters.splice(0)) waiter.settle(this.stopped());
    const idle = new Set(this.idle.splice(0));
    for (const session of this.sessions) {
      if (idle.has(session)) void session.quit();
      else session.destroy("the server is stopping");
    }
    await Promise.all([...this.sessions].map((session) => session.ended));
  }

  private async attempt(
    envelope: { from: string; to: string },
    raw: Uint8Array,
    place: "first" | "last",
    mayBegin: () => Promise<boolean>,
    signal?: AbortSignal,
  ): Promise<SendOutcome | EightBit | Withdrawn | (TransactionOutcome & { kind: "stale"; isReused: boolean })> {
    if (this.isClosing || signal?.aborted) return this.stopped();
    const rested = this.idle.pop();
    const session = rested ?? (await this.turn(place, signal));
    if ("error" in session) return { kind: "unreachable", error: session.error };
    let begins = false;
    try {
      begins = await mayBegin();
    } finally {
      if (!begins) this.release(session);
    }
    if (!begins) return { kind: "withdrawn" };
    if (this.isClosing || signal?.aborted) {
      this.release(session);
      return this.stopped();
    }
    const isReused = rested !== undefined || session.transactions > 0;
    const abort = signal && (() => session.destroy("the caller stopped waiting"));
    if (abort) signal.addEventListener("abort", abort);
    const outcome = await session.send(envelope, raw);
    if (abort) signal.removeEventListener("abort", abort);
    if (outcome.kind === "accepted" || outcome.kind === "eight-bit") this.release(session);
    else void session.reset().then(() => this.release(session));
    return outcome.kind === "stale" ? { ...outcome, isReused } : outcome;
  }

  /** A session for the caller alone, or why there is none. */
  private turn(place: "first" | "last", signal?: AbortSignal): Promise<UpstreamSession | { error: string }> {
    return new Promise((resolve) => {
      const waiter: Waiter = {
        settle: (turn) => {
          signal?.removeEventListener("abort", leave);
          resolve(turn);
        },
      };
      const leave = () => {
        this.waiters = this.waiters.filter((one) => one !== waiter);
        resolve(this.stopped());
      };
      signal?.addEventListener("abort", leave);
      if (place === "first") this.waiters.unshift(waiter);
      else this.waiters.push(waiter);
      this.grow();
    });
  }

  /** Opens a connection for each waiter that has none coming, within the limit. */
  private grow(): void {
    while (!this.isClosing && this.waiters.length > this.settingUp && this.sessions.size < this.settings.connections)
      void this.add();
  }

  private async add(): Promise<void> {
    const session = new UpstreamSession(this.settings);
    this.sessions.add(session);
    this.settingUp++;
    let isOpen = false;
    void session.ended.then(() => {
      this.sessions.delete(session);
      this.idle = this.idle.filter((one) => one !== session);
      if (isOpen) this.grow();
    });
    try {
      await session.open();
      isOpen = true;
      this.settingUp--;
      this.log.debug("upstream.connected", { upstream: this.settings.name, tls: session.tlsVersion });
      this.release(session);
    } catch (error) {
      this.settingUp--;
      this.sessions.delete(session);
      const sentence = (error as Error).message;
      if (!this.isClosing) this.log.warn("upstream.unreachable", { upstream: this.settings.name, reason: sentence });
      // A server that limits connections still serves on the open ones. If there are none, all waiters get this error.
      if (this.sessions.size === 0) for (const waiter of this.waiters.splice(0)) waiter.settle({ error: sentence });
    }
  }

  /** Gives the session to the next waiter, keeps it idle, or closes it. */
  private release(session: UpstreamSession): void {
    if (!session.isAlive) return;
    if (this.isClosing || session.transactions >= this.limits.messagesPerConnection) {
      void session.quit();
      return;
    }
    const next = this.waiters.shift();
    if (next) {
      next.settle(session);
      return;
    }
    session.idleSince = performance.now();
    this.idle.push(session);
    this.sweeper ??= this.sweepIn(this.limits.idleMs);
  }

  private sweepIn(delayMs: number): NodeJS.Timeout {
    const timer = setTimeout(() => {
      const due = performance.now() - this.limits.idleMs;
      while (this.idle[0] && this.idle[0].idleSince <= due) void this.idle.shift()?.quit();
      this.sweeper = this.idle[0] ? this.sweepIn(Math.max(1, this.idle[0].idleSince - due)) : null;
    }, delayMs);
    timer.unref();
    return timer;
  }

  private stopped(): { kind: "unreachable"; error: string } {
    return {
      kind: "unreachable",
      error: `Sending by ${this.settings.name} was stopped before it began. Nothing was sent.`,
    };
  }
}
