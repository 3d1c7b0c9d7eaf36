/** What a process has used, from Linux's /proc. Elsewhere everything is NaN. */
import { readFileSync } from "node:fs";

/** Clock ticks a second in /proc/<pid>/stat: USER_HZ, 100 on every Linux architecture that Bun runs on. */
const ticksPerSecond = 100;

/** Seconds, or what was made of them. */
export interface CpuUse {
  all: number;
  /** The thread that runs the event loop: what it needs for a message is the limit of one process. */
  main: number;
}

/** CPU the process has used so far, user and system (proc_pid_stat(5), fields 14 and 15). */
export function cpuSeconds(pid: number): CpuUse {
  const of = (path: string) => {
    const stat = read(path);
    // The second field is the name in parentheses, which may hold spaces.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond;
  };
  return { all: of(`/proc/${pid}/stat`), main: of(`/proc/${pid}/task/${pid}/stat`) };
}

/** Resident memory in MB (10^6 bytes): now, and the most so far. */
export function memoryMB(pid: number): { now: number; peak: number } {
  const status = read(`/proc/${pid}/status`);
  const field = (name: string) => (Number(status.match(new RegExp(`^${name}:\\s+(\\d+) kB`, "m"))?.[1]) * 1024) / 1e6;
  return { now: field("VmRSS"), peak: field("VmHWM") };
}

/** Processes that want a core, averaged over the last minute: noise from others before we start. */
export function loadAverage(): number {
  return Number(read("/proc/loadavg").split(" ")[0]);
}

function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
