import type { HeaderField, Mailbox } from "../mail.ts";
import { sentFile } from "../message/compose.ts";
import { cssReadings } from "../message/html/css-text.ts";
import { SEARCHED_CHARS_MAX } from "../message/html/links.ts";
import { markupReadings, readMarkup } from "../message/html/markup.ts";
import { uuencodedFiles } from "../message/uuencode.ts";
import {
  attachedTexts,
  filesTexts,
  lines,
  named,
  newFileBudget,
  type OutgoingText,
  type OutgoingTexts,
  type Unsearched,
} from "./attached-text.ts";
import { contentsOf, dataUrls } from "./data-urls.ts";

export type { OutgoingText, OutgoingTexts, Unsearched } from "./attached-text.ts";

/** A message as it would leave. It is plain data, so it can be passed to another process. */
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

/** `data:` URLs in one HTML text that are read as files; a page has a handful. */
const DATA_URLS_MAX = 200;

/**
 * Collects every text that leaves with a message: the header with its addresses, names and ids, the bodies, the
 * attachments, and the messages and pages attached to those. `attached`: those of each attachment. Time and memory are
 * linear in the message; parts beyond a limit of attached-text.ts are in `unsearched`, which has nothing twice. Never
 * throws.
 */
export async function outgoingTexts(message: Outgoing): Promise<OutgoingTexts & { attached: OutgoingText[][] }> {
  const { subject, text, html, inReplyTo, references, headers, attachments } = message;
  const texts: OutgoingText[] = [];
  const unsearched: Unsearched[] = [];
  const add = (where: string, value: string, form: OutgoingText["form"]) => {
    if (value !== "") texts.push({ where, text: value, form });
  };
  add("the subject", subject, "words");
  add("the text", text, "words");
  if (html !== null) add("the HTML", html, "html");
  // Not From: its account chooses the words there.
  const people = [...message.to, ...message.cc, ...message.bcc];
  add("a display name", lines([...people, ...message.replyTo].map(({ name }) => name)), "data");
  add("an address", lines(people.map(({ address }) => address)), "data");
  add("Reply-To", lines(message.replyTo.map(({ address }) => address)), "data");
  add("In-Reply-To", inReplyTo ?? "", "data");
  add("References", lines(references), "data");
  add("the name of a header field", lines(headers.map(({ name }) => name)), "data");
  for (const { name, value } of headers) add(`the header field ${named(name, "with that name")}`, value, "words");
  const inText = uuencodedFiles(text).map((file) => ({ ...file, contentType: "", name: "a file inside the text" }));
  add("a file name", lines([...attachments, ...inText].map(({ filename }) => filename)), "data");
  add("a Content-ID", lines(attachments.map(({ contentId = "" }) => contentId)), "data");
  add("the type of an attachment", lines(attachments.map(({ contentType }) => contentType)), "data");

  const budget = newFileBudget();
  const keep = (found: OutgoingTexts) => {
    texts.push(...found.texts);
    unsearched.push(...found.unsearched);
    return found.texts;
  };
  const attached: OutgoingText[][] = [];
  for (const [i, file] of attachments.entries()) {
    const where = `the attachment ${named(file.filename, `number ${i + 1}`)}`;
    attached.push(keep(await attachedTexts(leavingFile(file, i), where, budget)));
  }
  keep(await filesTexts(inText, budget));
  const open = async (file: Outgoing["attachments"][number], where: string) => {
    keep(await attachedTexts(file, where, budget));
  };
  for (const { where, text: markup, form } of texts.slice())
    if (form === "html") await openDataUrls(markup, `a file inside ${where}`, open, (one) => unsearched.push(one));
  // Besides the readings that are searched, programs may have others.
  for (const { where, text: markup, form } of texts)
    if (form === "html" && markup.length <= SEARCHED_CHARS_MAX && markupReadings(markup).length > 1)
      unsearched.push({ name: where, why: "unreadable" });
  for (const { where, text: said } of texts.slice())
    if (said.includes("-----BEGIN PGP MESSAGE") && !unsearched.some(({ name }) => name === where))
      unsearched.push({ name: where, why: "encrypted" });
  const distinct = new Map(unsearched.map((one) => [`${one.why} ${one.name}`, one]));
  return { texts, unsearched: [...distinct.values()], attached };
}

/**
 * An attachment with the name and the type with which it leaves. One that says it is a message or parts of one is
 * opened as that, though some leave as plain bytes.
 */
function leavingFile(file: Outgoing["attachments"][number], index: number): Outgoing["attachments"][number] {
  const sent = sentFile(file, index);
  const isMime = /^\s*(?:message|multipart)\//i.test(file.contentType);
  return { ...file, ...sent, ...(isMime && { contentType: file.contentType }) };
}

/** Opens the files that HTML embeds (RFC 2397), in attributes and in style sheets, however they are spelt. */
async function openDataUrls(
  html: string,
  where: string,
  open: (file: { filename: string; contentType: string; content: Uint8Array }, where: string) => Promise<void>,
  miss: (unsearched: Unsearched) => void,
): Promise<void> {
  const { attributes, code } = readMarkup(html.slice(0, SEARCHED_CHARS_MAX));
  const places = attributes.flatMap(({ name, value }) =>
    // URLs are read without tabs and line ends (WHATWG URL 4.4).
    name === "style" ? cssReadings(value) : [value.replace(/[\t\n\r]/g, "").trimStart()],
  );
  const seen = new Set<string>();
  for (const place of [...places, ...cssReadings(code)])
    for (const found of dataUrls(place)) {
      if (seen.has(found.url)) continue;
      seen.add(found.url);
      if (seen.size > DATA_URLS_MAX) return miss({ name: where, why: "too large" });
      for (const content of contentsOf(found))
        await open({ filename: "", contentType: found.type || "text/plain", content }, where);
    }
}
