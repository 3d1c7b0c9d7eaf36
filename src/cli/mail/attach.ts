/** Files to attach to a mail. */
import { stat } from "node:fs/promises";
import { basename } from "node:path";
import { CliError, usageError } from "../connect/failure.ts";
import type { NewAttachment } from "../connect/shapes.ts";
import { size } from "../terminal/output.ts";

/** The most that one mail may carry (WIRE); a server with a lower limit reports it itself. */
const ATTACHMENTS_MAX_BYTES = 25 * 1024 * 1024;

/** Reads files as attachments, typed by name. All sizes are checked first, so that no large file is read in vain. */
export async function readAttachments(paths: readonly string[]): Promise<NewAttachment[]> {
  let totalBytes = 0;
  for (const path of paths) totalBytes += await fileBytes(path);
  if (totalBytes > ATTACHMENTS_MAX_BYTES) {
    throw new CliError(`The attachments have ${size(totalBytes)}; a mail may have ${size(ATTACHMENTS_MAX_BYTES)}.`, {
      code: "too_large",
      fix: "Attach less, or send a link.",
    });
  }
  return Promise.all(paths.map(readAttachment));
}

async function fileBytes(path: string): Promise<number> {
  const found = await stat(path).catch((error: Error) => {
    throw usageError(`${path} cannot be attached: ${error.message}.`);
  });
  if (!found.isFile()) throw usageError(`${path} is not a file.`, "Attach files, or an archive of the folder.");
  return found.size;
}

async function readAttachment(path: string): Promise<NewAttachment> {
  const file = Bun.file(path);
  return {
    filename: basename(path),
    // Without parameters, because the charset of the file is unknown.
    content_type: file.type.split(";")[0] || "application/octet-stream",
    data: Buffer.from(await file.bytes()).toString("base64"),
  };
}
