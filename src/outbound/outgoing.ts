import type { HeaderField, Mailbox } from "../mail.ts";
import {
  attachedTexts,
  named,
  newFileBudget,
  type OutgoingText,
  type OutgoingTexts,
  type Unsearched,
} from "./attached-text.ts";
import { searchedCharsMax } from "./links.ts";
import { readMarkup } from "./markup.ts";

export type { OutgoingText, OutgoingTexts, Unsearched } from "./attached-text.ts";

/** A message as it would leave. Plain data: it can be handed to another process. */
export interface Outgoing {
  replyTo: Mailbox[];
  to: Mailbox[];
  cc: Mailbox[];
  bcc: Mailbox[];
  subject: string;
  text: string;
  html: string | null;
  inReplyTo: string | null;
  references: string[];
  headers: HeaderField[];
  attachments: { filename: string; contentType: string; contentId?: string; content: Uint8Array }[];
}

/** `data:` addresses of one HTML body that are read as files; a page has a handful. */
const dataUrlsMax = 200;

/**
 * Every text of a message that leaves with it: the header with its addresses, names and ids, the bodies, and what is
 * attached, with messages and pages attached to those. Time and memory are linear in the message; what a limit of
 * attached-text.ts leaves out is in `unsearched`. Never throws.
 */
export async function outgoingTexts(message: Outgoing): Promise<OutgoingTexts> {
  const { subject, text, html, inReplyTo, references, headers, attachments } = message;
  const texts: OutgoingText[] = [];
  const unsearched: Unsearched[] = [];
  const add = (where: string, value: string, form: OutgoingText["form"]) => {
    if (value !== "") texts.push({ where, text: value, form });
  };
  add("the subject", subject, "words");
  add("the text", text, "words");
  if (html !== null) add("the HTML", html, "html");
  // Not From: its words are its account's choice.
  const people = [...message.to, ...message.cc, ...message.bcc];
  add("a display name", lines([...people, ...message.replyTo].map(({ name }) => name)), "data");
  add("an address", lines(people.map(({ address }) => address)), "data");
  add("Reply-To", lines(message.replyTo.map(({ address }) => address)), "data");
  add("In-Reply-To", inReplyTo ?? "", "data");
  add("References", lines(references), "data");
  for (const { name, value } of headers) {
    add("the name of a header field", name, "data");
    add(`the header field ${named(name, "with that name")}`, value, "words");
  }

  const budget = newFileBudget();
  const open = async (file: Outgoing["attachments"][number], where: string) => {
    const found = await attachedTexts(file, where, budget);
    texts.push(...found.texts);
    unsearched.push(...found.unsearched);
  };
  for (const [i, file] of attachments.entries()) {
    add("a file name", file.filename, "data");
    add("a Content-ID", file.contentId ?? "", "data");
    add("the type of an attachment", file.contentType, "data");
    await open(file, `the attachment ${named(file.filename, `number ${i + 1}`)}`);
  }
  if (html !== null) await openDataUrls(html, open);
  for (const { where, text: said } of texts.slice())
    if (said.includes("-----BEGIN PGP MESSAGE") && !unsearched.some(({ name }) => name === where))
      unsearched.push({ name: where, why: "encrypted" });
  return { texts, unsearched };
}

function lines(parts: readonly string[]): string {
  return parts.filter((part) => part !== "").join("\n");
}

const dataUrl = /^\s{0,20}data:([^,;]{0,100})((?:;[^,;]{0,100}){0,5}),/i;

/** Files that the HTML carries within itself (RFC 2397). */
async function openDataUrls(
  html: string,
  open: (file: { filename: string; contentType: string; content: Uint8Array }, where: string) => Promise<void>,
): Promise<void> {
  if (!/data:/i.test(html)) return;
  let count = 0;
  for (const { value } of readMarkup(html.slice(0, searchedCharsMax)).attributes) {
    const found = dataUrl.exec(value);
    if (!found || ++count > dataUrlsMax) continue;
    const data = value.slice(found[0].length);
    const isBase64 = /;\s{0,5}base64/i.test(found[2] ?? "");
    const content = isBase64
      ? Buffer.from(
          data.replace(/%([0-9a-f]{2})/gi, (_, hex) => String.fromCharCode(Number.parseInt(hex, 16))),
          "base64",
        )
      : Buffer.from(data);
    await open({ filename: "", contentType: found[1] || "text/plain", content }, "a file inside the HTML");
  }
}
