import { chmodSync, constants, mkdtempSync, rmSync, statfsSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { type Counts, pythonTests } from "./test-python.ts";

/**
 * Runs the whole suite: first the check and the build of the binary, which some tests use; then `bun test` and the
 * tests of the Python SDK. Each pair runs concurrently. Arguments go to `bun test`, which then runs alone.
 *
 *   bun run test [part of a file name …] [-t name]
 *
 * The last line is `N passed, N failed` and possibly `, N skipped`. A failed check counts as one failed test. The exit
 * status is 0 only if nothing failed and at least one test ran.
 */

/** A test may start one or two servers, whose first answer takes a while on a busy machine. */
const TEST_TIMEOUT_MS = 30_000;
/** Each worker has its own Postgres, browser and child processes. */
const WORKERS_MAX = 4;
/** Enough free memory for the temporary files of all workers: databases, a browser, programs of Postgres. */
const MEMORY_FILES_BYTES_MIN = 6 * 1024 ** 3;
/** The last characters of the report, which always contain its summary. */
const TAIL_LENGTH = 4096;

const project = join(import.meta.dir, "..");

/** Runs a script of this project in the foreground. */
async function succeeds(...script: string[]): Promise<boolean> {
  const child = Bun.spawn([process.execPath, ...script], { cwd: project, stdio: ["ignore", "inherit", "inherit"] });
  return (await child.exited) === 0;
}

/**
 * A folder in memory, or null if the machine has none that is large enough and allows programs to run. Tests that store
 * mail spend half of their time, and a third of their processor time, waiting for a disk. They need no real one: for
 * power cuts, test/faults/disk.c simulates a disk that loses data.
 */
function memoryFolder(): string | null {
  let folder: string | null = null;
  try {
    const { bavail, bsize } = statfsSync("/dev/shm");
    if (process.env.TMPDIR || bavail * bsize < MEMORY_FILES_BYTES_MIN) return null;
    folder = mkdtempSync("/dev/shm/e2a-tests-");
    // The same mode as /tmp, because root's tests run Postgres as another user.
    chmodSync(folder, constants.S_IRWXU | constants.S_IRWXG | constants.S_IRWXO);
    const program = join(folder, "program");
    writeFileSync(program, "#!/bin/sh\n", { mode: 0o700 });
    if (Bun.spawnSync([program]).exitCode === 0) return folder;
  } catch {
    // The folder does not exist, or forbids running programs.
  }
  if (folder) rmSync(folder, { recursive: true, force: true });
  return null;
}

async function bunTest(args: string[]): Promise<Counts> {
  const folder = memoryFolder();
  const remove = () => folder && rmSync(folder, { recursive: true, force: true });
  // Files left behind there would use memory.
  for (const signal of ["SIGINT", "SIGTERM"] as const)
    process.once(signal, () => {
      remove();
      process.exit(1);
    });
  const workers = Math.min(availableParallelism(), WORKERS_MAX);
  // A worker reuses its Postgres, browser and child processes for all its files.
  const parallel = [`--parallel=${workers}`, "--no-isolate"];
  const child = Bun.spawn([process.execPath, "test", `--timeout=${TEST_TIMEOUT_MS}`, ...parallel, ...args], {
    cwd: project,
    stdin: "ignore",
    stdout: "inherit",
    stderr: "pipe",
    // Its output is piped through this process, so it cannot detect the terminal.
    env: { ...process.env, ...(folder && { TMPDIR: folder }), ...(process.stderr.isTTY && { FORCE_COLOR: "1" }) },
  });
  let tail = "";
  const decoder = new TextDecoder();
  for await (const chunk of child.stderr) {
    process.stderr.write(chunk);
    tail = (tail + decoder.decode(chunk, { stream: true })).slice(-TAIL_LENGTH);
  }
  const status = await child.exited;
  remove();
  const summary = Bun.stripANSI(tail);
  const count = (word: string) =>
    Number([...summary.matchAll(new RegExp(`^ *(\\d+) ${word}$`, "gm"))].at(-1)?.[1] ?? 0);
  const counts = { passed: count("pass"), failed: count("fail"), skipped: count("skip") + count("todo") };
  // The counts may not include a test file that does not load, or a crash.
  if (status !== 0 && counts.failed === 0) counts.failed = 1;
  return counts;
}

function add(more: Counts): void {
  counts.passed += more.passed;
  counts.failed += more.failed;
  counts.skipped += more.skipped;
}

const counts: Counts = { passed: 0, failed: 0, skipped: 0 };
const args = process.argv.slice(2);
const [checked, built] = await Promise.all([
  succeeds("scripts/check.ts"),
  succeeds("scripts/build.ts", "--if-changed"),
]);
if (built) {
  const suites = [bunTest(args), ...(args.length === 0 ? [pythonTests()] : [])];
  for (const found of await Promise.all(suites)) add(found);
} else counts.failed = 1;
if (!checked) counts.failed += 1;

console.log(
  `${counts.passed} passed, ${counts.failed} failed${counts.skipped > 0 ? `, ${counts.skipped} skipped` : ""}`,
);
process.exitCode = counts.failed === 0 && counts.passed > 0 ? 0 : 1;
