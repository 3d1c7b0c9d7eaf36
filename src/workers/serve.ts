/** The child's side: takes tasks from its link, and sends the results there. */
import { errorAsData, errorFromData } from "./errors.ts";
import { linkToParent } from "./link.ts";
import type { FromChild, ToChild } from "./protocol.ts";

/** What the server offers to a task. */
export interface Host {
  /** Calls a function of the server. Rejects with its error, or at once with the reason of an aborted signal. */
  call(name: string, args: unknown[], signal?: AbortSignal): Promise<unknown>;
  /** Awaits something outside this process, such as DNS. During a long wait other tasks may take this task's slot. */
  wait<T>(something: Promise<T>): Promise<T>;
}

/** One task: plain data and byte strings in and out. Its errors reach the caller, a `Failure` as a `Failure`. */
export type Task = (
  input: never,
  blobs: Uint8Array[],
  host: Host,
) => Promise<{ output: unknown; blobs?: Uint8Array[] }> | { output: unknown; blobs?: Uint8Array[] };

/** Tasks by name. */
export type TaskTable = Record<string, Task>;

/** After a task with more bytes than this, the child collects garbage at once: no socket waits for a child. */
const COLLECT_BYTES = 4 * 1024 * 1024;
/** A shorter wait is not reported: it is not worth two messages. */
const WAIT_TOLD_MS = 100;

/**
 * Serves tasks until the link ends, which means that the server is gone. Ignores signals that a terminal or a
 * supervisor sends to the whole process group: the server ends its children when it has finished.
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
  /** The tasks' current waits. One timer serves all, because a cache ends most of them quickly. */
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
 * Has the kernel kill this child when its parent dies: a child stuck in a computation never sees its link end. Linux
 * only; elsewhere such a child lives until its computation ends.
 */
async function dieWithParent(): Promise<void> {
  if (process.platform !== "linux") return;
  const { dlopen, FFIType } = await import("bun:ffi");
  // The names of libc in glibc and in musl.
  for (const library of ["libc.so.6", "libc.so"])
    try {
      const { symbols } = dlopen(library, {
        prctl: { args: [FFIType.i32, FFIType.u64], returns: FFIType.i32 },
      });
      symbols.prctl(PR_SET_PDEATHSIG, BigInt(SIGKILL));
      return;
    } catch {
      // Try the next name. Without either, the child still ends with its link.
    }
}
