/**
 * Hands messages over to a target, in order, one at a time, until each is taken. A taken message becomes read. Until
 * then it stays unread on the server, which shows it again to the next listener.
 */

import type { Arrival, E2AClient } from "../../../sdks/typescript/src/index.ts";
import type { Clock } from "../../util/clock.ts";
import { DOWNLOAD_TIMEOUT_MS } from "../connect/connect.ts";
import { CliError, exitCode, mayPass, serverFailure } from "../connect/failure.ts";
import type { MessageDetail } from "../connect/shapes.ts";
import { NotTaken, type Target } from "./target.ts";

/** Attempts in a row, while later messages wait. After these the message steps aside and the later ones continue. */
const TRIES_MAX = 4;
/** Pauses between the attempts of a message that stepped aside: they double up to the maximum. */
const ASIDE_FIRST_MS = 60_000;
const ASIDE_MAX_MS = 3_600_000;
/** With more than this many messages aside, the problem is not a single message: the line then waits, in order. */
const ASIDE_COUNT_MAX = 100;

/**
 * First pause after a failed attempt. Pauses double up to the maximum, and half of each is random (no thundering herd).
 */
const RETRY_FIRST_MS = 500;
const RETRY_MAX_MS = 30_000;

/** An announced message. Members besides the id are shown, not relied on. */
export type Frame = Pick<Arrival, "message_id"> & Partial<Arrival>;

export interface HandoverOptions {
  client: E2AClient;
  agent: string;
  target: Target;
  clock: Clock;
  /** Ends all waiting. An attempt in progress is finished. */
  signal: AbortSignal;
  /** Throws after a few failed attempts, whatever the cause. */
  once: boolean;
  /** Tells the user what happens. */
  say(line: string): void;
  /** Called when the target has taken the message. */
  onTaken(frame: Frame): Promise<void>;
  /** Called with the error of a message that stepped aside, if retrying cannot help. */
  onFailure(error: unknown): void;
}

/** A message that is not handled yet. */
interface Job {
  frame: Frame;
  /** Failed attempts that counted. */
  tries: number;
  /** The target has taken it; only the mark as read is missing. */
  taken: boolean;
  /** How often it was tried after it stepped aside; null while it holds its place. */
  rounds: number | null;
}

/** What kept a message from being handled. */
interface Setback {
  reason: string;
  /** Other messages would fail in the same way, so they wait. */
  forAll: boolean;
  /** When to try again, if the target or server said so. */
  waitMs?: number | undefined;
}

export class Handover {
  private readonly aside = new Map<string, Job>();
  /** Messages aside whose pause is over. */
  private readonly due: Job[] = [];
  private turn: Promise<unknown> = Promise.resolve();
  private isWorking = false;

  constructor(private readonly options: HandoverOptions) {}

  /** Whether an attempt is in progress. */
  get isBusy(): boolean {
    return this.isWorking;
  }

  /** Resolves when no attempt is in progress. */
  async idle(): Promise<void> {
    await this.turn;
  }

  /**
   * Hands a message over, with retries in place, or later if it steps aside. "left" if `connection` or the whole
   * handover ended first. Throws if retrying cannot help, or with `once`.
   */
  take(frame: Frame, connection: AbortSignal): Promise<"dealt with" | "left"> {
    const over = AbortSignal.any([this.options.signal, connection]);
    const job: Job = { frame, tries: 0, taken: false, rounds: null };
    return this.exclusively(async () => {
      for (let waits = 0; ; waits++) {
        if (over.aborted) return this.leave(job);
        const setback = await this.attempt(job);
        if (setback === null) return "dealt with";
        if (!setback.forAll || this.options.once) job.tries++;
        if (job.tries >= TRIES_MAX && this.options.once) throw givenUp(job, setback);
        if (job.tries >= TRIES_MAX && this.aside.size < ASIDE_COUNT_MAX) {
          this.stepAside(job, setback);
          return "dealt with";
        }
        if (over.aborted) continue;
        const waitMs = setback.waitMs ?? retryWaitMs(waits, Math.random());
        this.tell(job, setback, waitMs);
        await this.pause(waitMs, over);
      }
    });
  }

  /** Runs one job at a time, in the order of the calls. */
  private exclusively<T>(run: () => Promise<T>): Promise<T> {
    const mine = this.turn.then(run);
    this.turn = mine.catch(() => {});
    return mine;
  }

  /** Makes one attempt. Null if the message is handled. Throws if retrying cannot help. */
  private async attempt(job: Job): Promise<Setback | null> {
    this.isWorking = true;
    try {
      if (!job.taken) await this.handOver(job);
      const { client, agent } = this.options;
      await client.messages.update(job.frame.message_id, { status: "read" }, { agent });
      return null;
    } catch (error) {
      return setbackOf(error);
    } finally {
      this.isWorking = false;
    }
  }

  private async handOver(job: Job): Promise<void> {
    const { client, agent, target, say, onTaken } = this.options;
    const id = job.frame.message_id;
    // Fetched again for each attempt: its signature must be fresh, and the message may have been deleted.
    const message: MessageDetail = (
      await client.messages.get(id, { agent, peek: true, timeoutMs: DOWNLOAD_TIMEOUT_MS })
    ).data;
    if (job.rounds !== null && message.status === "read")
      return say(`${id} has been read in the meantime, so it is skipped.`);
    const said = await target.take(message);
    job.taken = true;
    await onTaken(job.frame);
    if (said) say(`${id}: ${said}`);
  }

  /** A message that is already taken must not come again with the next connection. */
  private leave(job: Job): "dealt with" | "left" {
    if (!job.taken) return "left";
    this.stepAside(job, { reason: "the connection ended", forAll: true });
    return "dealt with";
  }

  private stepAside(job: Job, setback: Setback): void {
    job.rounds = 0;
    this.aside.set(job.frame.message_id, job);
    this.again(job, setback);
  }

  private again(job: Job, setback: Setback): void {
    const rounds = job.rounds ?? 0;
    job.rounds = rounds + 1;
    const ownMs = job.taken
      ? retryWaitMs(rounds, Math.random())
      : retryWaitMs(rounds, Math.random(), ASIDE_FIRST_MS, ASIDE_MAX_MS);
    const waitMs = Math.max(setback.waitMs ?? 0, ownMs);
    this.tell(job, setback, waitMs);
    const { clock, signal } = this.options;
    const comes = () => {
      signal.removeEventListener("abort", cancel);
      this.due.push(job);
      if (this.due.length === 1) void this.workOff();
    };
    const cancel = clock.after(waitMs, comes);
    signal.addEventListener("abort", cancel, { once: true });
  }

  /** Retries the messages aside whose pause is over, each between two messages of the line. */
  private async workOff(): Promise<void> {
    for (let job = this.due[0]; job !== undefined && !this.options.signal.aborted; job = this.due[0]) {
      const { frame } = job;
      const current = job;
      try {
        const setback = await this.exclusively(() => this.attempt(current));
        if (setback === null) this.aside.delete(frame.message_id);
        else this.again(current, setback);
      } catch (error) {
        this.options.onFailure(error);
      }
      this.due.shift();
    }
  }

  private tell({ frame, tries, taken, rounds }: Job, { reason }: Setback, waitMs: number): void {
    const again = `trying again in ${(waitMs / 1000).toFixed(1)} s`;
    const id = frame.message_id;
    if (taken) this.options.say(`${id} was taken but could not be marked read: ${reason}; ${again}`);
    else if (rounds === null)
      this.options.say(`${id}: ${reason}; ${tries > 0 ? `try ${tries} of ${TRIES_MAX}, ` : ""}${again}`);
    else this.options.say(`${id}: ${reason}; it stays unread while others go on, ${again}`);
  }

  private pause(ms: number, over: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const finish = () => {
        cancel();
        over.removeEventListener("abort", finish);
        resolve();
      };
      const cancel = this.options.clock.after(ms, finish);
      over.addEventListener("abort", finish);
    });
  }
}

/** Milliseconds to wait after the n-th failure in a row (n from 0). `chance` is in [0, 1). */
export function retryWaitMs(failures: number, chance: number, firstMs = RETRY_FIRST_MS, maxMs = RETRY_MAX_MS): number {
  const ceiling = Math.min(maxMs, firstMs * 2 ** Math.min(failures, 16));
  return Math.round(ceiling / 2 + (ceiling / 2) * chance);
}

function setbackOf(error: unknown): Setback | null {
  if (error instanceof NotTaken) return { reason: error.message, forAll: error.isAway, waitMs: error.waitMs };
  const failure = serverFailure(error);
  if (failure === null || failure.exit === exitCode.auth) throw failure ?? error;
  const { status, retry_after_seconds: seconds } = failure.problem;
  // The message was deleted, so its owner no longer needs it handled.
  if (status === 404) return null;
  const waitMs = typeof seconds === "number" ? seconds * 1000 : undefined;
  return { reason: failure.message.replace(/\.$/, ""), forAll: mayPass(failure), waitMs };
}

function givenUp({ frame, taken }: Job, { reason }: Setback): CliError {
  if (taken) {
    return new CliError(`${frame.message_id} was taken but could not be marked read: ${reason}.`, {
      fix: "It is shown again: mark it read, or make sure that taking it twice does no harm.",
    });
  }
  return new CliError(`${frame.message_id} was not taken: ${reason}.`, {
    code: "not_taken",
    fix: "It stays unread, and comes again.",
  });
}
