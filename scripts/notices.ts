import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { bundleProgram } from "./build.ts";
import { bundleDashboard } from "./web.ts";

/**
 * Writes the licenses of e2a and of the packages in the binary to `docs/third-party-notices.txt`, which the binary
 * contains for `e2a licenses`.
 *
 *   bun scripts/notices.ts             writes the file
 *   bun scripts/notices.ts --check     fails if it is outdated
 *
 * It lists the packages from which the bundler has read a file, so it leaves out tools that only build or test.
 */

const project = join(import.meta.dir, "..");
const target = join(project, "docs", "third-party-notices.txt");

/** Licenses that require only the notice to redistribute a package. Any other needs a maintainer's decision. */
const accepted = new Set(["0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "MIT", "MIT-0"]);
/** The license that we choose, if a package offers several. */
const chosen: Record<string, string> = { "(MIT OR EUPL-1.1+)": "MIT" };

const introduction = `The packages below are part of e2a, each under its own license. So is the Bun runtime; its license and the licenses of
its parts are at https://bun.com/docs/project/licensing.
`;

interface Package {
  readonly name: string;
  readonly version: string;
  readonly license: string;
  /** The text of the package's own license and notice files; "" if it has none. */
  readonly text: string;
}

/** Folders of the packages from which the bundler read files. */
async function packageFolders(): Promise<string[]> {
  const folders = new Set<string>();
  for (const inputs of await Promise.all([bundleProgram(), bundleDashboard()]))
    for (const file of inputs) {
      const folder = /^.*node_modules\/(?:@[^/]+\/)?[^/]+(?=\/)/.exec(file)?.[0];
      if (folder) folders.add(folder);
    }
  return [...folders];
}

async function packageIn(path: string): Promise<Package> {
  const { name, version, license } = await Bun.file(join(path, "package.json")).json();
  const files = (await readdir(path)).filter((file) => /^(?:licen[sc]e|copying|notice)/i.test(file)).sort();
  const texts = await Promise.all(files.map((file) => Bun.file(join(path, file)).text()));
  const tidy = texts.map((text) =>
    text
      .replaceAll("\r\n", "\n")
      .replace(/[ \t]+$/gm, "")
      .trim(),
  );
  return { name, version, license: chosen[license] ?? license, text: tidy.join("\n\n") };
}

/** The text of the file. Throws for a package whose license is not accepted. */
async function notices(): Promise<string> {
  const packages = await Promise.all((await packageFolders()).map(packageIn));
  const unknown = packages.filter(({ license }) => !accepted.has(license));
  if (unknown.length > 0)
    throw new Error(
      `Decide whether the binary may contain these, then extend \`accepted\` in scripts/notices.ts: ${unknown
        .map(({ name, license }) => `${name} (${license})`)
        .join(", ")}`,
    );
  // Identical texts appear once, for all their packages.
  const byText = Map.groupBy(packages, ({ license, text }) => text || `License: ${license}`);
  const sections = [...byText]
    .map(([text, ofText]) => {
      const names = [...new Set(ofText.map(({ name, version, license }) => `${name} ${version} (${license})`))].sort();
      return `${names.join("\n")}\n\n${text}\n`;
    })
    .sort();
  const line = `\n${"-".repeat(80)}\n\n`;
  const own = await Bun.file(join(project, "LICENSE")).text();
  return [`e2a\n\n${own}`, introduction, ...sections].join(line);
}

/** What is wrong with the file, or "". */
export async function checkNotices(): Promise<string> {
  const current = await Bun.file(target)
    .text()
    .catch(() => "");
  return current === (await notices())
    ? ""
    : "docs/third-party-notices.txt is not up to date: run bun scripts/notices.ts\n";
}

if (import.meta.main) {
  if (process.argv.includes("--check")) {
    const complaint = await checkNotices();
    process.stderr.write(complaint);
    process.exitCode = complaint ? 1 : 0;
  } else {
    await Bun.write(target, await notices());
  }
}
