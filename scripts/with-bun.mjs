/**
 * Runs steps with the Bun that this project is pinned to (package.json, engines.bun), on a machine that has only Node
 * (20 or newer) with npm, or only Bun. Before the steps it installs the packages that bun.lock names.
 *
 *   node scripts/with-bun.mjs bun scripts/build.ts --if-changed --then dist/e2a serve
 *
 * Steps are separated by `--then`; the first word `bun` is the Bun that was found, any other a program of this project.
 * Arguments that `npm start -- …` or `bun start …` append go to the last step. The first step that fails is the last.
 * Plain JavaScript without packages, because neither Bun nor a package is there yet when it starts.
 */
import { spawn, spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { constants } from "node:os";
import { basename, delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const project = join(dirname(fileURLToPath(import.meta.url)), "..");
const privateFolder = join(project, ".bun");
const windows = process.platform === "win32";
/** A step that takes longer than this says what it is doing. */
const patienceMs = 500;
/** Enough of a failed command's output to see the cause; the rest repeats it. */
const outputLinesShown = 8;
/** How soon a server whose `npm start` was killed begins to stop. */
const orphanCheckMs = 250;

const { engines } = JSON.parse(readFileSync(join(project, "package.json"), "utf8"));
/** `~1.4.5`: this version or a later patch of the same minor version will do. */
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

/** The Bun that runs this file, one on PATH, or the private copy: the first whose version fits. */
function findBun() {
  const candidates = [process.versions.bun ? process.execPath : "bun", "bun", ...privateCopies()];
  return candidates.map(fittingBun).find(Boolean);
}

/** The real path of that Bun when its version fits, else undefined. */
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

/** Bun's programs in the private folder: npm puts one there for each platform package that fits this machine. */
function privateCopies() {
  const packages = join(privateFolder, "node_modules", "@oven");
  if (!existsSync(packages)) return [];
  return readdirSync(packages).map((name) => join(packages, name, "bin", windows ? "bun.exe" : "bun"));
}

/** Installs the private copy. Without install scripts: the platform package alone is a whole Bun. */
async function installBun() {
  const args = ["install", "--prefix", privateFolder, "--no-save", "--no-package-lock", "--no-audit", "--no-fund"];
  args.push("--ignore-scripts", "--loglevel=error", `bun@${pinned}`);
  // Under `npm start` npm says where it is; the shell is what starts npm.cmd on Windows.
  const npm = basename(process.env.npm_execpath ?? "") === "npm-cli.js" ? process.env.npm_execpath : undefined;
  const { status, output } = npm
    ? await quietly(`installing Bun ${pinned} into .bun/ (once)`, process.execPath, [npm, ...args])
    : await quietly(`installing Bun ${pinned} into .bun/ (once)`, "npm", args, { shell: windows });
  const installed = status === 0 && privateCopies().map(fittingBun).find(Boolean);
  if (installed) return installed;
  fail(`Bun ${pinned} is needed, and npm could not install it. ${remedy(output)} npm said:`, output);
}

/** Makes node_modules what bun.lock says. When it is already, this takes some 20 ms and no network. */
async function installPackages() {
  const { status, output } = await quietly("installing packages", bun, ["install", "--frozen-lockfile"]);
  if (status !== 0) fail(`Could not install the packages that bun.lock names. ${remedy(output)} Bun said:`, output);
}

/** One sentence on what to do about a failed installation. */
function remedy(output) {
  if (/: not found/.test(output)) return "Install npm (it comes with Node) or Bun.";
  if (
    /E(AI_AGAIN|NOTFOUND|CONNREFUSED|CONNRESET|TIMEDOUT|NETUNREACH)|Connection(Refused|Closed|Reset)|DNS/i.test(output)
  )
    return "The package registry cannot be reached: check the network, the proxy and npm's registry setting.";
  return "Repair what it complains about and try again.";
}

/** Runs a command, keeps what it prints to itself, and says what is going on when it takes a while. */
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
  // A terminal sends Ctrl-C to the child as well; a second one could be taken for impatience.
  const terminal = process.stdin.isTTY || process.stderr.isTTY;
  const forward = (signal) => (signal === "SIGINT" && terminal) || child.kill(signal);
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, forward);
  // `npm start` and `bun start` put a shell between themselves and us, which dies of a signal without passing it on.
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

/** Says what is wrong, shows the beginning of a command's output, and ends. */
function fail(line, output = "") {
  say(line);
  const lines = output.split("\n").filter((text) => text.trim() !== "");
  for (const text of lines.slice(0, outputLinesShown)) process.stderr.write(`  ${text}\n`);
  if (lines.length > outputLinesShown) process.stderr.write(`  … and ${lines.length - outputLinesShown} more lines\n`);
  process.exit(1);
}
