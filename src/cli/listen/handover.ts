/**
 * Messages handed over to a target, in order, one at a time, until each is taken. A message that is taken becomes read;
 * until then it stays unread on the server, which shows it again to whoever listens next.
 */

import type { Arrival, E2AClient } from "../../../sdks/typescript/src/index.ts";
import type { Clock } from "../../util/clock.ts";
import { DOWNLOAD_TIMEOUT_MS } from "../connect/connect.ts";
import { CliError, exitCode, mayPass, serverFailure } from "../connect/failure.ts";
import type { MessageDetail } from "../connect/shapes.ts";
import { NotTaken, type Target } from "./target.ts";

/** Tries in a row, while the messages behind wait their turn. Then a message steps aside and they go on. */
const TRIES_MAX = 4;
/** Waits of one that stepped aside double up to the maximum. */
const ASIDE_FIRST_MS = 60_000;
const ASIDE_MAX_MS = 3_600_000;
/** More than this many stepped aside are no exceptions: the line then waits, in order. */
const ASIDE_COUNT_MAX = 100;

/** First wait after a try in vain; doubles up to the maximum, then half of it is chance (no thundering herd). */
const RETRY_FIRST_MS = 500;
const RETRY_MAX_MS = 30_000;

/** An announced message. Members beside the id are shown, not relied on. */
export type Frame = Pick<Arrival, "message_id"> & Partial<Arrival>;

export interface HandoverOptions {
  client: E2AClient;
  agent: string;
  target: Target;
  clock: Clock;
  /** Ends all waiting. A try that is under way is brought to its end. */
  signal: AbortSignal;
  /** Give up after a few tries, by throwing, whatever the cause. */
  once: boolean;
  /** Tells a person what happens. */
  say(line: string): void;
  /** Called when the target has taken the message. */
  onTaken(frame: Frame): Promise<void>;
  /** Called with what went wrong beyond trying again, for a message that stepped aside. */
  onFailure(error: unknown): void;
}

/** A message that is not dealt with. */
interface Job {
  frame: Frame;
  /** Tries without success that counted. */
  tries: number;
  /** The target has it; it is only not read yet. */
  taken: boolean;
  /** How often it was tried since it stepped aside; null while it holds its place. */
  rounds: number | null;
}

/** What kept a message from being dealt with. */
interface Setback {
  reason: string;
  /** Others would fare the same, so they wait. */
  forAll: boolean;
  /** When to ask again, if we were told. */
  waitMs?: number | undefined;
}

export class Handover {
  private readonly aside = new Map<string, Job>();
  /** Of the ones aside, those whose time has come. */
  private readonly due: Job[] = [];
  private turn: Promise<unknown> = Promise.resolve();
  private isWorking = false;

  constructor(private readonly options: HandoverOptions) {}

  /** Whether a try is under way. */
  get isBusy(): boolean {
    return this.isWorking;
  }

  /** Resolves when no try is under way. */
  async idle(): Promise<void> {
    await this.turn;
  }

  /**
   * Hands a message over: now, again while only it or the target's absence is in the way, or later, aside. "left" when
   * `connection` or the whole handover ended first. Throws when trying again cannot help, or with `once`.
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

  /** One at a time, in the order of asking. */
  private exclusively<T>(run: () => Promise<T>): Promise<T> {
    const mine = this.turn.then(run);
    this.turn = mine.catch(() => {});
    return mine;
  }

  /** One try. Null when the message is dealt with. Throws when trying again cannot help. */
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
    // Read anew for each try: its signature must be fresh, and it may be gone.
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

  /** What is taken already must not come again with the next connection. */
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

  /** The ones aside whose time has come, each between two messages of the line. */
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

/** Milliseconds to wait after the n-th failure in a row (n from 0); `chance` is in [0, 1). */
export function retryWaitMs(failures: number, chance: number, firstMs = RETRY_FIRST_MS, maxMs = RETRY_MAX_MS): number {
  const ceiling = Math.min(maxMs, firstMs * 2 ** Math.min(failures, 16));
  return Math.round(ceiling / 2 + (ceiling / 2) * chance);
}

function setbackOf(error: unknown): Setback | null {
  if (error instanceof NotTaken) return { reason: error.message, forAll: error.isAway, waitMs: error.waitMs };
  const failure = serverFailure(error);
  if (failure === null || failure.exit === exitCode.auth) throw failure ?? error;
  const { status, retry_after_seconds: seconds } = failure.problem;
  // It was deleted, which is its owner's way of being done with it.
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
