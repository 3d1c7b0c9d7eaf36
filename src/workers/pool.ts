/**
 * Runs expensive work on untrusted bytes in child processes, so that the thread that serves sockets never waits for it.
 *
 * They are processes because a thread that is stuck in a regular expression cannot be stopped, and its memory cannot be
 * limited. A child that stops responding or takes too much memory is killed. Each of its tasks then runs once more,
 * alone in another child; a task that kills that child too fails.
 */
import { availableParallelism } from "node:os";
import { Failure } from "../util/errors.ts";
import type { Log } from "../util/log.ts";
import { Child, type ChildLimits, type HostFunctions, type Job, type Loss } from "./child.ts";
import { errorFromData } from "./errors.ts";
import { type Bytes, lengthOf } from "./frames.ts";

/** Every 25 MB message we measured takes less than a second of processor time. */
const STALL_MS = 2_500;
/** Urgent tasks never wait for anything outside. One that takes longer than this has gone wrong, or is very large. */
const PATIENCE_MS = 5_000;
/** By default the largest message is 25 MB, which needs some 250 MB. */
const RSS_BYTES_MAX = 1024 * 1024 * 1024;
/** Verification may wait for DNS up to `dns.timeout`, which is a minute at most. */
const TASK_MS = 90_000;
/** After this time without tasks a child ends, and frees its memory. */
const IDLE_MS = 60_000;
/**
 * Children of each kind: for urgent tasks, for others, and for tasks that run alone. One core is for the server itself. More
 * children than this would wait for the one thread that stores mail.
 */
const CHILDREN_MAX = 4;
const CORES_FOR_SERVER = 1;
/** Active tasks in one child. Tasks that wait for the server or DNS do not count: they may wait for seconds. */
const TASKS_PER_CHILD = 16;
/** All tasks in one child, waiting ones included. Two children match the connections that the SMTP listener accepts. */
const TASKS_PER_CHILD_MAX = 250;
/** Blobs of the active tasks in one child, unless a single task has more: each byte costs several in memory. */
const BYTES_PER_CHILD = 16 * 1024 * 1024;
/** Blobs of all tasks in one child, waiting ones included. */
const BYTES_PER_CHILD_MAX = 4 * BYTES_PER_CHILD;
/**
 * Active tasks of one owner in one child, and their blobs unless a single task has more: all that other owners' tasks have to
 * wait for. A child has one thread, so an owner without rivals loses nothing.
 */
const OWNER_TASKS_AT_ONCE = 4;
const OWNER_BYTES_AT_ONCE = 256 * 1024;
/** Share of TASKS_PER_CHILD_MAX, BYTES_PER_CHILD_MAX and of a queue for one owner's tasks, waiting ones included. */
const OWNER_SHARE = 1 / 2;
/** An idle child that uses more memory is replaced, because processes do not give grown memory back. */
const RSS_BYTES_KEPT = 256 * 1024 * 1024;
/** Tasks in a queue. The next one is refused: mail with a 452, HTTP with a 503. */
const QUEUE_MAX = 500;
/**
 * Blobs of the urgent tasks that wait, unless a single one has more: whoever asked for them has the whole message in memory
 * as well. What waits of arriving mail counts where it arrives.
 */
const URGENT_BYTES_MAX = 128 * 1024 * 1024;
/**
 * How long an urgent task waits for a child. A request may have waited a minute for its turn before, and the server
 * closes a connection after 90 s without data.
 */
const URGENT_WAIT_MS = 20_000;
const RETRY_AFTER_SECONDS = 5;
/** How long a closing pool waits for its children to exit before it kills them. */
const CLOSE_MS = 1_000;

export interface PoolLimits extends ChildLimits {
  idleMs: number;
  queueMax: number;
  urgentBytesMax: number;
  urgentWaitMs: number;
}

export interface PoolOptions {
  /** The program to run; it calls `serveTasks`. */
  command: readonly string[];
  log: Log;
  /**
   * Maximum number of children for urgent tasks, for other tasks, and for tasks that run alone. Default: the cores less
   * one, 1 to 4.
   */
  size?: number;
  limits?: Partial<PoolLimits>;
}

export interface TaskOptions {
  host?: HostFunctions;
  /** Runs it in its own child, because the same task has killed one. */
  alone?: boolean;
  /**
   * A person or a program waits, and the task itself waits for nothing: it runs apart from the other tasks, so that
   * neither kind waits for the other, and one at a time in a child, so that turns count.
   */
  isUrgent?: boolean;
  /**
   * Whose task it is, such as a client's address or an account. Owners take turns; tasks without an owner share one
   * turn.
   */
  owner?: string;
  /** Which part of the owner's tasks it belongs to, such as an agent's. An owner's parts take turns in its turns. */
  part?: string;
}

/** A task killed its child, on its second try if it had two, or threw an unexpected error. */
export class TaskLost extends Error {
  override readonly name = "TaskLost";

  constructor(
    task: string,
    readonly loss: Loss,
  ) {
    super(`the task ${task} ${lossText[loss]}`);
  }
}

const lossText: Record<Loss, string> = {
  time: "took too much time",
  memory: "took too much memory",
  crash: "ended its process",
  error: "failed",
};

export interface Pool {
  /**
   * Runs a task in a child. Rejects with the Failure that the task threw, with `TaskLost`, with Failure `overloaded` when too many
   * tasks wait, or with `unavailable` once the pool is closed. Do not change the bytes of `blobs` until it settles.
   */
  run(
    name: string,
    input: unknown,
    blobs?: readonly Bytes[],
    options?: TaskOptions,
  ): Promise<{ output: unknown; blobs: Uint8Array[] }>;
  /** Process ids of the children. */
  pids(): number[];
  /** Ends the children. Unfinished tasks reject with Failure `unavailable`. */
  close(): Promise<void>;
}

/** Makes a pool. Its first child starts with the first task. */
export function createPool(options: PoolOptions): Pool {
  const { command, log } = options;
  const size = options.size ?? Math.max(1, Math.min(CHILDREN_MAX, availableParallelism() - CORES_FOR_SERVER));
  const limits: PoolLimits = {
    stallMs: STALL_MS,
    rssBytesMax: RSS_BYTES_MAX,
    taskMs: TASK_MS,
    patienceMs: PATIENCE_MS,
    idleMs: IDLE_MS,
    queueMax: QUEUE_MAX,
    urgentBytesMax: URGENT_BYTES_MAX,
    urgentWaitMs: URGENT_WAIT_MS,
    ...options.limits,
  };
  /**
   * A child stays in its set until its process has exited. If it could change sets, or left one earlier, the limit on each
   * set would not limit the processes.
   */
  const children = new Set<Child>();
  const urgentChildren = new Set<Child>();
  /** Children for suspects, one suspect at a time in each. */
  const lone = new Set<Child>();
  const sets = [children, urgentChildren, lone];
  const queue = new Turns();
  const urgent = new Turns();
  const suspects = new Turns();
  let jobCount = 0;
  let isClosed = false;
  let idleTimer: ReturnType<typeof setTimeout> | null = null;
  let lateTimer: ReturnType<typeof setTimeout> | null = null;
  /** When each urgent task began to wait. */
  const waitingSince = new WeakMap<Job, number>();

  const allChildren = () => sets.flatMap((set) => [...set]);

  function spawn(): Child {
    return new Child(command, limits, schedule, onDeath);
  }

  function onDeath(child: Child, loss: Loss | null, lastWords: string): void {
    for (const set of sets) set.delete(child);
    const jobs = [...child.jobs.values()];
    child.jobs.clear();
    const cause = loss ?? "crash";
    if (loss !== null)
      log.warn("worker.lost", {
        pid: child.pid,
        reason: loss,
        tasks: jobs.map((job) => job.name).join(" "),
        ...(lastWords ? { said: lastWords.replace(/\s+/g, " ").trim() } : {}),
      });
    for (const job of jobs) {
      job.deaths++;
      if (isClosed) job.failed({ kind: "failed", id: job.id, error: closedError });
      else if (job.deaths > 1) job.lost(cause);
      else suspects.push(job);
    }
    schedule();
  }

  const childrenFor = ({ isUrgent }: Job) => (isUrgent ? urgentChildren : children);

  /** The least busy child of the job's kind with room for it, or a new one if all are busy; null if the job must wait. */
  function childFor(job: Job): Child | null {
    let best: Child | null = null;
    const own = childrenFor(job);
    for (const child of own)
      if (!child.isLeaving && hasRoom(child, job) && leavesRoom(child, job) && (!best || child.active < best.active))
        best = child;
    if (best && best.jobs.size === 0) return best;
    // Start another process only for work that would otherwise wait.
    if (
      own.size < size &&
      (!best || best.active >= activeAtBest(job) || best.bytes + job.bytes > WORTH_A_CHILD_BYTES)
    ) {
      best = spawn();
      own.add(best);
    }
    return best;
  }

  /** Whether the job's owner may have another active task. It may still have to wait for room. */
  function isDue(job: Job): boolean {
    const own = childrenFor(job);
    return own.size < size || [...own].some((child) => !child.isLeaving && leavesRoom(child, job));
  }

  function schedule(): void {
    if (isClosed) return;
    for (const line of [urgent, queue])
      for (let job = line.next(isDue); job; job = line.next(isDue)) {
        const due = job;
        const child = tried(due, () => childFor(due));
        // Jobs after it wait too, because smaller ones would keep a large job out for ever.
        if (child === null) break;
        line.take(due);
        if (child) child.take(due);
      }
    for (let suspect = suspects.next(); suspect; suspect = suspects.next()) {
      let child = [...lone].find((one) => one.jobs.size === 0 && !one.isLeaving);
      if (!child && lone.size >= size) break;
      suspects.take(suspect);
      child ??= tried(suspect, spawn);
      if (!child) continue;
      lone.add(child);
      child.take(suspect);
    }
    retire();
  }

  /** The result of `start`. If it cannot start a process, the job fails and the result is undefined. */
  function tried<T>(job: Job, start: () => T): T | undefined {
    try {
      return start();
    } catch (error) {
      log.error("worker.not_started", {}, error);
      job.lost("crash");
      return undefined;
    }
  }

  /** Refuses the urgent tasks that have waited for too long, until none waits. One timer serves all. */
  function watchLate(): void {
    if (urgent.length === 0) return;
    lateTimer ??= setTimeout(() => {
      lateTimer = null;
      const before = performance.now() - limits.urgentWaitMs;
      for (const job of urgent.clear((job) => (waitingSince.get(job) ?? 0) <= before))
        job.failed({ kind: "failed", id: job.id, error: lateError });
      watchLate();
    }, limits.urgentWaitMs / LOOKS_AT_LATE);
    lateTimer.unref();
  }

  /** Ends idle children that have grown, and sees to it that each ends after `idleMs` without tasks. */
  function retire(): void {
    if (suspects.length === 0) for (const child of lone) endIdle(child);
    for (const child of allChildren()) if (child.rssBytes > RSS_BYTES_KEPT) endIdle(child);
    if (!idleTimer && allChildren().length > 0) waitForIdleness(limits.idleMs);
  }

  /** One timer serves all children: when it fires, it waits for the one that has been idle longest. */
  function waitForIdleness(ms: number): void {
    idleTimer = setTimeout(() => {
      idleTimer = null;
      const now = performance.now();
      let nextMs = limits.idleMs;
      for (const child of allChildren()) {
        const leftMs = child.idleSince + limits.idleMs - now;
        if (leftMs <= 0) endIdle(child);
        else nextMs = Math.min(nextMs, leftMs);
      }
      if (allChildren().length > 0) waitForIdleness(nextMs);
    }, Math.ceil(ms));
    idleTimer.unref();
  }

  /** Kills the child if it has no jobs: a process that was only asked to end could stay. */
  function endIdle(child: Child): void {
    if (child.jobs.size === 0 && !child.isLeaving) child.kill(null);
  }

  return {
    run(name, input, blobs = [], { host = {}, alone = false, isUrgent = false, owner = "", part = "" } = {}) {
      if (isClosed) return Promise.reject(errorFromData(closedError));
      const waiting = alone ? suspects : isUrgent ? urgent : queue;
      const bytes = blobs.reduce((sum, blob) => sum + lengthOf(blob), 0);
      const bytesMax = waiting === urgent ? limits.urgentBytesMax : Number.POSITIVE_INFINITY;
      const own = owner === "" ? { count: 0, bytes: 0 } : waiting.of(owner);
      if (
        waiting.length >= limits.queueMax ||
        own.count >= limits.queueMax * OWNER_SHARE ||
        (waiting.bytes > 0 && waiting.bytes + bytes > bytesMax) ||
        (own.bytes > 0 && own.bytes + bytes > bytesMax * OWNER_SHARE)
      )
        return Promise.reject(
          new Failure("overloaded", "The server is too busy; try again later.", {
            retryAfterSeconds: RETRY_AFTER_SECONDS,
          }),
        );
      return new Promise((resolve, reject) => {
        const job: Job = {
          id: ++jobCount,
          name,
          input,
          blobs,
          host,
          isUrgent,
          owner,
          part,
          bytes,
          ranMs: 0,
          deaths: alone ? 1 : 0,
          done: (output, results) => resolve({ output, blobs: results }),
          failed({ error }) {
            // A bug in a task must cost only that task, and its caller has a fallback.
            const isOurs = error.kind === "error" && !error.isPassedOn;
            if (isOurs) log.error("worker.task_failed", { task: name }, errorFromData(error));
            reject(isOurs ? new TaskLost(name, "error") : errorFromData(error));
          },
          lost: (loss) => reject(new TaskLost(name, loss)),
        };
        waitingSince.set(job, performance.now());
        waiting.push(job);
        schedule();
        watchLate();
      });
    },

    pids: () => allChildren().map((child) => child.pid),

    async close() {
      isClosed = true;
      if (idleTimer) clearTimeout(idleTimer);
      if (lateTimer) clearTimeout(lateTimer);
      for (const job of [...urgent.clear(), ...queue.clear(), ...suspects.clear()])
        job.failed({ kind: "failed", id: job.id, error: closedError });
      const all = allChildren();
      for (const child of all) {
        if (child.jobs.size > 0) child.kill(null);
        else child.end();
      }
      const patience = setTimeout(() => {
        for (const child of all) child.kill(null);
      }, CLOSE_MS);
      await Promise.all(all.map((child) => child.exited));
      clearTimeout(patience);
    },
  };
}

/** As many active tasks in a child are reason enough to start another one. An urgent task does not join one that is stuck. */
function activeAtBest({ isUrgent }: Job): number {
  return isUrgent ? 1 : TASKS_PER_CHILD / 4;
}

/** Whether the child can take the job now. */
function hasRoom(child: Child, job: Job): boolean {
  if (child.active >= TASKS_PER_CHILD) return false;
  // Pieces of two urgent tasks would alternate in it, so a short one would wait for each piece of a long one.
  if (job.isUrgent) return !child.isAtWork;
  if (child.active > 0 && child.activeBytes + job.bytes > BYTES_PER_CHILD) return false;
  return (
    child.jobs.size < TASKS_PER_CHILD_MAX && (child.jobs.size === 0 || child.bytes + job.bytes <= BYTES_PER_CHILD_MAX)
  );
}

/** Whether the child keeps room for other owners if it takes the job. */
function leavesRoom(child: Child, job: Job): boolean {
  if (job.owner === "") return true;
  const { tasks, bytes, active, activeBytes } = child.heldBy(job.owner);
  if (tasks === 0) return true;
  if (active > 0 && (active >= OWNER_TASKS_AT_ONCE || activeBytes + job.bytes > OWNER_BYTES_AT_ONCE)) return false;
  return tasks < TASKS_PER_CHILD_MAX * OWNER_SHARE && bytes + job.bytes <= BYTES_PER_CHILD_MAX * OWNER_SHARE;
}

/** A queue in which owners take turns, and in them their parts. The jobs of one part keep their order. */
class Turns {
  length = 0;
  /** The blobs of all jobs. */
  bytes = 0;
  /** By owner, then by part. The next one comes first. */
  private readonly byOwner = new Map<string, Map<string, Job[]>>();

  push(job: Job): void {
    const parts = this.byOwner.get(job.owner) ?? new Map<string, Job[]>();
    parts.set(job.part, [...(parts.get(job.part) ?? []), job]);
    this.byOwner.set(job.owner, parts);
    this.length++;
    this.bytes += job.bytes;
  }

  /** An owner's jobs, and their blobs. */
  of(owner: string): { count: number; bytes: number } {
    const jobs = [...(this.byOwner.get(owner)?.values() ?? [])].flat();
    return { count: jobs.length, bytes: jobs.reduce((sum, job) => sum + job.bytes, 0) };
  }

  /** The first job that may go and is the first of its part. */
  next(mayGo: (job: Job) => boolean = () => true): Job | undefined {
    for (const parts of this.byOwner.values())
      for (const [first] of parts.values()) if (first && mayGo(first)) return first;
    return undefined;
  }

  /** Removes the job that `next` returned, and puts its part and its owner after all others. */
  take({ bytes, owner, part }: Job): void {
    const parts = this.byOwner.get(owner) ?? new Map<string, Job[]>();
    const [, ...jobs] = parts.get(part) ?? [];
    this.length--;
    this.bytes -= bytes;
    parts.delete(part);
    if (jobs.length > 0) parts.set(part, jobs);
    this.byOwner.delete(owner);
    if (parts.size > 0) this.byOwner.set(owner, parts);
  }

  /** Removes and returns all jobs, or those that match. The others keep their places. */
  clear(which: (job: Job) => boolean = () => true): Job[] {
    const gone: Job[] = [];
    for (const [owner, parts] of this.byOwner) {
      for (const [part, jobs] of parts) {
        const kept = jobs.filter((job) => !which(job));
        gone.push(...jobs.filter(which));
        if (kept.length > 0) parts.set(part, kept);
        else parts.delete(part);
      }
      if (parts.size === 0) this.byOwner.delete(owner);
    }
    this.length -= gone.length;
    this.bytes -= gone.reduce((sum, job) => sum + job.bytes, 0);
    return gone;
  }
}

/** With more bytes than this in one child, its tasks would make each other wait. */
const WORTH_A_CHILD_BYTES = 1024 * 1024;

/** A task waits for so much longer than `urgentWaitMs`, at most: one part of that in this many. */
const LOOKS_AT_LATE = 4;
const lateError = {
  kind: "failure",
  code: "overloaded",
  message: "The server was busy with other requests and did not get to this one.",
  details: { fix: "Send fewer such requests at once, and this one again.", retryAfterSeconds: RETRY_AFTER_SECONDS },
} as const;
const closedError = { kind: "failure", code: "unavailable", message: "The server is stopping.", details: {} } as const;
