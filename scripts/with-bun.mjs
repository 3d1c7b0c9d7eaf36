/**
 * Runs steps with the Bun version that this project pins (package.json, engines.bun), on a machine that has only Node
 * (20 or newer) with npm, or only Bun. First installs the packages of bun.lock.
 *
 *   node scripts/with-bun.mjs bun scripts/build.ts --if-changed --then dist/e2a serve
 *
 * `--then` separates steps. A step that starts with `bun` runs that Bun; any other runs a program of this project.
 * Arguments that `npm start -- …` or `bun start …` append go to the last step. A step that fails ends the run.
 * Plain JavaScript without packages, because neither Bun nor packages may be installed when it starts.
 */
import { spawn, spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { constants } from "node:os";
import { basename, delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const project = join(dirname(fileURLToPath(import.meta.url)), "..");
const privateFolder = join(project, ".bun");
const windows = process.platform === "win32";
/** A step that takes longer than this reports what it is doing. */
const patienceMs = 500;
/** How many lines of a failed command's output are shown: enough for the cause. */
const outputLinesShown = 8;
/** How often to check whether `npm start` was killed, so that the server must stop. */
const orphanCheckMs = 250;

const { engines } = JSON.parse(readFileSync(join(project, "package.json"), "utf8"));
/** `~1.4.5` allows this version or a later patch of the same minor version. */
const pinned = engines.bun.replace("~", "");

if (process.argv.length < 3)
  fail("usage: node scripts/with-bun.mjs bun scripts/build.ts --if-changed --then dist/e2a serve");

const bun = findBun() ?? (await installBun());
process.env.PATH = dirname(bun) + delimiter + process.env.PATH;
await installPackages();
for (const [program, ...args] of steps(process.argv.slice(2))) {
  const status = await run(program === "bun" ? bun : join(project, program), args);
  if (status !== 0) process.exit(status);
}

function steps(words) {
  const all = [[]];
  for (const word of words) {
    if (word === "--then") all.push([]);
    else all.at(-1).push(word);
  }
  return all;
}

/** The first Bun with a matching version: the one that runs this file, one on PATH, or the private copy. */
function findBun() {
  const candidates = [process.versions.bun ? process.execPath : "bun", "bun", ...privateCopies()];
  return candidates.map(fittingBun).find(Boolean);
}

/** The real path of that Bun if its version matches, else undefined. */
function fittingBun(command) {
  const asked = spawnSync(command, ["-p", "process.versions.bun + ' ' + process.execPath"], { encoding: "utf8" });
  const [version, path] = asked.stdout?.trim().split(/ (.*)/) ?? [];
  return asked.status === 0 && fits(version) ? path : undefined;
}

function fits(version) {
  const [major, minor, patch] = version.split(".").map(Number);
  const [pinnedMajor, pinnedMinor, pinnedPatch] = pinned.split(".").map(Number);
  return major === pinnedMajor && minor === pinnedMinor && patch >= pinnedPatch;
}

/** The Bun programs in the private folder: npm installs one for each platform package that fits this machine. */
function privateCopies() {
  const packages = join(privateFolder, "node_modules", "@oven");
  if (!existsSync(packages)) return [];
  return readdirSync(packages).map((name) => join(packages, name, "bin", windows ? "bun.exe" : "bun"));
}

/** Installs the private copy. Needs no install scripts: the platform package alone is a complete Bun. */
async function installBun() {
  const args = ["install", "--prefix", privateFolder, "--no-save", "--no-package-lock", "--no-audit", "--no-fund"];
  args.push("--ignore-scripts", "--loglevel=error", `bun@${pinned}`);
  // Under `npm start` npm tells its path. On Windows only a shell can start npm.cmd.
  const npm = basename(process.env.npm_execpath ?? "") === "npm-cli.js" ? process.env.npm_execpath : undefined;
  const { status, output } = npm
    ? await quietly(`installing Bun ${pinned} into .bun/ (once)`, process.execPath, [npm, ...args])
    : await quietly(`installing Bun ${pinned} into .bun/ (once)`, "npm", args, { shell: windows });
  const installed = status === 0 && privateCopies().map(fittingBun).find(Boolean);
  if (installed) return installed;
  fail(`Bun ${pinned} is needed, and npm could not install it. ${remedy(output)} npm said:`, output);
}

/** Installs the packages of bun.lock. If they are installed, this takes some 20 ms and no network. */
async function installPackages() {
  const { status, output } = await quietly("installing packages", bun, ["install", "--frozen-lockfile"]);
  if (status !== 0) fail(`Could not install the packages that bun.lock names. ${remedy(output)} Bun said:`, output);
}

/** One sentence that says what to do about a failed installation. */
function remedy(output) {
  if (/: not found/.test(output)) return "Install npm (it comes with Node) or Bun.";
  if (
    /E(AI_AGAIN|NOTFOUND|CONNREFUSED|CONNRESET|TIMEDOUT|NETUNREACH)|Connection(Refused|Closed|Reset)|DNS/i.test(output)
  )
    return "The package registry cannot be reached: check the network, the proxy and npm's registry setting.";
  return "Repair what it complains about and try again.";
}

/** Runs a command without showing its output, and reports progress if it takes a while. */
async function quietly(what, command, args, options = {}) {
  const startedMs = Date.now();
  const notice = setTimeout(() => say(`${what} …`), patienceMs);
  const child = spawn(command, args, { cwd: project, stdio: ["ignore", "pipe", "pipe"], ...options });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk) => (output += chunk));
  const status = await new Promise((resolve) => {
    child.on("error", (error) => {
      output += error.code === "ENOENT" ? `${command}: not found` : error.message;
      resolve(1);
    });
    child.on("close", resolve);
  });
  clearTimeout(notice);
  const tookMs = Date.now() - startedMs;
  if (status === 0 && tookMs > patienceMs) say(`${what}: ${(tookMs / 1000).toFixed(1)} s`);
  return { status, output };
}

/** Runs a step in the foreground and returns its exit status. */
function run(command, args) {
  const child = spawn(command, args, { cwd: project, stdio: "inherit" });
  // A terminal also sends Ctrl-C to the child; passing it on would look like a second, impatient one.
  const terminal = process.stdin.isTTY || process.stderr.isTTY;
  const forward = (signal) => (signal === "SIGINT" && terminal) || child.kill(signal);
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, forward);
  // `npm start` and `bun start` run this file in a shell, which dies of a signal without passing it on.
  const parent = process.ppid;
  const orphanCheck = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(orphanCheck);
    child.kill("SIGTERM");
  }, orphanCheckMs);
  if (!process.env.npm_lifecycle_event) clearInterval(orphanCheck);
  return new Promise((resolve) => {
    child.on("error", (error) => fail(`Could not start ${command}: ${error.message}`));
    child.on("exit", (code, signal) => {
      clearInterval(orphanCheck);
      for (const name of ["SIGINT", "SIGTERM", "SIGHUP"]) process.off(name, forward);
      resolve(code ?? 128 + constants.signals[signal]);
    });
  });
}

function say(line) {
  process.stderr.write(`e2a: ${line}\n`);
}

/** Prints what is wrong and the beginning of a command's output, and exits. */
function fail(line, output = "") {
  say(line);
  const lines = output.split("\n").filter((text) => text.trim() !== "");
  for (const text of lines.slice(0, outputLinesShown)) process.stderr.write(`  ${text}\n`);
  if (lines.length > outputLinesShown) process.stderr.write(`  … and ${lines.length - outputLinesShown} more lines\n`);
  process.exit(1);
}
