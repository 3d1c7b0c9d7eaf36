/** Injects faults under the binary, and compares what it promised with what it kept. */
import { killedAtRandom, syncFailsThenPowerCut, type Tally, writesFailForAWhile } from "../../test/attacks/faults.ts";
import { storeAwayWhileSending } from "../../test/attacks/store-away.ts";
import { errno } from "../../test/faults/faulty-disk.ts";
import type { AttackOptions } from "./world.ts";

export interface FaultRow extends Tally {
  name: string;
  /** Why the scenario did not finish. */
  error?: string;
}

/** How often a process is killed, or the power cut. */
const ROUNDS = 5;
/** Longer than the leases of mail that is being sent. */
const AWAY_SECONDS = 100;

/** Runs every fault for a database. Disk faults are injected only under SQLite; Postgres handles its own disk. */
export async function attackFaults({ command, database, progress }: AttackOptions): Promise<FaultRow[]> {
  const [binary = ""] = command;
  const ofDisk: [string, () => Promise<Tally>][] = [
    ["kill -9 at random moments", () => killedAtRandom(binary, "kill -9", ROUNDS)],
    ["power cut at random moments", () => killedAtRandom(binary, "power cut", ROUNDS)],
    ["a sync of the log fails, then a power cut", () => syncFailsThenPowerCut(binary, "log")],
    ["a sync in a checkpoint fails, then a power cut", () => syncFailsThenPowerCut(binary, "database")],
    ["a full disk for a while, then a power cut", () => writesFailForAWhile(binary, errno.ENOSPC)],
    ["a read-only file system for a while, then a power cut", () => writesFailForAWhile(binary, errno.EROFS)],
  ];
  const scenarios: [string, () => Promise<Tally>][] = [
    ...(database === "sqlite" ? ofDisk : []),
    [
      `no writes for ${AWAY_SECONDS} s with mail at the upstream`,
      () => storeAwayWhileSending(binary, database, AWAY_SECONDS),
    ],
  ];
  const rows: FaultRow[] = [];
  for (const [name, run] of scenarios) {
    progress(`${database}: ${name}`);
    try {
      const { promised, lost, doubled } = await run();
      rows.push({ name, promised, lost, doubled });
    } catch (error) {
      rows.push({ name, promised: 0, lost: 0, doubled: 0, error: (error as Error).message });
    }
  }
  return rows;
}
