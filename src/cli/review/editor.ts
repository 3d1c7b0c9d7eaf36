/** Other programs that take over the terminal for one text: the user's editor and pager. */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CliError } from "../connect/failure.ts";
import { type Io, write } from "../terminal/io.ts";

/** Tried in this order when neither VISUAL nor EDITOR says which. */
const usualEditors = ["vi", "nano"];

/**
 * Lets the user edit `text` and returns it as it was saved, with LF line breaks; null when the editor failed, which is
 * how one gives up in it (`:cq`). The file is in a folder that only the user can open, and gone afterwards.
 */
export async function editText(io: Io, text: string): Promise<string | null> {
  const editor = io.env.VISUAL || io.env.EDITOR || (io.platform === "win32" ? "notepad" : installed(io, usualEditors));
  if (!editor) throw new CliError("No editor was found.", { code: "no_editor", fix: "Set EDITOR." });
  // Not .eml: vim then writes CRLF.
  return withFile(text, "mail.txt", async (path) => {
    const code = await runProgram(io, editor, path);
    return code === 0 ? (await readFile(path, "utf8")).replace(/\r\n?/g, "\n") : null;
  });
}

/** Shows a text that is longer than the screen, in PAGER or less where there is one. */
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

/** `program` may carry arguments of its own ("code --wait"), so a shell takes it apart, as git does. */
async function runProgram(io: Io, program: string, path: string): Promise<number> {
  const line =
    io.platform === "win32"
      ? ["cmd", "/d", "/c", `${program} "${path}"`]
      : ["sh", "-c", `${program} "$@"`, program, path];
  // Ctrl-C is the program's while it has the terminal; we go on, and remove the file.
  const release = io.onInterrupt(() => {});
  try {
    const child = Bun.spawn(line, { stdin: "inherit", stdout: "inherit", stderr: "inherit", env: { ...io.env } });
    return await child.exited;
  } finally {
    release();
  }
}
