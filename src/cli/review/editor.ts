/** Other programs that take over the terminal for one text: the user's editor and pager. */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CliError } from "../connect/failure.ts";
import { type Io, write } from "../terminal/io.ts";

/** Tried in this order if neither VISUAL nor EDITOR is set. */
const usualEditors = ["vi", "nano"];

/**
 * Lets the user edit `text` and returns it as saved, with LF line breaks. Null if the editor failed, which is how a
 * user gives up in it (`:cq`). The file is in a folder that only the user can open, and is deleted afterwards.
 */
export async function editText(io: Io, text: string): Promise<string | null> {
  const editor = io.env.VISUAL || io.env.EDITOR || (io.platform === "win32" ? "notepad" : installed(io, usualEditors));
  if (!editor) throw new CliError("No editor was found.", { code: "no_editor", fix: "Set EDITOR." });
  // Not .eml, for which vim writes CRLF.
  return withFile(text, "mail.txt", async (path) => {
    const code = await runProgram(io, editor, path);
    return code === 0 ? (await readFile(path, "utf8")).replace(/\r\n?/g, "\n") : null;
  });
}

/** Shows a text that is longer than the screen in PAGER, or in less if it is installed. */
export async function pageText(io: Io, text: string): Promise<void> {
  const pager = io.env.PAGER || installed(io, ["less"]);
  if (!pager) return write(io.stdout, text);
  await withFile(text, "mail.txt", (path) => runProgram(io, pager, path));
}

function installed(io: Io, names: readonly string[]): string | undefined {
  return names.find((name) => Bun.which(name, { PATH: io.env.PATH ?? "" }));
}

async function withFile<T>(text: string, name: string, use: (path: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), "e2a-"));
  try {
    const path = join(folder, name);
    await writeFile(path, text, { mode: 0o600, flag: "wx" });
    return await use(path);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Runs a program on a file. `program` may have arguments ("code --wait"), so a shell splits it, as git does. */
async function runProgram(io: Io, program: string, path: string): Promise<number> {
  const line =
    io.platform === "win32"
      ? ["cmd", "/d", "/c", `${program} "${path}"`]
      : ["sh", "-c", `${program} "$@"`, program, path];
  // Ctrl-C is for the program while it has the terminal; this process continues, and removes the file.
  const release = io.onInterrupt(() => {});
  try {
    const child = Bun.spawn(line, { stdin: "inherit", stdout: "inherit", stderr: "inherit", env: { ...io.env } });
    return await child.exited;
  } finally {
    release();
  }
}
