/** Attachments to save. The sender chooses their names, so no name is trusted. */

import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Attachment } from "../../mail.ts";
import { withoutEnds } from "../../message/text/clean.ts";
import { CliError, serverFailure } from "../connect/failure.ts";
import { plain } from "../terminal/output.ts";

/** Common file systems allow 255 bytes in a name; the difference leaves room for " (123)". */
const NAME_MAX_BYTES = 240;
/** More files with one name in a folder are a mistake. */
const COPIES_MAX = 1000;
// Names that Windows reserves for devices, with any extension.
const deviceName = /^(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?$/i;

/** Makes a file name that is valid on any system: no path, no hidden file, no control or reserved characters. */
export function safeFilename(name: string, index: number): string {
  const last = plain(name).split(/[/\\]/).at(-1) ?? "";
  const clean = withoutEnds(last.replace(/[<>:"|?*]/g, "_"), " .");
  if (clean === "") return `attachment-${index}`;
  return shorten(deviceName.test(clean) ? `_${clean}` : clean);
}

function shorten(name: string): string {
  const { stem, extension } = split(name);
  let kept = [...stem];
  while (Buffer.byteLength(kept.join("") + extension) > NAME_MAX_BYTES) kept = kept.slice(0, -1);
  return kept.join("") + extension;
}

/** An extension is short; a longer one counts as part of the name. */
function split(name: string): { stem: string; extension: string } {
  const match = /^(.+)(\.[^.]{1,16})$/s.exec(name);
  return match ? { stem: match[1] ?? name, extension: match[2] ?? "" } : { stem: name, extension: "" };
}

/**
 * Writes every attachment into `folder`, which it creates if needed, and returns the paths. Never replaces existing
 * files or follows links.
 */
export async function saveAttachments(
  attachments: readonly Attachment[],
  folder: string,
  download: (index: number) => Promise<Uint8Array>,
): Promise<string[]> {
  const paths: string[] = [];
  try {
    await mkdir(folder, { recursive: true });
    for (const { filename, index } of attachments) {
      paths.push(await writeNew(folder, safeFilename(filename, index), await download(index)));
    }
  } catch (error) {
    if (serverFailure(error) !== null) throw error;
    throw new CliError(`Attachments cannot be saved in ${folder}: ${(error as Error).message}`, { cause: error });
  }
  return paths;
}

async function writeNew(folder: string, name: string, data: Uint8Array): Promise<string> {
  const { stem, extension } = split(name);
  for (let copy = 1; copy <= COPIES_MAX; copy++) {
    const path = join(folder, copy === 1 ? name : `${stem} (${copy})${extension}`);
    try {
      // Exclusive creation also refuses a symbolic link with this name.
      await writeFile(path, data, { flag: "wx" });
      return path;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    }
  }
  throw new CliError(`${folder} has ${COPIES_MAX} files called ${name}.`);
}
