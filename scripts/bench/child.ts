/** Helper processes of a benchmark: each on its own core if possible, and none outlives the benchmark. */
import type { Subprocess } from "bun";

export type Handlers = Record<string, (argument: never) => unknown>;

interface Call {
  id: number;
  method: string;
  argument: unknown;
}

interface Answer {
  id: number;
  value?: unknown;
  error?: string;
}

/** A helper process that answers calls. */
export interface Child<H extends Handlers> {
  readonly pid: number;
  /** Calls a handler there. Rejects with its error, or when the process ends first. */
  call<M extends keyof H & string>(method: M, argument: Parameters<H[M]>[0]): Promise<Awaited<ReturnType<H[M]>>>;
  stop(): Promise<void>;
}

/** Starts `file` (beside this one) in a separate process, which ends with this one, however it ends. */
export function startChild<H extends Handlers>(file: string): Child<H> {
  const waiting = new Map<number, { resolve: (value: unknown) => void; reject: (error: Error) => void }>();
  let calls = 0;
  const settle = ({ id, value, error }: Answer) => {
    const call = waiting.get(id);
    waiting.delete(id);
    if (error === undefined) call?.resolve(value);
    else call?.reject(new Error(`${file}: ${error}`));
  };
  const subprocess: Subprocess = Bun.spawn({
    cmd: [process.execPath, "--no-orphans", `${import.meta.dir}/./${file}`],
    stdio: ["ignore", "inherit", "inherit"],
    serialization: "advanced",
    ipc: (message) => settle(message as Answer),
    onExit() {
      for (const id of waiting.keys()) settle({ id, error: "the process ended" });
    },
  });
  return {
    pid: subprocess.pid,
    call(method, argument) {
      calls += 1;
      const call: Call = { id: calls, method, argument };
      return new Promise((resolve, reject) => {
        waiting.set(call.id, { resolve: resolve as (value: unknown) => void, reject });
        subprocess.send(call);
      });
    },
    async stop() {
      subprocess.kill("SIGKILL");
      await subprocess.exited;
    },
  };
}

/** In the child: answers the parent's calls. */
export function answerCalls<H extends Handlers>(handlers: H): void {
  process.on("message", async ({ id, method, argument }: Call) => {
    const handler = handlers[method] as (argument: unknown) => unknown;
    try {
      process.send!({ id, value: await handler(argument) } satisfies Answer);
    } catch (error) {
      process.send!({ id, error: String(error) } satisfies Answer);
    }
  });
}

/** Milliseconds since 1970 with fractions; all processes of the machine share this clock. */
export function wallMs(): number {
  return performance.timeOrigin + performance.now();
}

/** Rejects if `promise` takes longer than `ms`. */
export async function within<T>(ms: number, what: string, promise: Promise<T>): Promise<T> {
  let timer: Timer | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} took longer than ${ms / 1000} s`)), ms);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
