/**
 * Processes that do what costs time on foreign bytes, so that the thread that serves sockets never waits for it.
 *
 * Processes and not threads: a thread that is stuck in a regular expression cannot be stopped, and its memory cannot be
 * limited. A child that stops answering or takes too much memory is killed; each task that it had is done once more, alone
 * in a fresh child, and only a task that kills this one too has failed.
 */
import { availableParallelism } from "node:os";
import { Failure } from "../util/errors.ts";
import type { Log } from "../util/log.ts";
import { Child, type ChildLimits, type HostFunctions, type Job, type Loss } from "./child.ts";
import { errorFromData } from "./errors.ts";
import { type Bytes, lengthOf } from "./frames.ts";

/** 25 MB of any mail seen take less than a second of processor time. */
const STALL_MS = 2_500;
/** The largest message a server takes by default, 25 MB, needs some 250 MB. */
const RSS_BYTES_MAX = 1024 * 1024 * 1024;
/** A verification may wait for DNS for as long as `dns.timeout` says, which is a minute at most. */
const TASK_MS = 90_000;
/** A server without mail goes back to its size. */
const IDLE_MS = 60_000;
/**
 * One core is the server's own; a second child beside it would only make both compile the same code. More children than
 * this would wait for the one thread that stores mail.
 */
const CHILDREN_MAX = 4;
const CORES_FOR_SERVER = 1;
/** Tasks in one child at a time, but for those that wait for the server: DNS may take seconds, and no time of the child. */
const TASKS_PER_CHILD = 16;
/** With those that wait: two children have as many as the SMTP door has connections. */
const TASKS_PER_CHILD_MAX = 250;
/** Bytes in one child at a time, unless a single task has more: each costs several in memory. */
const BYTES_PER_CHILD = 16 * 1024 * 1024;
/** With those that wait. */
const BYTES_PER_CHILD_MAX = 4 * BYTES_PER_CHILD;
/**
 * Tasks of one owner that a child works on at once, and their bytes unless one has more: what others ask for waits for few
 * of them. A child has one thread, so an owner alone loses nothing.
 */
const OWNER_TASKS_AT_ONCE = 4;
const OWNER_BYTES_AT_ONCE = 256 * 1024;
/** What an owner's tasks may have of a child's room in all, with those that wait. */
const OWNER_SHARE = 1 / 2;
/** An idle child above this is replaced: memory that grew once is not given back. */
const RSS_BYTES_KEPT = 256 * 1024 * 1024;
/** Tasks that wait; the next one is refused, for mail with a 452 and for HTTP with a 503. */
const QUEUE_MAX = 500;
const RETRY_AFTER_SECONDS = 5;
/** How long a closing pool waits for its children to end by themselves. */
const CLOSE_MS = 1_000;

export interface PoolLimits extends ChildLimits {
  idleMs: number;
  queueMax: number;
}

export interface PoolOptions {
  /** What to run: a program that calls `serveTasks`. */
  command: readonly string[];
  log: Log;
  /** Children at most, and as many again for tasks that are done alone. Default: one for each core but one, four at most. */
  size?: number;
  limits?: Partial<PoolLimits>;
}

export interface TaskOptions {
  host?: HostFunctions;
  /** In a child of its own: a task like it has killed one. */
  alone?: boolean;
  /** Somebody waits for it: it is done before tasks that are not, and theirs does not count against it. */
  isUrgent?: boolean;
  /** Whose it is, such as a client's address: owners take turns, and tasks without one share a turn. */
  owner?: string;
}

/** A task killed the child that did it, the second one where it was tried twice. */
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
};

export interface Pool {
  /**
   * Does a task in a child. Rejects with what the task threw, with `TaskLost`, and with Failure `overloaded` when too many
   * tasks wait. The bytes of `blobs` must stay as they are until then.
   */
  run(
    name: string,
    input: unknown,
    blobs?: readonly Bytes[],
    options?: TaskOptions,
  ): Promise<{ output: unknown; blobs: Uint8Array[] }>;
  /** Process ids of the children that live. */
  pids(): number[];
  /** Ends the children. Tasks that are not done reject with Failure `unavailable`. */
  close(): Promise<void>;
}

/** A pool without children: the first one starts with the first task. */
export function createPool(options: PoolOptions): Pool {
  const { command, log } = options;
  const size = options.size ?? Math.max(1, Math.min(CHILDREN_MAX, availableParallelism() - CORES_FOR_SERVER));
  const limits: PoolLimits = {
    stallMs: STALL_MS,
    rssBytesMax: RSS_BYTES_MAX,
    taskMs: TASK_MS,
    idleMs: IDLE_MS,
    queueMax: QUEUE_MAX,
    ...options.limits,
  };
  const children = new Set<Child>();
  /** Ending or killed, but not gone yet. */
  const leaving = new Set<Child>();
  const queue = new Turns();
  const urgent: Job[] = [];
  const suspects: Job[] = [];
  /** Each has one suspect at a time. */
  const lone = new Set<Child>();
  let jobCount = 0;
  let isClosed = false;
  let idleTimer: ReturnType<typeof setTimeout> | null = null;
  /** When a task came or went. */
  let usedAt = 0;

  function spawn(): Child {
    return new Child(command, limits, schedule, onDeath);
  }

  function onDeath(child: Child, loss: Loss | null, lastWords: string): void {
    children.delete(child);
    leaving.delete(child);
    lone.delete(child);
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

  /** The child with the least to do that has room for the job; a new one when all that live have something to do. */
  function childFor(job: Job, isUrgent: boolean): Child | null {
    let best: Child | null = null;
    for (const child of children) {
      if (child.isLeaving || child.active >= TASKS_PER_CHILD) continue;
      if (child.active > 0 && child.activeBytes + job.bytes > BYTES_PER_CHILD) continue;
      const hasRoom =
        child.jobs.size < TASKS_PER_CHILD_MAX &&
        (child.jobs.size === 0 || child.bytes + job.bytes <= BYTES_PER_CHILD_MAX);
      if (!isUrgent && !(hasRoom && leavesRoom(child, job))) continue;
      if (!best || child.active < best.active) best = child;
    }
    if (best && best.jobs.size === 0) return best;
    const starts = [...children].filter((child) => !child.isLeaving).length < size;
    // One more process is worth it only for work that would wait for the others.
    if (starts && (!best || best.active >= TASKS_PER_CHILD / 4 || best.bytes + job.bytes > WORTH_A_CHILD_BYTES)) {
      best = spawn();
      children.add(best);
    }
    return best;
  }

  /** Whether nothing but want of room keeps it: not that its owner has enough at work. */
  function isDue(job: Job): boolean {
    const living = [...children].filter((child) => !child.isLeaving);
    return living.length < size || living.some((child) => leavesRoom(child, job));
  }

  function schedule(): void {
    if (isClosed) return;
    for (let job = urgent[0]; job; job = urgent[0]) {
      const child = tried(job, () => childFor(job as Job, true));
      if (child === null) break;
      urgent.shift();
      if (child) child.take(job);
    }
    for (let job = queue.next(isDue); job; job = queue.next(isDue)) {
      const child = tried(job, () => childFor(job as Job, false));
      // Whoever comes behind does not go first: a large task would never find room.
      if (child === null) break;
      queue.take(job);
      if (child) child.take(job);
    }
    for (let suspect = suspects[0]; suspect; suspect = suspects[0]) {
      let child = [...lone].find((one) => one.jobs.size === 0 && !one.isLeaving);
      if (!child && lone.size >= size) break;
      suspects.shift();
      child ??= tried(suspect, spawn);
      if (!child) continue;
      lone.add(child);
      child.take(suspect);
    }
    retire();
  }

  /** What `start` gives; undefined when no process can be started, and the job has failed then. */
  function tried<T>(job: Job, start: () => T): T | undefined {
    try {
      return start();
    } catch (error) {
      log.error("worker.not_started", {}, error);
      job.lost("crash");
      return undefined;
    }
  }

  /** Ends children that have grown, and all of them when nothing came for a while. */
  function retire(): void {
    if (suspects.length === 0) for (const child of lone) if (child.jobs.size === 0 && !child.isLeaving) leave(child);
    for (const child of children) if (child.jobs.size === 0 && child.rssBytes > RSS_BYTES_KEPT) leave(child);
    usedAt = performance.now();
    if (children.size > 0 && !idleTimer) waitForIdleness(limits.idleMs);
  }

  /** One timer for many tasks: it looks when the last one was, and waits for what is left of the time. */
  function waitForIdleness(ms: number): void {
    idleTimer = setTimeout(() => {
      idleTimer = null;
      const leftMs = limits.idleMs - (performance.now() - usedAt);
      if (leftMs <= 0) for (const child of children) if (child.jobs.size === 0) leave(child);
      if (children.size > 0) waitForIdleness(leftMs > 0 ? leftMs : limits.idleMs);
    }, Math.ceil(ms));
    idleTimer.unref();
  }

  function leave(child: Child): void {
    children.delete(child);
    lone.delete(child);
    leaving.add(child);
    child.end();
  }

  return {
    run(name, input, blobs = [], { host = {}, alone = false, isUrgent = false, owner = "" } = {}) {
      if (isClosed) return Promise.reject(errorFromData(closedError));
      const waiting = alone ? suspects : isUrgent ? urgent : queue;
      if (waiting.length >= limits.queueMax)
        return Promise.reject(
          new Failure("overloaded", "The server is too busy; try again later.", {
            retryAfterSeconds: RETRY_AFTER_SECONDS,
          }),
        );
      return new Promise((resolve, reject) => {
        waiting.push({
          id: ++jobCount,
          name,
          input,
          blobs,
          host,
          owner,
          bytes: blobs.reduce((sum, blob) => sum + lengthOf(blob), 0),
          ranMs: 0,
          deaths: alone ? 1 : 0,
          done: (output, results) => resolve({ output, blobs: results }),
          failed: ({ error }) => reject(errorFromData(error)),
          lost: (loss) => reject(new TaskLost(name, loss)),
        });
        schedule();
      });
    },

    pids: () => [...children, ...leaving, ...lone].map((child) => child.pid),

    async close() {
      isClosed = true;
      if (idleTimer) clearTimeout(idleTimer);
      for (const job of [...urgent.splice(0), ...queue.clear(), ...suspects.splice(0)])
        job.failed({ kind: "failed", id: job.id, error: closedError });
      const all = [...children, ...leaving, ...lone];
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

/** Whether the job's owner may have it in that child beside what it has there, so that others find room. */
function leavesRoom(child: Child, job: Job): boolean {
  if (job.owner === "") return true;
  const { tasks, bytes, active, activeBytes } = child.heldBy(job.owner);
  if (tasks === 0) return true;
  if (active > 0 && (active >= OWNER_TASKS_AT_ONCE || activeBytes + job.bytes > OWNER_BYTES_AT_ONCE)) return false;
  return tasks < TASKS_PER_CHILD_MAX * OWNER_SHARE && bytes + job.bytes <= BYTES_PER_CHILD_MAX * OWNER_SHARE;
}

/** Jobs that wait: the owners' in turn, each owner's in the order in which they came. */
class Turns {
  length = 0;
  /** The owner whose turn it is comes first. */
  private readonly byOwner = new Map<string, Job[]>();

  push(job: Job): void {
    const own = this.byOwner.get(job.owner);
    if (own) own.push(job);
    else this.byOwner.set(job.owner, [job]);
    this.length++;
  }

  /** The first job of the first owner whose first one may go. */
  next(mayGo: (job: Job) => boolean): Job | undefined {
    for (const [first] of this.byOwner.values()) if (first && mayGo(first)) return first;
    return undefined;
  }

  /** Takes what `next` gave; its owner has its next turn behind all others. */
  take({ owner }: Job): void {
    const own = this.byOwner.get(owner) ?? [];
    own.shift();
    this.length--;
    this.byOwner.delete(owner);
    if (own.length > 0) this.byOwner.set(owner, own);
  }

  /** All jobs, which wait no more. */
  clear(): Job[] {
    const all = [...this.byOwner.values()].flat();
    this.byOwner.clear();
    this.length = 0;
    return all;
  }
}

/** A task beside this much in its child would make the others wait. */
const WORTH_A_CHILD_BYTES = 1024 * 1024;

const closedError = { kind: "failure", code: "unavailable", message: "The server is stopping.", details: {} } as const;
