/**
 * A held mail as a text file that a reviewer edits: `To`, `Cc`, `Bcc` and `Subject` as fields (RFC 5322 2.2, one
 * address per line), an empty line, the text. Lines that begin with "#" before the empty line are remarks.
 */
import { splitAddress } from "../../mail.ts";
import type { MailEdit, Outbound } from "../connect/shapes.ts";
import { addresses } from "../mail/compose.ts";

const addressFields = ["to", "cc", "bcc"] as const;
type AddressField = (typeof addressFields)[number];

/** The parts of a mail that can be edited. */
export type Draft = Record<AddressField, string[]> & { subject: string; text: string };

/** Makes a draft of a mail, with LF line breaks for editors. */
export function draftOf(mail: Outbound): Draft {
  return {
    to: mail.to,
    cc: mail.cc ?? [],
    bcc: mail.bcc ?? [],
    subject: mail.subject.replace(/[\r\n]+/g, " "),
    text: (mail.body_text ?? "").replace(/\r\n?/g, "\n"),
  };
}

/** Writes the file for a draft, with `remarks` at the top. */
export function draftText(draft: Draft, remarks: readonly string[] = []): string {
  const field = (name: string, values: string[]) => `${name}: ${values.join(",\n    ")}`.trimEnd();
  const lines = [
    ...remarks.map((remark) => `# ${remark}`),
    field("To", draft.to),
    field("Cc", draft.cc),
    field("Bcc", draft.bcc),
    field("Subject", [draft.subject]),
    "",
    draft.text,
  ];
  const text = lines.join("\n");
  return text.endsWith("\n") ? text : `${text}\n`;
}

/** Reads the draft in a file, or returns every complaint about it, one sentence each. */
export function parseDraft(file: string): Draft | { wrong: string[] } {
  const lines = file
    .replace(/^\ufeff/, "")
    .replace(/\r\n?/g, "\n")
    .split("\n");
  const blank = lines.findIndex((line) => line.trim() === "");
  const head = lines.slice(0, blank < 0 ? lines.length : blank);
  const wrong: string[] = [];
  const fields = new Map<string, string>();
  let current = "";
  head.forEach((line, i) => {
    const [, name, value = ""] = /^([A-Za-z-]+)[ \t]*:(.*)$/.exec(line) ?? [];
    if (line.startsWith("#")) return;
    if (/^[ \t]/.test(line) && current) {
      fields.set(current, `${fields.get(current)} ${line.trim()}`);
      return;
    }
    current = name?.toLowerCase() ?? "";
    if (![...addressFields, "subject"].includes(current as AddressField))
      wrong.push(`Line ${i + 1}: only To, Cc, Bcc and Subject stand before the empty line.`);
    else if (fields.has(current)) wrong.push(`Line ${i + 1}: ${name} is given twice.`);
    fields.set(current, value.trim());
  });
  const list = (name: AddressField) => {
    const value = fields.get(name) ?? "";
    const found = value.replaceAll(",", "").trim() ? addresses(value) : [];
    for (const one of found)
      if (splitAddress(bareAddress(one)) === null) wrong.push(`"${one}" is not an address such as bob@example.com.`);
    return found;
  };
  const draft: Draft = {
    to: list("to"),
    cc: list("cc"),
    bcc: list("bcc"),
    subject: fields.get("subject") ?? "",
    text: blank < 0 ? "" : lines.slice(blank + 1).join("\n"),
  };
  if (draft.to.length + draft.cc.length + draft.bcc.length === 0) wrong.push("It has no recipient.");
  return wrong.length > 0 ? { wrong } : draft;
}

/** The members of a mail that a draft changes. The line break that editors add at the end is not a change. */
export function editOf(mail: Outbound, draft: Draft): MailEdit {
  const before = draftOf(mail);
  const text = before.text.endsWith("\n") ? draft.text : draft.text.replace(/\n$/, "");
  const edit: MailEdit = {};
  for (const field of addressFields)
    if (draft[field].join("\n") !== before[field].join("\n")) edit[field] = draft[field];
  // A field's value has no white space around it.
  if (draft.subject !== before.subject.trim()) edit.subject = draft.subject;
  if (text !== before.text) edit.body_text = text;
  return edit;
}

/** `"Doe, Jane" <jane@x>` → `jane@x` */
export function bareAddress(text: string): string {
  return /<([^<>]*)>\s*$/.exec(text)?.[1]?.trim() ?? text.trim();
}
