import { type Attachment, api, type Outbound } from "../api/client.ts";
import type { Approval } from "../api/outbound.ts";
import type { Content } from "./diff.tsx";

/** A held message while a reviewer changes it: text as it stands in the fields. */
export interface Draft {
  to: string;
  cc: string;
  bcc: string;
  subject: string;
  text: string;
  /** null: it has no HTML, or it was taken out. */
  html: string | null;
  /** Attachments that stay, by their index. */
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
    html: message.body_html ?? null,
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

/** What the message would say by the draft. */
export function drafted(message: Outbound, draft: Draft): Content {
  return {
    to: addressesIn(draft.to),
    cc: addressesIn(draft.cc),
    bcc: addressesIn(draft.bcc),
    subject: draft.subject,
    text: draft.text,
    html: draft.html ?? "",
    attachments: (message.attachments ?? []).filter(({ index }) => draft.attachments.includes(index)).map(labelOf),
  };
}

/** The members of an approval that the draft changes; attachments that stay are fetched, as they are given anew. */
export async function changesOf(message: Outbound, draft: Draft): Promise<Approval> {
  const before = contentOf(message);
  const after = drafted(message, draft);
  const differs = (part: keyof Content) => JSON.stringify(before[part]) !== JSON.stringify(after[part]);
  return {
    ...(differs("to") && { to: [...after.to] }),
    ...(differs("cc") && { cc: [...after.cc] }),
    ...(differs("bcc") && { bcc: [...after.bcc] }),
    ...(differs("subject") && { subject: after.subject }),
    ...(differs("text") && { body_text: after.text }),
    ...(differs("html") && { body_html: after.html }),
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
