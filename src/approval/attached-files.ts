import type { Attachment } from "../mail.ts";
import type { Owner } from "../util/owner.ts";
import type { Outgoing } from "./outgoing.ts";

/**
 * Finds the part of a message that each listed attachment became: one entry for each, in their order. Parts that the HTML
 * shows come before the others, whatever the order in the request (RFC 2387), and only they have a Content-ID. One pass:
 * a forward may list as many files as a received message has.
 */
export function counterparts<Part extends { attachment: Attachment }>(
  listed: readonly Attachment[],
  parts: readonly Part[],
): (Part | undefined)[] {
  // Messages of earlier versions may have one id twice.
  const left = new Map<string, IterableIterator<Part>>();
  for (const [id, those] of Map.groupBy(parts, ({ attachment }) => attachment.content_id ?? ""))
    left.set(id, those.values());
  return listed.map(({ content_id: id = "" }) => (left.get(id) ?? left.get(""))?.next().value);
}

/** `readAttachments`, here or in another process. */
export type ReadAttachments = (
  owner: Owner,
  raw: Uint8Array,
) => Promise<{ attachment: Attachment; content: Uint8Array }[]>;

/** Stands for the bytes of a file that cannot be read back: they are not text, so a search reports the file. */
const unreadable = new Uint8Array([0]);

/** Reads the attachments of a composed message with their bytes, in the order of `listed`. */
export async function attachedFiles(
  owner: Owner,
  raw: Uint8Array,
  listed: readonly Attachment[],
  read: ReadAttachments,
): Promise<Outgoing["attachments"]> {
  if (listed.length === 0) return [];
  const found = counterparts(listed, await read(owner, raw));
  return listed.map((one, i) => ({
    filename: one.filename,
    contentType: one.content_type,
    ...(one.content_id ? { contentId: one.content_id } : {}),
    content: found[i]?.content ?? unreadable,
  }));
}
