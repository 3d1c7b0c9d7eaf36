import type { Attachment } from "../mail.ts";
import type { Outgoing } from "./outgoing.ts";

/**
 * Finds the part of a message that a listed attachment became. Parts that the HTML shows come before the others,
 * whatever the order in the request (RFC 2387), and only they have a Content-ID.
 */
export function counterpart<Part extends { attachment: Attachment }>(
  wanted: Attachment,
  listed: readonly Attachment[],
  parts: readonly Part[],
): Part | undefined {
  const shown = Map.groupBy(parts, ({ attachment }) => attachment.content_id || undefined);
  const isShown = ({ content_id }: Attachment) => content_id !== undefined && shown.has(content_id);
  if (wanted.content_id !== undefined && isShown(wanted)) {
    const { content_id } = wanted;
    // Messages of earlier versions may have one id twice.
    return shown.get(content_id)?.[listed.filter((one) => one.content_id === content_id).indexOf(wanted)];
  }
  const place = listed.filter((attachment) => !isShown(attachment)).indexOf(wanted);
  return parts.filter((part) => !part.attachment.content_id)[place];
}

/** `readAttachments`, here or in another process. */
export type ReadAttachments = (raw: Uint8Array) => Promise<{ attachment: Attachment; content: Uint8Array }[]>;

/** Stands for the bytes of a file that cannot be read back: they are not text, so a search reports the file. */
const unreadable = new Uint8Array([0]);

/** Reads the attachments of a composed message with their bytes, in the order of `listed`. */
export async function attachedFiles(
  raw: Uint8Array,
  listed: readonly Attachment[],
  read: ReadAttachments,
): Promise<Outgoing["attachments"]> {
  if (listed.length === 0) return [];
  const parts = await read(raw);
  return listed.map((one) => ({
    filename: one.filename,
    contentType: one.content_type,
    ...(one.content_id ? { contentId: one.content_id } : {}),
    content: counterpart(one, listed, parts)?.content ?? unreadable,
  }));
}
