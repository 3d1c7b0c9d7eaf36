import { existsSync } from "node:fs";
import { mkdir, mkdtemp, rename, rm } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { $ } from "bun";
import { assetFolders } from "../src/assets.ts";
import { buildWeb } from "./web.ts";

/**
 * Builds the single binary, with dashboard, migrations and documentation inside.
 *
 *   bun run build                          dist/e2a, for this machine
 *   bun run build --target linux-arm64     dist/e2a-linux-arm64; also linux-x64, darwin-arm64, darwin-x64, windows-x64
 *   bun run build --target all             one binary for each target
 *   bun run build --if-changed             builds only if one of its inputs has changed
 */

/** The targets, each with the package that contains its Bun runtime. */
const runtimePackages = {
  "linux-x64": "@oven/bun-linux-x64",
  "linux-arm64": "@oven/bun-linux-aarch64",
  "darwin-arm64": "@oven/bun-darwin-aarch64",
  "darwin-x64": "@oven/bun-darwin-x64",
  "windows-x64": "@oven/bun-windows-x64",
} as const;
export type Target = keyof typeof runtimePackages;

const project = join(import.meta.dir, "..");
const source = join(project, "src");

export interface BuildOptions {
  /** Source files: the program, then its workers. */
  readonly entrypoints: readonly string[];
  /** The binary's path; for Windows it ends in `.exe`. */
  readonly outfile: string;
  /** Default: this machine. */
  readonly target?: Target;
}

/** Compiles a program to one file. A process that runs from an older file keeps running. Throws if compiling fails. */
export async function build({ entrypoints, outfile, target }: BuildOptions): Promise<void> {
  await mkdir(dirname(outfile), { recursive: true });
  // In the folder of the outfile, so that the last step is an atomic rename.
  const staging = await mkdtemp(join(dirname(outfile), ".build-"));
  try {
    await Bun.build({
      entrypoints: [...entrypoints],
      // A worker is started by its path relative to src/.
      root: source,
      compile: {
        outfile: join(staging, basename(outfile)),
        assets: assetFolders.map((folder) => join(project, folder)).filter((folder) => existsSync(folder)),
        ...(target && { target: `bun-${target}`, executablePath: await runtime(target) }),
        // Files in the working directory must not configure the binary.
        autoloadDotenv: false,
        autoloadBunfig: false,
      },
      define: await buildConstants(),
      // Halves the time to start. Requires the format below: its default is CommonJS, which has no top-level await.
      bytecode: true,
      format: "esm",
      // Keeps late imports in files of their own, on disk until they are needed: saves some 5 MB of memory.
      splitting: true,
      // Keeps names: stack traces are worth more than a few bytes, and Elysia reads the source of its handlers.
      minify: { whitespace: true, syntax: true, identifiers: false },
      sourcemap: "linked",
    });
    await rename(join(staging, basename(outfile)), outfile);
  } finally {
    await rm(staging, { recursive: true, force: true });
  }
}

/** Paths of all files that the bundler reads for the program and its workers. */
export async function bundleProgram(): Promise<string[]> {
  const options = { root: source, target: "bun", format: "esm", splitting: true, metafile: true } as const;
  const { metafile } = await Bun.build({ entrypoints: await programFiles(), ...options });
  return Object.keys(metafile!.inputs).map((file) => resolve(file));
}

/** The path of this version's Bun for another platform; downloads it once into .bun/ from the package registry. */
async function runtime(target: Target): Promise<string> {
  const name = runtimePackages[target];
  const [os, cpu] = target.replace("windows", "win32").split("-") as [string, string];
  const folder = join(project, ".bun", "runtimes", Bun.version);
  const executable = join(folder, "node_modules", name, "bin", os === "win32" ? "bun.exe" : "bun");
  if (await Bun.file(executable).exists()) return executable;
  await Bun.write(join(folder, "package.json"), "{}\n");
  const install = Bun.spawn(
    [process.execPath, "add", "--no-save", "--ignore-scripts", `--os=${os}`, `--cpu=${cpu}`, `${name}@${Bun.version}`],
    { cwd: folder, stdin: "ignore", stdout: "ignore", stderr: "pipe" },
  );
  const problem = await install.stderr.text();
  if ((await install.exited) !== 0 || !(await Bun.file(executable).exists()))
    throw new Error(
      `No Bun ${Bun.version} for ${target}: could not fetch ${name} from the package registry.\n${problem}`,
    );
  return executable;
}

/** The constants that the build defines, see src/util/version.ts. None without git or outside a checkout. */
async function buildConstants(): Promise<Record<string, string>> {
  try {
    const hash = await $`git rev-parse --short HEAD`
      .cwd(project)
      // Ignore a repository that contains this folder.
      .env({ ...process.env, GIT_CEILING_DIRECTORIES: dirname(project) })
      .quiet()
      .text();
    return { E2A_BUILD: JSON.stringify(hash.trim()) };
  } catch {
    return {};
  }
}

/** The program and its workers: every `*.worker.ts` under src/. */
async function programFiles(): Promise<string[]> {
  const workers = await Array.fromAsync(new Bun.Glob("**/*.worker.ts").scan({ cwd: source, absolute: true }));
  return [join(source, "main.ts"), ...workers.sort()];
}

/** Everything that goes into the binary, besides the Bun that compiles it. */
const inputs = [
  ...["src/**", "migrations/**", "web/index.html", "web/src/**", "docs/**", "scripts/build.ts", "scripts/web.ts"],
  ...["package.json", "bun.lock"],
];

/** A hash of all inputs. If it is unchanged, no build is needed. */
async function inputsHash(): Promise<string> {
  const hash = new Bun.CryptoHasher("sha256");
  hash.update(JSON.stringify([Bun.version, await buildConstants()]));
  for (const pattern of inputs)
    for (const file of (await Array.fromAsync(new Bun.Glob(pattern).scan(project))).sort())
      hash.update(`\0${file}\0`).update(await Bun.file(join(project, file)).bytes());
  return hash.digest("hex");
}

function targetsNamed(name: string): Target[] {
  if (name === "all") return Object.keys(runtimePackages) as Target[];
  if (Object.hasOwn(runtimePackages, name)) return [name as Target];
  console.error(`Unknown target "${name}". Known: ${Object.keys(runtimePackages).join(", ")}, all.`);
  process.exit(2);
}

if (import.meta.main) {
  const { values } = parseArgs({ options: { target: { type: "string" }, "if-changed": { type: "boolean" } } });
  const hash = await inputsHash();
  let built: Promise<unknown> | undefined;
  /** The dashboard is the same for all targets, so it is built once. */
  const web = () => (built ??= buildWeb());
  for (const target of values.target ? targetsNamed(values.target) : [undefined]) {
    const extension = (target ?? process.platform).startsWith("win") ? ".exe" : "";
    const outfile = join(project, "dist", `e2a${target ? `-${target}` : ""}${extension}`);
    const stamp = Bun.file(join(project, ".bun", `${basename(outfile)}.inputs`));
    const current = (await Bun.file(outfile).exists()) && (await stamp.exists()) && (await stamp.text()) === hash;
    if (current && values["if-changed"]) continue;

    const startedMs = performance.now();
    await web();
    await build({ entrypoints: await programFiles(), outfile, target });
    await stamp.write(hash);
    const seconds = ((performance.now() - startedMs) / 1000).toFixed(1);
    console.error(`built ${outfile} (${Math.round(Bun.file(outfile).size / 1e6)} MB, ${seconds} s)`);
  }
}
