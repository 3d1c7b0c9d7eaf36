import { join } from "node:path";
import { testPostgres } from "../test/support/postgres.ts";

/** How many tests passed, failed and were skipped. */
export interface Counts {
  passed: number;
  failed: number;
  skipped: number;
}

const folder = join(import.meta.dir, "../sdks/python");
/** What the tests import. `.ci/run` installs Debian's packages of these. */
const modules = ["httpx", "websockets", "pytest"];
/** First Debian's Python, which alone sees Debian's packages; then the first Python on PATH. */
const candidates = process.platform === "win32" ? ["python"] : ["/usr/bin/python3", "python3"];
/** Keeps compiled files out of the source. */
const pytestEnv = { PYTHONDONTWRITEBYTECODE: "1" };

/** A Python that can run the SDK's tests; undefined if there is none. */
export function findPython(): string | undefined {
  return candidates.find(hasModules);
}

/** The command that runs some of the tests, by their paths below the project, on SQLite. `name`: as in `pytest -k`. */
export function pytestCommand(python: string, files: readonly string[], name?: string) {
  const cmd = [python, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", ...files, ...(name ? ["-k", name] : [])];
  return { cmd, env: pytestEnv };
}

/**
 * Runs the tests of the Python SDK with pytest, against the compiled binary, on SQLite and on their own Postgres.
 * Prints the report at the end, so that it can run beside other tests. Without a suitable Python the tests are skipped,
 * with a message; if CI is set, that is a failure.
 */
export async function pythonTests(): Promise<Counts> {
  const python = findPython();
  if (python === undefined) {
    const isCi = process.env.CI === "true";
    console.error(
      `Python SDK: ${isCi ? "failed" : "skipped"}. There is no Python 3.9 or newer here with ${modules.join(", ")}; ` +
        "on Debian: apt-get install python3-httpx python3-websockets python3-pytest",
    );
    return { passed: 0, failed: isCi ? 1 : 0, skipped: isCi ? 0 : 1 };
  }
  try {
    return await pytest(python);
  } catch (error) {
    console.error("Python SDK: failed.", error);
    return { passed: 0, failed: 1, skipped: 0 };
  }
}

async function pytest(python: string): Promise<Counts> {
  await using postgres = await testPostgres();
  const child = Bun.spawn([python, "-m", "pytest", "-q", `--color=${process.stdout.isTTY ? "yes" : "no"}`], {
    cwd: folder,
    stdin: "ignore",
    stdout: "pipe",
    stderr: "inherit",
    env: { ...process.env, ...pytestEnv, E2A_SDK_TEST_POSTGRES: postgres.url },
  });
  const [report, status] = await Promise.all([child.stdout.text(), child.exited]);
  process.stdout.write(report);
  const summary = Bun.stripANSI(report).trimEnd().split("\n").at(-1) ?? "";
  const count = (word: RegExp) => Number(summary.match(new RegExp(`(\\d+) ${word.source}`))?.[1] ?? 0);
  const counts = { passed: count(/passed/), failed: count(/failed/) + count(/errors?/), skipped: count(/skipped/) };
  // pytest may have crashed, or may not have been able to collect the tests.
  if (status !== 0 && counts.failed === 0) counts.failed = 1;
  return counts;
}

function hasModules(python: string): boolean {
  const ask = `import sys, ${modules.join(", ")}; sys.exit(sys.version_info < (3, 9))`;
  try {
    return Bun.spawnSync([python, "-c", ask], { stdio: ["ignore", "ignore", "ignore"] }).success;
  } catch {
    return false;
  }
}
