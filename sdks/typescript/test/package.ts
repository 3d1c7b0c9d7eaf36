import { join } from "node:path";
import { tempDir } from "../../../test/support/temp.ts";

/** An empty project with the package installed, as a user would install it. */
export interface InstalledPackage extends AsyncDisposable {
  /** The project's folder. */
  readonly folder: string;
  /** The module that `import "e2a-sdk"` resolves to there. */
  readonly module: string;
}

const source = join(import.meta.dir, "..");

/** Packs the package, which builds it, and installs it into a new project. */
export async function installPackage(): Promise<InstalledPackage> {
  const dir = await tempDir();
  const folder = dir.path;
  // Bun does the same if there is no npm.
  const npm = Bun.which("npm");
  const [packing, installing] = npm
    ? [
        [npm, "pack", "--pack-destination", folder],
        [npm, "install", "--offline", "--no-audit", "--no-fund"],
      ]
    : [
        [process.execPath, "pm", "pack", "--destination", folder],
        [process.execPath, "add"],
      ];
  await run(packing ?? [], source);
  const [tarball] = [...new Bun.Glob("*.tgz").scanSync(folder)];
  await Bun.write(
    join(folder, "package.json"),
    `${JSON.stringify({ name: "empty", private: true, type: "module" })}\n`,
  );
  await run([...(installing ?? []), `./${tarball}`], folder);
  const module = join(folder, "node_modules/e2a-sdk/dist/index.js");
  return { folder, module, [Symbol.asyncDispose]: dir[Symbol.asyncDispose] };
}

async function run(command: string[], cwd: string): Promise<void> {
  const child = Bun.spawn(command, { cwd, stdin: "ignore", stdout: "pipe", stderr: "pipe" });
  const [output, errors, status] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
  if (status !== 0) throw new Error(`${command.join(" ")} failed:\n${output}${errors}`);
}
