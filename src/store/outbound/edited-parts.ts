import { type EditedPart, editableParts } from "../../wire/outbound.ts";
import type { OriginalContent } from "../schema.ts";

/** The parts in which two contents of a message differ. */
export function editedParts(before: OriginalContent, after: OriginalContent): EditedPart[] {
  const [old, now] = [partsOf(before), partsOf(after)];
  const isSame = (a: unknown, b: unknown) =>
    // Texts may have megabytes, which JSON would copy.
    typeof a === "string" || typeof b === "string" ? a === b : JSON.stringify(a) === JSON.stringify(b);
  return editableParts.filter((part) => !isSame(old[part], now[part]));
}

function partsOf({ to, cc, bcc, subject, text, html, attachments }: OriginalContent): Record<EditedPart, unknown> {
  const addresses = (list: OriginalContent["to"]) => list.map(({ address, name }) => [address, name]);
  return {
    to: addresses(to),
    cc: addresses(cc),
    bcc: addresses(bcc),
    subject,
    body_text: text,
    body_html: html,
    attachments: attachments.map(({ filename, content_type, size, content_id }) => [
      filename,
      content_type,
      size,
      content_id ?? null,
    ]),
  };
}
