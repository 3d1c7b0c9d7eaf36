import { watch } from "node:fs";
import { mkdir, mkdtemp, readdir, rename, rm } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";
import { compile, optimize } from "@tailwindcss/node";
import { Scanner } from "@tailwindcss/oxide";

/**
 * Builds the dashboard from web/ into dist/web/: an index.html, and in assets/ files named by their content, each also
 * compressed. scripts/build.ts does this first and embeds the result.
 *
 *   bun scripts/web.ts             once
 *   bun scripts/web.ts --watch     again after each change; `bun run dev` serves the new files
 */

const project = join(import.meta.dir, "..");
const web = join(project, "web");

/** The limit for the compressed JavaScript that a browser loads before the first screen. */
export const FIRST_SCREEN_BYTES_MAX = 250_000;

/** Compressing a smaller file gains nothing. */
const COMPRESS_BYTES_MIN = 1_000;

export interface WebBuild {
  /** Compressed bytes of the JavaScript that the overview needs. */
  readonly firstScreenBytes: number;
}

/** Builds into `outdir`, and replaces it. Throws if compiling fails, or if the first screen has become too large. */
export async function buildWeb(outdir = join(project, "dist", "web")): Promise<WebBuild> {
  await mkdir(dirname(outdir), { recursive: true });
  const staging = await mkdtemp(join(dirname(outdir), ".web-"));
  try {
    const [app, theme, style, icon] = await Promise.all([
      bundle("main.tsx", staging, "esm"),
      bundle("theme.ts", staging, "iife"),
      styleSheet(),
      Bun.file(join(web, "src", "icon.svg")).bytes(),
    ]);
    const names = {
      "/src/main.tsx": `/assets/${app}`,
      "/src/theme.ts": `/assets/${theme}`,
      "/src/styles.css": await emit(staging, "styles", "css", new TextEncoder().encode(style)),
      "/src/icon.svg": await emit(staging, "icon", "svg", icon),
    };
    let html = await Bun.file(join(web, "index.html")).text();
    for (const [source, built] of Object.entries(names)) {
      if (!html.includes(`"${source}"`)) throw new Error(`web/index.html does not load ${source}`);
      html = html.replace(`"${source}"`, `"${built}"`);
    }
    const scripts = await firstScreen(staging, app);
    const preloads = scripts.filter((name) => name !== app);
    html = html.replace(
      /( *)<script type="module"/,
      (found, indent) =>
        preloads.map((name) => `${indent}<link rel="modulepreload" href="/assets/${name}">\n`).join("") + found,
    );
    await Bun.write(join(staging, "index.html"), html);

    const firstScreenBytes = await compressedBytes(staging, scripts);
    if (firstScreenBytes > FIRST_SCREEN_BYTES_MAX)
      throw new Error(
        `The first screen loads ${firstScreenBytes} compressed bytes of JavaScript; ${FIRST_SCREEN_BYTES_MAX} is the ` +
          "limit. Load what it does not need with lazyRouteComponent or lazy().",
      );
    await compress(staging);
    await rm(outdir, { recursive: true, force: true });
    await rename(staging, outdir);
    return { firstScreenBytes };
  } finally {
    await rm(staging, { recursive: true, force: true });
  }
}

/** Paths of all files that the bundler reads for the dashboard. */
export async function bundleDashboard(): Promise<string[]> {
  const { metafile } = await Bun.build({ ...settings("main.tsx", "esm"), metafile: true });
  return Object.keys(metafile!.inputs).map((file) => resolve(file));
}

/** How an entry point of web/src/ is bundled. */
function settings(entry: string, format: "esm" | "iife") {
  const name = "assets/[name]-[hash].[ext]";
  return {
    entrypoints: [join(web, "src", entry)],
    target: "browser",
    format,
    splitting: format === "esm",
    minify: true,
    define: { "process.env.NODE_ENV": '"production"' },
    jsx: { runtime: "automatic", development: false },
    naming: { entry: name, chunk: name, asset: name },
    publicPath: "/",
  } satisfies Bun.BuildConfig;
}

/** Bundles an entry point of web/src/ into assets/ and returns its name there. */
async function bundle(entry: string, outdir: string, format: "esm" | "iife"): Promise<string> {
  const result = await Bun.build({ ...settings(entry, format), outdir });
  const output = result.outputs.find(({ kind }) => kind === "entry-point");
  if (!output) throw new Error(`Bun made nothing of web/src/${entry}`);
  return output.path.split(/[/\\]/).at(-1) as string;
}

/** Tailwind's style sheet, with only the classes that the source uses. */
async function styleSheet(): Promise<string> {
  const base = join(web, "src");
  const source = await Bun.file(join(base, "styles.css")).text();
  const compiler = await compile(source, { base, onDependency() {} });
  const scanner = new Scanner({ sources: [{ base, pattern: "**/*.{ts,tsx}", negated: false }] });
  return optimize(compiler.build(scanner.scan()), { minify: true }).code;
}

async function emit(outdir: string, name: string, extension: string, bytes: Uint8Array): Promise<string> {
  const hash = Bun.hash(bytes).toString(36).slice(0, 8).padStart(8, "0");
  await Bun.write(join(outdir, "assets", `${name}-${hash}.${extension}`), bytes);
  return `/assets/${name}-${hash}.${extension}`;
}

/** The scripts that the first screen needs: the entry, the overview page, and their static imports. */
async function firstScreen(outdir: string, entry: string): Promise<string[]> {
  const all = await readdir(join(outdir, "assets"));
  const names = new Set([entry, ...all.filter((name) => /^overview-[^-]*\.js$/.test(name))]);
  for (const name of names) {
    const text = await Bun.file(join(outdir, "assets", name)).text();
    for (const { path, kind } of new Bun.Transpiler({ loader: "js" }).scanImports(text))
      if (kind === "import-statement") names.add(path.split("/").at(-1) as string);
  }
  return [...names];
}

async function compressedBytes(outdir: string, names: readonly string[]): Promise<number> {
  const files = await Promise.all(names.map((name) => Bun.file(join(outdir, "assets", name)).bytes()));
  return files.reduce((bytes, file) => bytes + gzipSync(file).byteLength, 0);
}

/** Writes a `.gz` and a `.br` beside each file that they make smaller. */
async function compress(outdir: string): Promise<void> {
  for (const entry of await readdir(outdir, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    const bytes = await Bun.file(path).bytes();
    if (bytes.byteLength < COMPRESS_BYTES_MIN) continue;
    const params = { [constants.BROTLI_PARAM_SIZE_HINT]: bytes.byteLength };
    await Bun.write(`${path}.gz`, gzipSync(bytes, { level: 9 }));
    await Bun.write(`${path}.br`, brotliCompressSync(bytes, { params }));
  }
}

async function report(): Promise<void> {
  const startedMs = performance.now();
  const { firstScreenBytes } = await buildWeb();
  const [ms, kb] = [Math.round(performance.now() - startedMs), Math.round(firstScreenBytes / 1000)];
  console.error(`built dist/web (first screen ${kb} KB of JavaScript, ${ms} ms)`);
}

if (import.meta.main) {
  await report();
  if (process.argv.includes("--watch")) {
    let building = Promise.resolve();
    watch(join(web, "src"), { recursive: true }, () => {
      building = building.then(report).catch((error) => console.error(error));
    });
  }
}
