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
 *   bun run build --target all             one for each of them
 *   bun run build --if-changed             nothing, when nothing that goes into it has changed
 */

/** What a target is called, and the package that carries the Bun runtime for it. */
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

/** Compiles a program to one file. What runs from that file meanwhile goes on running. Throws when it does not compile. */
export async function build({ entrypoints, outfile, target }: BuildOptions): Promise<void> {
  await mkdir(dirname(outfile), { recursive: true });
  // Beside the outfile, so that the last step is an atomic rename.
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
        // Files that happen to lie where the binary is run must not configure it.
        autoloadDotenv: false,
        autoloadBunfig: false,
      },
      define: await buildConstants(),
      // Halves the time to start. It needs to be told the format, else it takes CommonJS, which has no top-level await.
      bytecode: true,
      format: "esm",
      // What is imported late is in a file of its own and stays on the disk until then: some 5 MB of memory.
      splitting: true,
      // Names stay: they are worth more in a stack trace than the few bytes, and Elysia reads its handlers' source.
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

/** The path of a Bun of this version for another platform, fetched once into .bun/ from the package registry. */
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

/** Replaced in the source: see src/util/version.ts. Without git, or outside a checkout, there is nothing to replace. */
async function buildConstants(): Promise<Record<string, string>> {
  try {
    const hash = await $`git rev-parse --short HEAD`
      .cwd(project)
      // Not the repository of a folder around this one.
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

/** Equal for equal inputs, so that what was built from them need not be built again. */
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
