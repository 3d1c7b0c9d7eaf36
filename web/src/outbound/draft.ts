import { htmlFromText } from "../../../src/message/html/from-text.ts";
import { type Attachment, api, type Outbound } from "../api/client.ts";
import type { Approval } from "../api/outbound.ts";
import type { Content } from "./diff.tsx";
import type { Part } from "./parts.ts";

/** A held message while a reviewer edits it: the text of the form's fields. */
export interface Draft {
  to: string;
  cc: string;
  bcc: string;
  subject: string;
  text: string;
  /**
   * Where the HTML comes from. `text`: the original, or generated from the text once that is changed. `own`: `ownHtml`.
   * `none`: left out, or the message has no HTML.
   */
  html: "text" | "own" | "none";
  ownHtml: string;
  /** The indexes of the attachments that stay. */
  attachments: readonly number[];
}

const joined = (addresses: readonly string[] | undefined) => (addresses ?? []).join(", ");
const addressesIn = (text: string) =>
  text
    .split(/[\s,;]+/)
    .map((one) => one.trim())
    .filter(Boolean);

export function draftOf(message: Outbound): Draft {
  return {
    to: joined(message.to),
    cc: joined(message.cc),
    bcc: joined(message.bcc),
    subject: message.subject,
    text: message.body_text ?? "",
    html: message.body_html === undefined ? "none" : "text",
    ownHtml: message.body_html ?? "",
    attachments: (message.attachments ?? []).map(({ index }) => index),
  };
}

const labelOf = ({ filename, size }: Attachment) => `${filename} (${size} bytes)`;

export function contentOf(
  message: Pick<Outbound, "to" | "cc" | "bcc" | "subject" | "body_text" | "body_html" | "attachments">,
): Content {
  return {
    to: message.to,
    cc: message.cc ?? [],
    bcc: message.bcc ?? [],
    subject: message.subject,
    text: message.body_text ?? "",
    html: message.body_html ?? "",
    attachments: (message.attachments ?? []).map(labelOf),
  };
}

function htmlOf(message: Outbound, draft: Draft): string {
  if (draft.html === "own") return draft.ownHtml;
  if (draft.html === "none") return "";
  return draft.text === (message.body_text ?? "") ? (message.body_html ?? "") : htmlFromText(draft.text);
}

/** The parts that differ, by their names in the API. */
export function changedParts(before: Content, after: Content): Part[] {
  return partNames.flatMap(([name, part]) =>
    JSON.stringify(before[part]) === JSON.stringify(after[part]) ? [] : [name],
  );
}

const partNames: readonly (readonly [Part, keyof Content])[] = [
  ["to", "to"],
  ["cc", "cc"],
  ["bcc", "bcc"],
  ["subject", "subject"],
  ["body_text", "text"],
  ["body_html", "html"],
  ["attachments", "attachments"],
];

/**
 * Moves a draft of `base` to `current`, which someone else has changed. Parts that the draft does not change follow
 * `current`; the others stay as in the draft. `clashes` names the parts that both changed in different ways.
 */
export function rebase(base: Outbound, current: Outbound, draft: Draft): { draft: Draft; clashes: Part[] } {
  const [old, now] = [draftOf(base), draftOf(current)];
  const moved = { ...now };
  const clashes: Part[] = [];
  for (const [name, part] of [
    ["to", "to"],
    ["cc", "cc"],
    ["bcc", "bcc"],
    ["subject", "subject"],
    ["body_text", "text"],
  ] as const) {
    if (draft[part] === old[part]) continue;
    moved[part] = draft[part];
    if (now[part] !== old[part] && now[part] !== draft[part]) clashes.push(name);
  }
  if (draft.html !== old.html || draft.ownHtml !== old.ownHtml) {
    moved.html = draft.html;
    moved.ownHtml = draft.ownHtml === old.ownHtml ? now.ownHtml : draft.ownHtml;
    if (now.ownHtml !== old.ownHtml) clashes.push("body_html");
  }
  const labels = (message: Outbound, indexes: readonly number[]) =>
    (message.attachments ?? []).filter(({ index }) => indexes.includes(index)).map(labelOf);
  const dropped = labels(base, old.attachments).filter((label) => !labels(base, draft.attachments).includes(label));
  moved.attachments = (current.attachments ?? [])
    .filter((file) => !dropped.includes(labelOf(file)))
    .map(({ index }) => index);
  return { draft: moved, clashes };
}

/** The content of the message with the draft's changes. */
export function drafted(message: Outbound, draft: Draft): Content {
  return {
    to: addressesIn(draft.to),
    cc: addressesIn(draft.cc),
    bcc: addressesIn(draft.bcc),
    subject: draft.subject,
    text: draft.text,
    html: htmlOf(message, draft),
    attachments: (message.attachments ?? []).filter(({ index }) => draft.attachments.includes(index)).map(labelOf),
  };
}

/**
 * The members of an approval that carry the draft's changes. If text or HTML changes, it contains both, so that exactly
 * the content shown is sent. Fetches the attachments that stay, because the request must contain them.
 */
export async function changesOf(message: Outbound, draft: Draft): Promise<Approval> {
  const before = contentOf(message);
  const after = drafted(message, draft);
  const differs = (part: keyof Content) => JSON.stringify(before[part]) !== JSON.stringify(after[part]);
  return {
    ...(differs("to") && { to: [...after.to] }),
    ...(differs("cc") && { cc: [...after.cc] }),
    ...(differs("bcc") && { bcc: [...after.bcc] }),
    ...(differs("subject") && { subject: after.subject }),
    ...((differs("text") || differs("html")) && { body_text: after.text }),
    ...((differs("html") || (differs("text") && before.html !== "")) && { body_html: after.html }),
    ...(differs("attachments") && { attachments: await kept(message, draft) }),
  };
}

async function kept(message: Outbound, draft: Draft): Promise<NonNullable<Approval["attachments"]>> {
  const stay = (message.attachments ?? []).filter(({ index }) => draft.attachments.includes(index));
  return Promise.all(
    stay.map(async ({ index, filename, content_type, content_id }) => {
      const params = { path: { id: message.id, index: String(index) } };
      const { data } = await api.GET("/api/v1/messages/{id}/attachments/{index}", { params, parseAs: "arrayBuffer" });
      const bytes = new Uint8Array(data as ArrayBuffer);
      return { filename, content_type, data: bytes.toBase64(), ...(content_id && { content_id }) };
    }),
  );
}
