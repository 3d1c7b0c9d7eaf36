/** One child process as the server sees it: its link, its jobs, and whether it still responds. */
import { readFileSync, writeFileSync } from "node:fs";
import { errorAsData } from "./errors.ts";
import type { Bytes } from "./frames.ts";
import { type Link, type LinkedProcess, startLinked } from "./link.ts";
import type { FromChild, ToChild } from "./protocol.ts";

/** Functions of the server that a task may call. They take plain data; the signal aborts if the task stops waiting. */
export type HostFunctions = Record<string, (args: unknown[], signal: AbortSignal) => Promise<unknown>>;

/** Why a task was lost: its child was killed (`time`, `memory`) or ended (`crash`), or the task threw (`error`). */
export type Loss = "time" | "memory" | "crash" | "error";

export interface ChildLimits {
  /** Processor time that a child may spend without reading its link. */
  stallMs: number;
  /** Resident memory of one child. */
  rssBytesMax: number;
  /** From the start of a task to its result, including time spent waiting for DNS. */
  taskMs: number;
  /** How long an urgent task keeps the next one from starting. */
  patienceMs: number;
}

/** A task that is waiting for a child, or running in one. */
export interface Job {
  readonly id: number;
  readonly name: string;
  readonly input: unknown;
  readonly blobs: readonly Bytes[];
  /** Length of all blobs. */
  readonly bytes: number;
  readonly host: HostFunctions;
  readonly isUrgent: boolean;
  /** Whose task it is, or "" for a task without an owner; and which part of the owner's, or "". */
  readonly owner: string;
  readonly part: string;
  /** How long its current child has had it. Time in which the server itself was suspended does not count. */
  ranMs: number;
  /** How many children died while they had it. */
  deaths: number;
  done(output: unknown, blobs: Uint8Array[]): void;
  failed(error: FromChild & { kind: "failed" }): void;
  lost(loss: Loss): void;
}

/** How often a busy child is checked. At worst its memory grows by some 100 MB between two checks. */
const WATCH_MS = 100;
/** A child that was silent for this long gets a ping. */
const PING_AFTER_MS = 500;
/** A silent child is killed after this time, even if the machine was too busy to give it processor time. */
const SILENCE_MS_MAX = 30_000;
/** How much of the end of a child's standard error is kept for the log. */
const LAST_WORDS_CHARS = 2_000;

export class Child {
  readonly jobs = new Map<number, Job>();
  /** Length of all jobs' blobs. */
  bytes = 0;
  /** By job: how many answers it waits for, from the server or the network. Jobs that do not wait are absent. */
  private readonly waits = new Map<number, number>();
  /** When its last job left (`performance.now()`), or when it started. Says nothing while it has jobs. */
  idleSince = performance.now();
  /** Resident memory at the last check; 0 if the platform does not tell. */
  rssBytes = 0;
  private readonly process: LinkedProcess;
  private readonly link: Link;
  private readonly calls = new Map<number, AbortController>();
  private watch: ReturnType<typeof setInterval> | null = null;
  private lookedAt = 0;
  /** Time since the child last sent something. Time in which the server was suspended does not count. */
  private silentMs = 0;
  private cpuWhenHeard = 0;
  private isAsked = false;
  private loss: Loss | null = null;
  private isEnding = false;
  private lastWords = "";

  /**
   * @param onFree Called when a job has left, has begun to wait, or has run for `patienceMs`.
   * @param onDeath Called once, when the process has ended; `jobs` still lists its jobs.
   */
  constructor(
    command: readonly string[],
    private readonly limits: ChildLimits,
    private readonly onFree: () => void,
    onDeath: (child: Child, loss: Loss | null, lastWords: string) => void,
  ) {
    const closed = Promise.withResolvers<void>();
    const started = startLinked(command, {
      onFrame: ({ head, blobs }) => this.heard(head as FromChild, blobs),
      onChunk: () => this.isHeard(),
      onClose: (error) => {
        // An error means that the child wrote an invalid frame, so it is broken.
        if (error && !this.isLeaving) this.kill("crash");
        closed.resolve();
      },
    });
    this.process = started.process;
    this.link = started.link;
    this.process.unref();
    try {
      // If memory runs out, the kernel must kill a child, not the server.
      if (process.platform === "linux") writeFileSync(`/proc/${this.pid}/oom_score_adj`, "1000");
    } catch {
      // The process has already ended, which is handled below.
    }
    Promise.all([this.process.exited, closed.promise, this.listen()]).then(() => {
      this.stopWatching();
      for (const call of this.calls.values()) call.abort();
      onDeath(this, this.isEnding ? null : (this.loss ?? "crash"), this.lastWords);
    });
  }

  /** How many jobs use the child, rather than wait for the server or for DNS. */
  get active(): number {
    return this.jobs.size - this.waits.size;
  }

  get activeBytes(): number {
    let bytes = this.bytes;
    for (const id of this.waits.keys()) bytes -= this.jobs.get(id)?.bytes ?? 0;
    return bytes;
  }

  /** Whether an active job began so recently that it should end before another begins. */
  get isAtWork(): boolean {
    for (const { id, ranMs } of this.jobs.values())
      if (ranMs <= this.limits.patienceMs && !this.waits.has(id)) return true;
    return false;
  }

  /** Counts an owner's jobs, and those of them that are active. */
  heldBy(owner: string) {
    const held = { tasks: 0, bytes: 0, active: 0, activeBytes: 0 };
    for (const job of this.jobs.values()) {
      if (job.owner !== owner) continue;
      held.tasks++;
      held.bytes += job.bytes;
      if (this.waits.has(job.id)) continue;
      held.active++;
      held.activeBytes += job.bytes;
    }
    return held;
  }

  get pid(): number {
    return this.process.pid;
  }

  /** Whether it is ending, so it takes no more jobs. */
  get isLeaving(): boolean {
    return this.isEnding || this.loss !== null;
  }

  take(job: Job): void {
    if (this.jobs.size === 0) this.startWatching();
    job.ranMs = 0;
    this.jobs.set(job.id, job);
    this.bytes += job.bytes;
    const { id, name, input } = job;
    this.send({ kind: "task", id, name, input }, job.blobs);
  }

  /** Closes the link, so that the child exits. It must have no jobs. */
  end(): void {
    this.isEnding = true;
    this.link.end();
  }

  kill(loss: Loss | null): void {
    if (loss === null) this.isEnding = true;
    else this.loss ??= loss;
    this.process.kill("SIGKILL");
  }

  get exited(): Promise<unknown> {
    return this.process.exited;
  }

  private rss(): number {
    if (process.platform !== "linux") return 0;
    try {
      return Number(readFileSync(`/proc/${this.pid}/statm`, "latin1").split(" ")[1]) * PAGE_BYTES;
    } catch {
      return 0;
    }
  }

  private send(head: ToChild, blobs: readonly Bytes[] = []): void {
    this.link.writer.send(head, blobs);
  }

  private async listen(): Promise<void> {
    const decoder = new TextDecoder();
    try {
      for await (const chunk of this.process.stderr)
        this.lastWords = (this.lastWords + decoder.decode(chunk, { stream: true })).slice(-LAST_WORDS_CHARS);
    } catch {
      // The exit of the process is handled elsewhere.
    }
  }

  private heard(message: FromChild, blobs: Uint8Array[]): void {
    if (message.kind === "done") this.leave(message.id)?.done(message.output, blobs);
    else if (message.kind === "failed") this.leave(message.id)?.failed(message);
    else if (message.kind === "call") this.answer(message);
    else if (message.kind === "waits") this.countWait(message.id, +1);
    else if (message.kind === "resumes") this.countWait(message.id, -1);
    else if (message.kind === "abort") this.calls.get(message.call)?.abort();
  }

  private leave(id: number): Job | undefined {
    const job = this.jobs.get(id);
    if (!job) return undefined;
    this.jobs.delete(id);
    this.waits.delete(id);
    this.bytes -= job.bytes;
    if (this.jobs.size === 0) {
      this.idleSince = performance.now();
      this.stopWatching();
    }
    queueMicrotask(this.onFree);
    return job;
  }

  private answer({ call, id, name, args }: FromChild & { kind: "call" }): void {
    const ask = this.jobs.get(id)?.host[name];
    const abort = new AbortController();
    this.calls.set(call, abort);
    this.countWait(id, +1);
    const asked = ask ? ask(args, abort.signal) : Promise.reject(new Error(`the server has no ${name}`));
    asked
      .then(
        (value) => this.send({ kind: "answer", call, value }),
        (error: unknown) => this.send({ kind: "answer", call, error: errorAsData(error) }),
      )
      .finally(() => {
        this.calls.delete(call);
        this.countWait(id, -1);
      });
  }

  /** Counts the answers that a job waits for. A job that starts to wait makes room for another one. */
  private countWait(id: number, by: number): void {
    if (!this.jobs.has(id)) return;
    const count = this.waits.get(id) ?? 0;
    if (count + by > 0) this.waits.set(id, count + by);
    else this.waits.delete(id);
    if (count === 0) queueMicrotask(this.onFree);
  }

  private isHeard(): void {
    this.silentMs = 0;
    this.isAsked = false;
  }

  private startWatching(): void {
    this.isHeard();
    this.lookedAt = performance.now();
    this.watch = setInterval(() => this.look(), WATCH_MS);
  }

  private stopWatching(): void {
    if (this.watch) clearInterval(this.watch);
    this.watch = null;
  }

  private look(): void {
    const { stallMs, rssBytesMax, taskMs, patienceMs } = this.limits;
    const now = performance.now();
    const passedMs = Math.min(now - this.lookedAt, 2 * WATCH_MS);
    this.lookedAt = now;
    this.silentMs += passedMs;
    for (const job of this.jobs.values()) {
      if (job.ranMs <= patienceMs && job.ranMs + passedMs > patienceMs) queueMicrotask(this.onFree);
      job.ranMs += passedMs;
    }
    this.rssBytes = this.rss();
    if (this.rssBytes > rssBytesMax) this.kill("memory");
    else if ([...this.jobs.values()].some((job) => job.ranMs > taskMs)) this.kill("time");
    else this.listenForLife(stallMs);
  }

  private listenForLife(stallMs: number): void {
    const { silentMs } = this;
    if (silentMs < PING_AFTER_MS) return;
    if (!this.isAsked) {
      this.isAsked = true;
      this.cpuWhenHeard = this.cpuMs() ?? 0;
      this.send({ kind: "ping" });
      return;
    }
    // Count processor time, so that a busy machine or a suspended server does not get a child killed.
    const cpuMs = this.cpuMs();
    const spentMs = cpuMs === null ? silentMs / 4 : cpuMs - this.cpuWhenHeard + PING_AFTER_MS;
    if (spentMs > stallMs || silentMs > SILENCE_MS_MAX) this.kill("time");
  }

  /** Processor time so far; null if the platform does not tell. */
  private cpuMs(): number | null {
    if (process.platform !== "linux") return null;
    try {
      const stat = readFileSync(`/proc/${this.pid}/stat`, "latin1");
      // Skip the name, which is in brackets and may contain anything. utime and stime are fields 14 and 15 (proc(5)).
      const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
      return (Number(fields[11]) + Number(fields[12])) * TICK_MS;
    } catch {
      return null;
    }
  }
}

/** The unit of /proc/<pid>/statm: 4 KiB on the processors that we build for, except arm64 kernels with larger pages. */
const PAGE_BYTES = 4096;
/** The unit of /proc/<pid>/stat: USER_HZ is 100 on every Linux platform. */
const TICK_MS = 10;
