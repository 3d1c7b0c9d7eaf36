/** The child's side: takes tasks from its link, and answers there. */
import { errorAsData, errorFromData } from "./errors.ts";
import { linkToParent } from "./link.ts";
import type { FromChild, ToChild } from "./protocol.ts";

/** What a task may ask of the server. */
export interface Host {
  /** Rejects with the server's error. An aborted call rejects with the signal's reason at once. */
  call(name: string, args: unknown[], signal?: AbortSignal): Promise<unknown>;
  /** Waits for something outside of this process, such as DNS; others get the task's place when it takes a while. */
  wait<T>(something: Promise<T>): Promise<T>;
}

/** One task: plain data and byte strings in and out. What it throws reaches the caller, a `Failure` as a `Failure`. */
export type Task = (
  input: never,
  blobs: Uint8Array[],
  host: Host,
) => Promise<{ output: unknown; blobs?: Uint8Array[] }> | { output: unknown; blobs?: Uint8Array[] };

/** By name. */
export type TaskTable = Record<string, Task>;

/** After a task over this much, memory is given back at once: nothing here waits for a collection. */
const COLLECT_BYTES = 4 * 1024 * 1024;
/** A shorter wait is not worth two messages. */
const WAIT_TOLD_MS = 100;

/**
 * Serves until the link ends, which is when the server has gone. Signals that a terminal or a supervisor sends to
 * the whole group are the server's business: it ends its children when it has finished.
 */
export async function serveTasks(table: TaskTable): Promise<never> {
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => {});
  await dieWithParent();

  const link = linkToParent({
    onFrame({ head, blobs }) {
      const message = head as ToChild;
      if (message.kind === "task") void run(message, blobs);
      else if (message.kind === "ping") send({ kind: "pong" });
      else calls.get(message.call)?.(message);
    },
    onClose: () => process.exit(0),
  });
  const send = (head: FromChild, blobs: Uint8Array[] = []) => link.writer.send(head, blobs);
  const calls = new Map<number, (answer: ToChild & { kind: "answer" }) => void>();
  let callCount = 0;
  /** What tasks wait for. One timer looks after all of them: most are answered from a cache. */
  const waits = new Set<{ id: number; since: number; isTold: boolean }>();
  let watch: ReturnType<typeof setInterval> | null = null;

  function hostOf(id: number): Host {
    return {
      call(name, args, signal) {
        const call = ++callCount;
        return new Promise((resolve, reject) => {
          const onAbort = () => {
            calls.delete(call);
            send({ kind: "abort", call });
            reject(signal?.reason);
          };
          if (signal?.aborted) return reject(signal.reason);
          signal?.addEventListener("abort", onAbort, { once: true });
          calls.set(call, ({ value, error }) => {
            signal?.removeEventListener("abort", onAbort);
            calls.delete(call);
            if (error) reject(errorFromData(error));
            else resolve(value);
          });
          send({ kind: "call", call, id, name, args });
        });
      },
      async wait(something) {
        const wait = { id, since: performance.now(), isTold: false };
        waits.add(wait);
        watch ??= setInterval(tellLongWaits, WAIT_TOLD_MS / 2);
        try {
          return await something;
        } finally {
          waits.delete(wait);
          if (wait.isTold) send({ kind: "resumes", id });
        }
      },
    };
  }

  function tellLongWaits(): void {
    const now = performance.now();
    for (const wait of waits) {
      if (wait.isTold || now - wait.since < WAIT_TOLD_MS) continue;
      wait.isTold = true;
      send({ kind: "waits", id: wait.id });
    }
    if (waits.size > 0 || !watch) return;
    clearInterval(watch);
    watch = null;
  }

  async function run({ id, name, input }: ToChild & { kind: "task" }, blobs: Uint8Array[]): Promise<void> {
    const bytes = blobs.reduce((sum, blob) => sum + blob.byteLength, 0);
    try {
      const task = Object.hasOwn(table, name) ? table[name] : undefined;
      if (!task) throw new Error(`there is no task ${name}`);
      const { output, blobs: results } = await task(input as never, blobs, hostOf(id));
      send({ kind: "done", id, output }, results);
    } catch (error) {
      send({ kind: "failed", id, error: errorAsData(error) });
    }
    if (bytes > COLLECT_BYTES) setImmediate(() => Bun.gc(true));
  }

  send({ kind: "ready" });
  return new Promise(() => {});
}

/** prctl(2): the signal that the kernel sends when the parent dies. */
const PR_SET_PDEATHSIG = 1;
const SIGKILL = 9;

/**
 * A child that is stuck in a computation never sees its link end, so on Linux the kernel kills it with its parent.
 * Elsewhere such a child lives until its computation ends.
 */
async function dieWithParent(): Promise<void> {
  if (process.platform !== "linux") return;
  const { dlopen, FFIType } = await import("bun:ffi");
  // glibc's name, and musl's.
  for (const library of ["libc.so.6", "libc.so"])
    try {
      const { symbols } = dlopen(library, {
        prctl: { args: [FFIType.i32, FFIType.u64], returns: FFIType.i32 },
      });
      symbols.prctl(PR_SET_PDEATHSIG, BigInt(SIGKILL));
      return;
    } catch {
      // The other one, or none: the end of the link remains.
    }
}
