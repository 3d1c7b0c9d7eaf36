import type { Outbound } from "../api/client.ts";

export type Part = NonNullable<Outbound["edited_parts"]>[number];

const words: Record<Part, string> = {
  to: "To",
  cc: "Cc",
  bcc: "Bcc",
  subject: "subject",
  body_text: "text",
  body_html: "HTML",
  attachments: "attachments",
};

/** Names parts of a message in a sentence: "subject, text and HTML"; "" for no parts. */
export function namesOf(parts: readonly Part[]): string {
  const names = parts.map((part) => words[part]);
  const last = names.pop() ?? "";
  return names.length > 0 ? `${names.join(", ")} and ${last}` : last;
}
