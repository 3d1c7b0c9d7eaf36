import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdir, readdir, readFile, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Shell } from "../testing/shell.ts";
import { safeFilename, saveAttachments } from "./attachments.ts";

describe("a sender's file name becomes a harmless one", () => {
  const cases = [
    ["report.pdf", "report.pdf"],
    ["../../etc/passwd", "passwd"],
    ["C:\\Windows\\system.ini", "system.ini"],
    [".bashrc", "bashrc"],
    ["..", "attachment-3"],
    ["", "attachment-3"],
    ["a\u202efdp.exe", "afdp.exe"],
    ["nul.txt", "_nul.txt"],
    ["a:b|c?.txt. ", "a_b_c_.txt"],
    ["日本.pdf", "日本.pdf"],
  ];
  for (const [name = "", safe = ""] of cases)
    test(JSON.stringify(name), () => expect(safeFilename(name, 3)).toBe(safe));

  test("a very long one keeps its extension and fits a file system", () => {
    const name = safeFilename(`${"日".repeat(500)}.pdf`, 0);
    expect(Buffer.byteLength(name)).toBeLessThanOrEqual(240);
    expect(name).toEndWith(".pdf");
  });
});

describe("saving", () => {
  let shell: Shell;
  beforeEach(async () => {
    shell = await Shell.open();
  });
  afterEach(() => shell.close());
  const file = (index: number, filename: string) => ({ index, filename, content_type: "text/plain", size: 1 });
  const download = async (index: number) => Buffer.from(`content ${index}`);

  test("never replaces a file or follows a link", async () => {
    const folder = join(shell.home, "saved");
    const outside = join(shell.home, "outside.txt");
    await mkdir(folder);
    await writeFile(outside, "mine");
    await symlink(outside, join(folder, "a.txt"));
    const paths = await saveAttachments([file(0, "a.txt"), file(1, "a.txt")], folder, download);
    expect(paths).toEqual([join(folder, "a (2).txt"), join(folder, "a (3).txt")]);
    expect(await readFile(outside, "utf8")).toBe("mine");
    expect(await readFile(paths[1] ?? "", "utf8")).toBe("content 1");
  });

  test("says which folder it cannot write to", async () => {
    const blocked = join(shell.home, "blocked");
    await writeFile(blocked, "a file");
    await expect(saveAttachments([file(0, "a.txt")], blocked, download)).rejects.toThrow(blocked);
    expect(await readdir(shell.home)).toEqual(["blocked"]);
  });
});
