/** One child process as the server sees it: its link, what it works on, and whether it still does. */
import { readFileSync, writeFileSync } from "node:fs";
import { errorAsData } from "./errors.ts";
import type { Bytes } from "./frames.ts";
import { type Link, type LinkedProcess, startLinked } from "./link.ts";
import type { FromChild, ToChild } from "./protocol.ts";

/** Functions of the server that a task may call. They get plain data, and abort when the task no longer waits. */
export type HostFunctions = Record<string, (args: unknown[], signal: AbortSignal) => Promise<unknown>>;

/** Why a child was ended, or ended by itself. */
export type Loss = "time" | "memory" | "crash";

export interface ChildLimits {
  /** Processor time that a child may spend without coming back to its link. */
  stallMs: number;
  /** Resident memory of one child. */
  rssBytesMax: number;
  /** From the start of a task to its result, waiting for DNS included. */
  taskMs: number;
}

/** A task on its way through a child. */
export interface Job {
  readonly id: number;
  readonly name: string;
  readonly input: unknown;
  readonly blobs: readonly Bytes[];
  /** Of all blobs. */
  readonly bytes: number;
  readonly host: HostFunctions;
  /** Whose it is; "" when it has no owner. */
  readonly owner: string;
  /** How long the child that has it has had it, while the server itself was running. */
  ranMs: number;
  /** Children that died with it. */
  deaths: number;
  done(output: unknown, blobs: Uint8Array[]): void;
  failed(error: FromChild & { kind: "failed" }): void;
  lost(loss: Loss): void;
}

/** How often a busy child is looked at. Memory grows by some 100 MB between two looks at worst. */
const WATCH_MS = 100;
/** A child that was silent for this long is asked whether it is there. */
const PING_AFTER_MS = 500;
/** A machine may be so busy that a child gets no processor time; this is where waiting ends all the same. */
const SILENCE_MS_MAX = 30_000;
/** The last words of a child, for the log. */
const LAST_WORDS_CHARS = 2_000;

export class Child {
  readonly jobs = new Map<number, Job>();
  /** Bytes of the jobs. */
  bytes = 0;
  /** What each job that waits waits for: calls to the server, and the network. */
  private readonly waits = new Map<number, number>();
  /** Resident memory when it was last looked at; 0 where it cannot be told. */
  rssBytes = 0;
  private readonly process: LinkedProcess;
  private readonly link: Link;
  private readonly calls = new Map<number, AbortController>();
  private watch: ReturnType<typeof setInterval> | null = null;
  private lookedAt = 0;
  /** Since it was last heard. Time in which the server itself stood still does not count: it heard nothing then. */
  private silentMs = 0;
  private cpuWhenHeard = 0;
  private isAsked = false;
  private loss: Loss | null = null;
  private isEnding = false;
  private lastWords = "";

  /**
   * @param onFree Called when a job has left.
   * @param onDeath Called once, when the process has ended; its jobs are still listed.
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
        // What a child of ours writes can be read; this one is broken.
        if (error && !this.isLeaving) this.kill("crash");
        closed.resolve();
      },
    });
    this.process = started.process;
    this.link = started.link;
    this.process.unref();
    try {
      // When memory runs out, the kernel ends a child and not the server.
      if (process.platform === "linux") writeFileSync(`/proc/${this.pid}/oom_score_adj`, "1000");
    } catch {
      // It has ended already, which is noticed below.
    }
    Promise.all([this.process.exited, closed.promise, this.listen()]).then(() => {
      this.stopWatching();
      for (const call of this.calls.values()) call.abort();
      onDeath(this, this.isEnding ? null : (this.loss ?? "crash"), this.lastWords);
    });
  }

  /** Jobs that have something to do here, and do not wait for the server or for DNS. */
  get active(): number {
    return this.jobs.size - this.waits.size;
  }

  get activeBytes(): number {
    let bytes = this.bytes;
    for (const id of this.waits.keys()) bytes -= this.jobs.get(id)?.bytes ?? 0;
    return bytes;
  }

  /** What an owner has here: all its jobs, and those of them that do not wait. */
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

  /** Whether it takes no more jobs. */
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

  /** Lets it end by itself; it has no jobs. */
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
      // Its end is what matters.
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
    if (this.jobs.size === 0) this.stopWatching();
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

  /** A job that begins to wait makes room for another one. */
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
    const { stallMs, rssBytesMax, taskMs } = this.limits;
    const now = performance.now();
    const passedMs = Math.min(now - this.lookedAt, 2 * WATCH_MS);
    this.lookedAt = now;
    this.silentMs += passedMs;
    for (const job of this.jobs.values()) job.ranMs += passedMs;
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
    // Processor time counts, so that neither a busy machine nor a server that was stopped itself condemns a child.
    const cpuMs = this.cpuMs();
    const spentMs = cpuMs === null ? silentMs / 4 : cpuMs - this.cpuWhenHeard + PING_AFTER_MS;
    if (spentMs > stallMs || silentMs > SILENCE_MS_MAX) this.kill("time");
  }

  /** Processor time so far; null where it cannot be told. */
  private cpuMs(): number | null {
    if (process.platform !== "linux") return null;
    try {
      const stat = readFileSync(`/proc/${this.pid}/stat`, "latin1");
      // Behind the name, which is in brackets and may hold anything: utime and stime are fields 14 and 15 (proc(5)).
      const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
      return (Number(fields[11]) + Number(fields[12])) * TICK_MS;
    } catch {
      return null;
    }
  }
}

/** Of /proc/<pid>/statm: 4 KiB on the processors that we build for, but for arm64 kernels with larger pages. */
const PAGE_BYTES = 4096;
/** USER_HZ is 100 on every platform of Linux. */
const TICK_MS = 10;
