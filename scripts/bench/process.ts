/** The resources that processes use, from Linux's /proc. On other systems every figure is NaN. */
import { readdirSync, readFileSync } from "node:fs";

/** Clock ticks per second in /proc: USER_HZ, 100 on every Linux architecture that Bun supports. */
const TICKS_PER_SECOND = 100;

/** CPU of one process, in seconds or a unit derived from them. */
export interface CpuUse {
  all: number;
  /** The thread of the event loop. Its time per message limits the speed of one process. */
  main: number;
}

/** The resources used while the meter ran. */
export interface MeterReading {
  seconds: number;
  /** CPU seconds of the server. */
  server: CpuUse;
  /** Cores that other programs used: the noise. */
  otherCores: number;
}

/** Measures the CPU of a server with its child processes, and of the whole machine. `ours` do not count as noise. */
export function startMeter(serverPid: number, ours: readonly number[]): () => MeterReading {
  const look = () => {
    const server = cpuSeconds(serverPid);
    for (const child of descendantsOf(serverPid)) server.all += cpuSeconds(child).all;
    const known = server.all + [process.pid, ...ours].reduce((sum, pid) => sum + cpuSeconds(pid).all, 0);
    return { at: performance.now() / 1000, server, noise: machineSeconds() - known };
  };
  const before = look();
  return () => {
    const after = look();
    const seconds = after.at - before.at;
    return {
      seconds,
      server: { all: after.server.all - before.server.all, main: after.server.main - before.server.main },
      otherCores: Math.max(0, after.noise - before.noise) / seconds,
    };
  };
}

export function scaled({ all, main }: CpuUse, factor: number): CpuUse {
  return { all: all * factor, main: main * factor };
}

/** The descendants of a process (proc_pid_task_children(5)). */
export function descendantsOf(pid: number): number[] {
  const children = threadsOf(pid).flatMap((thread) =>
    read(`/proc/${pid}/task/${thread}/children`).split(" ").filter(Boolean).map(Number),
  );
  return children.flatMap((child) => [child, ...descendantsOf(child)]);
}

function threadsOf(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/task`);
  } catch {
    return [];
  }
}

/** Resident memory in MB (10^6 bytes): current and peak. */
export function memoryMB(pid: number): { now: number; peak: number } {
  const status = read(`/proc/${pid}/status`);
  const field = (name: string) => (Number(status.match(new RegExp(`^${name}:\\s+(\\d+) kB`, "m"))?.[1]) * 1024) / 1e6;
  return { now: field("VmRSS"), peak: field("VmHWM") };
}

/** User and system time so far (proc_pid_stat(5), fields 14 and 15). */
function cpuSeconds(pid: number): CpuUse {
  const of = (path: string) => {
    const stat = read(path);
    // The second field is the name in parentheses, which may contain spaces.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
  };
  return { all: of(`/proc/${pid}/stat`), main: of(`/proc/${pid}/task/${pid}/stat`) };
}

/** CPU time of all processes so far (proc_stat(5)): user, nice, system, interrupts; without idle and I/O wait. */
function machineSeconds(): number {
  const fields = read("/proc/stat").split("\n", 1)[0]?.split(/\s+/) ?? [];
  return [1, 2, 3, 6, 7].reduce((sum, i) => sum + Number(fields[i]), 0) / TICKS_PER_SECOND;
}

function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
