import { cp, mkdir, mkdtemp, readFile, rm, symlink } from "node:fs/promises";
import { availableParallelism, tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { parseArgs } from "node:util";
import { $ } from "bun";
import { table } from "./bench/table.ts";
import { findPython, pytestCommand } from "./test-python.ts";

/**
 * Plants small mistakes in copies of the source, one at a time, and reports those that the tests do not catch.
 *
 *   bun run mutate                   every area; on two cores this takes hours
 *   bun run mutate store             one area: testdata/mutants/store.json
 *   bun run mutate store --only S16  one mistake; several are separated by commas
 *   bun run mutate --sample 4        four of each area
 *   bun run mutate --list            only checks that each mistake can still be planted, and that its tests exist
 *
 * An entry names a file, the text to find in it (exactly once), its replacement, the reason why that is a mistake, and
 * the tests that should fail. Its tests must pass before the mistake is planted. An entry that no longer applies is an
 * error, so that the list follows the code. A test that fails only by its time limit counts as caught, and is listed as
 * slow.
 *
 * Exit status: 0 if every mistake is caught, 1 if one is not, 2 if an entry does not apply.
 */

interface Mutant {
  /** Unique over all areas. */
  id: string;
  file: string;
  find: string;
  replace: string;
  /** What goes wrong, as a user would notice it. */
  reason: string;
  /** Test files that should fail: all of Bun's, or all of pytest's (`sdks/python/tests/…`). */
  tests: string[];
  /** Only tests whose name matches (`bun test -t`, a regular expression; `pytest -k`). */
  name?: string;
  /** The tests run the compiled program, which is rebuilt. */
  binary?: boolean;
}

interface Result {
  area: string;
  mutant: Mutant;
  outcome: "caught" | "slow" | "not caught" | "tests fail without it";
  seconds: number;
}

/** Time limit for an entry's tests; a mistake may make one of them hang. */
const LIMIT_MS = 180_000;
const project = join(import.meta.dir, "..");
const folder = join(project, "testdata", "mutants");

async function readMutants(area?: string): Promise<Map<string, Mutant[]>> {
  const files = (await Array.fromAsync(new Bun.Glob("*.json").scan(folder))).sort();
  const areas = files.map((file) => basename(file, ".json"));
  if (area !== undefined && !areas.includes(area)) {
    console.error(`No area "${area}". There are: ${areas.join(", ")}.`);
    process.exit(2);
  }
  const chosen = area === undefined ? areas : [area];
  return new Map(
    await Promise.all(
      chosen.map(async (name) => [name, await Bun.file(join(folder, `${name}.json`)).json()] as [string, Mutant[]]),
    ),
  );
}

const isPython = (test: string) => test.endsWith(".py");
const isBun = (test: string) => !isPython(test);

/**
 * The whole names of the tests in each file, as `bun test -t` matches them. Bun loads the files, because many names come
 * from tables, but runs no test.
 */
async function testNames(files: ReadonlySet<string>): Promise<Map<string, string[]>> {
  const names = new Map([...files].map((file) => [file, [] as string[]]));
  if (files.size === 0) return names;
  const dir = await mkdtemp(join(tmpdir(), "mutate-"));
  try {
    const report = join(dir, "tests.xml");
    const args = ["--reporter=junit", `--reporter-outfile=${report}`, "-t", "(?!)", ...files];
    const { stderr } = await $`${process.execPath} test ${args}`.cwd(project).nothrow().quiet();
    const xml = await readFile(report, "utf8").catch(() => {
      throw new Error(`Bun did not list the tests.\n${stderr}`);
    });
    for (const [, name = "", groups = "", file = ""] of xml.matchAll(testCase)) {
      // The innermost group comes first.
      const whole = [...groups.split(" &gt; ").reverse(), name].filter(Boolean).join(" ");
      names.get(file)?.push(whole.replace(/&(?:lt|gt|quot|apos|amp);/g, (entity) => entities[entity] as string));
    }
    return names;
  } finally {
    await rm(dir, { recursive: true });
  }
}

const testCase = /<testcase name="([^"]*)" classname="([^"]*)" time="[^"]*" file="([^"]*)"/g;
const entities: Record<string, string> = { "&lt;": "<", "&gt;": ">", "&quot;": '"', "&apos;": "'", "&amp;": "&" };

/** Why an entry cannot be planted, or not be caught; null if it can. `names`: of Bun's tests. */
async function whyNot({ file, find, replace, tests, name }: Mutant, names: Map<string, string[]>) {
  const path = join(project, file);
  if (!(await Bun.file(path).exists())) return `${file} is gone`;
  const count = (await Bun.file(path).text()).split(find).length - 1;
  if (count !== 1) return `${file} has what it looks for ${count} times`;
  if (find === replace) return "it changes nothing";
  if (tests.length === 0) return "it names no tests";
  if (tests.some(isPython) && !tests.every(isPython)) return "it names tests of two kinds";
  for (const test of tests) if (!(await Bun.file(join(project, test)).exists())) return `${test} is gone`;
  // pytest, which not every machine has, fails by itself if no test has the name.
  if (!name || tests.every(isPython)) return null;
  const wanted = new RegExp(name);
  return tests.some((test) => names.get(test)?.some((one) => wanted.test(one))) ? null : `no test matches "${name}"`;
}

/** Copies the project's files in git, with uncommitted changes, and links the installed packages of the original. */
async function copyProject(): Promise<string> {
  const copy = await mkdtemp(join(tmpdir(), "mutate-"));
  const listed = await $`git ls-files --cached --others --exclude-standard -z`.cwd(project).quiet().text();
  for (const file of listed.split("\0").filter(Boolean)) {
    if (!(await Bun.file(join(project, file)).exists())) continue;
    await mkdir(dirname(join(copy, file)), { recursive: true });
    await cp(join(project, file), join(copy, file));
  }
  await symlink(join(project, "node_modules"), join(copy, "node_modules"));
  for (const made of ["dist", ".bun"])
    await cp(join(project, made), join(copy, made), { recursive: true, force: true });
  return copy;
}

async function run(
  copy: string,
  cmd: readonly string[],
  env: Record<string, string> = {},
): Promise<"passed" | "failed" | "too slow"> {
  const child = Bun.spawn([...cmd], {
    cwd: copy,
    env: { ...process.env, ...env },
    stdio: ["ignore", "ignore", "ignore"],
    // Its own process group, so that servers left behind by a broken test end with it.
    detached: true,
  });
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    endGroup(child.pid);
  }, LIMIT_MS);
  const status = await child.exited;
  clearTimeout(timer);
  endGroup(child.pid);
  return late ? "too slow" : status === 0 ? "passed" : "failed";
}

function endGroup(pid: number): void {
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // No process of the group is left.
  }
}

async function testsOf(copy: string, { tests, name, binary }: Mutant): Promise<"passed" | "failed" | "too slow"> {
  const bun = process.execPath;
  if (binary && (await run(copy, [bun, "scripts/build.ts"])) !== "passed") return "failed";
  if (tests.every(isPython)) {
    const { cmd, env } = pytestCommand(findPython() ?? "python3", tests, name);
    return run(copy, cmd, env);
  }
  return run(copy, [bun, "test", "--timeout=30000", "--bail", ...tests, ...(name ? ["-t", name] : [])]);
}

/** Whether tests pass on the unchanged code; cached by tests. */
const sound = new Map<string, Promise<boolean>>();

async function plant(copy: string, area: string, mutant: Mutant): Promise<Result> {
  const startedMs = performance.now();
  const done = (outcome: Result["outcome"]): Result => {
    const seconds = (performance.now() - startedMs) / 1000;
    return { area, mutant, outcome, seconds };
  };
  const key = JSON.stringify([mutant.tests, mutant.name, mutant.binary]);
  let isSound = sound.get(key);
  if (!isSound) {
    isSound = testsOf(copy, mutant).then((said) => said === "passed");
    sound.set(key, isSound);
  }
  if (!(await isSound)) return done("tests fail without it");
  const path = join(copy, mutant.file);
  const before = await Bun.file(path).text();
  await Bun.write(
    path,
    before.replace(mutant.find, () => mutant.replace),
  );
  try {
    const said = await testsOf(copy, mutant);
    return done(said === "passed" ? "not caught" : said === "failed" ? "caught" : "slow");
  } finally {
    await Bun.write(path, before);
  }
}

const { values, positionals } = parseArgs({
  options: {
    list: { type: "boolean" },
    only: { type: "string" },
    sample: { type: "string" },
    parallel: { type: "string", default: String(availableParallelism()) },
  },
  allowPositionals: true,
});

/** As many mutants as `--sample` says, evenly spread; without it all. */
function sampled(mutants: Mutant[]): Mutant[] {
  const count = Math.min(Number(values.sample ?? mutants.length), mutants.length);
  return Array.from({ length: count }, (_, i) => mutants[Math.floor((i * mutants.length) / count)] as Mutant);
}

const areas = await readMutants(positionals[0]);
const all = [...areas].flatMap(([area, mutants]) => mutants.map((mutant) => ({ area, mutant })));
const seen = new Set<string>();
const names = await testNames(new Set(all.flatMap(({ mutant }) => (mutant.name ? mutant.tests : []).filter(isBun))));
let inapplicable = 0;
for (const { area, mutant } of all) {
  const why = seen.has(mutant.id) ? "another entry has its id" : await whyNot(mutant, names);
  seen.add(mutant.id);
  if (why === null) continue;
  inapplicable++;
  console.error(`${area} ${mutant.id}: ${why}.`);
}
if (inapplicable > 0) {
  console.error(`${inapplicable} of ${all.length} entries do not apply. Bring them up to date in testdata/mutants/.`);
  process.exit(2);
}
if (values.list) {
  console.log(`${all.length} mistakes in ${areas.size} areas, all of which can be planted.`);
  process.exit(0);
}

const only = values.only?.split(",");
const wanted =
  only === undefined
    ? [...areas].flatMap(([area, mutants]) => sampled(mutants).map((mutant) => ({ area, mutant })))
    : all.filter(({ mutant }) => only.includes(mutant.id));
const results: Result[] = [];
const waiting = [...wanted];
await Promise.all(
  Array.from({ length: Math.max(1, Number(values.parallel)) }, async () => {
    const copy = await copyProject();
    try {
      for (let next = waiting.shift(); next; next = waiting.shift()) {
        const result = await plant(copy, next.area, next.mutant);
        results.push(result);
        const { mutant, outcome, seconds } = result;
        console.error(
          `${results.length}/${wanted.length} ${next.area} ${mutant.id}: ${outcome} (${seconds.toFixed(0)} s)`,
        );
      }
    } finally {
      await rm(copy, { recursive: true, force: true });
    }
  }),
);

const count = (area: string, ...outcomes: Result["outcome"][]) =>
  results.filter((result) => result.area === area && outcomes.includes(result.outcome)).length;
const named = [...new Set(results.map(({ area }) => area))].sort();
const rows = named.map((area) => [
  area,
  String(results.filter((result) => result.area === area).length),
  String(count(area, "caught", "slow")),
  String(count(area, "slow")),
  String(count(area, "not caught", "tests fail without it")),
]);
console.log(table([["area", "mistakes", "caught", "of them slow", "not caught"], ...rows], 5).join("\n"));
const missed = results.filter(({ outcome }) => outcome === "not caught" || outcome === "tests fail without it");
for (const { area, mutant, outcome } of missed.sort((a, b) => (a.mutant.id < b.mutant.id ? -1 : 1)))
  console.log(`${area} ${mutant.id} ${outcome}: ${mutant.reason} (${mutant.file})`);
process.exitCode = missed.length > 0 ? 1 : 0;
