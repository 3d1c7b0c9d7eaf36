import { join } from "node:path";
import { checkApiTypes } from "./api-types.ts";
import { checkNotices } from "./notices.ts";

/**
 * All checks of the source that do not run it: types, lint and format, regular expressions whose time is not linear,
 * planted mistakes that no longer apply, unused files, exports and packages, licenses of packages, and versions that
 * are named in two places.
 *
 *   bun run check       reports problems
 *   bun run format      the same, and fixes lint and format if that is safe
 */

const project = join(import.meta.dir, "..");
const repair = process.argv.includes("--write");

/** Command lines that Bun runs concurrently. */
const commands: Record<string, string[]> = {
  types: ["node_modules/typescript/bin/tsc", "-p", "."],
  "types of the dashboard": ["node_modules/typescript/bin/tsc", "-p", "web"],
  "types of the SDK": ["node_modules/typescript/bin/tsc", "-p", "sdks/typescript", "--noEmit"],
  "planted mistakes": ["scripts/mutate.ts", "--list"],
  "regular expressions": ["scripts/regexps.ts", ...(repair ? ["--write"] : [])],
  "dead code": ["node_modules/knip/bin/knip.js", "--no-progress"],
  style: ["node_modules/@biomejs/biome/bin/biome", "check", ...(repair ? ["--write"] : []), "."],
};

async function runCommand(args: string[]): Promise<string> {
  const child = Bun.spawn([process.execPath, ...args], { cwd: project, stdout: "pipe", stderr: "pipe" });
  const [output, errors, status] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
  return status === 0 ? "" : output + errors;
}

/** Checks that Docker's build image and Bun's types have the Bun version that package.json pins. */
async function bunVersions(): Promise<string> {
  const read = (file: string) => Bun.file(join(project, file)).text();
  const { engines, devDependencies } = JSON.parse(await read("package.json"));
  const pinned = engines.bun.replace("~", "");
  const found = {
    "Dockerfile (ARG BUN_VERSION)": /^ARG BUN_VERSION=(.*)$/m.exec(await read("Dockerfile"))?.[1],
    "package.json (@types/bun)": devDependencies["@types/bun"],
  };
  return Object.entries(found)
    .filter(([, version]) => version !== pinned)
    .map(([place, version]) => `${place} names Bun ${version}; package.json (engines.bun) names ${pinned}.\n`)
    .join("");
}

const complaints = await Promise.all([
  ...Object.entries(commands).map(async ([name, args]) => [name, await runCommand(args)]),
  bunVersions().then((text) => ["Bun versions", text]),
  checkApiTypes().then((text) => ["API types", text]),
  checkNotices().then((text) => ["third-party notices", text]),
]);
for (const [name, text] of complaints) {
  console.error(`check ${name}: ${text ? "failed" : "ok"}`);
  if (text) console.error(text.trimEnd());
}
process.exitCode = complaints.some(([, text]) => text) ? 1 : 0;
