/** Mail of an agent as those read it who decide about it. */
import { visibleText } from "../../message/text/visible.ts";
import type { Outbound } from "../connect/shapes.ts";

/**
 * A mail with every character that nobody sees written out (`⟨U+001B⟩`), as by the other ways to review it. A terminal
 * could only leave such characters out, and what a control sequence encloses with them: words that its recipients read.
 * The HTML stays as it is, for it is no text yet.
 */
export function visibleMail(mail: Outbound): Outbound {
  const { subject, body_text, headers, attachments, links, unsearched } = mail;
  const lists = ["to", "cc", "bcc", "reply_to", "first_time", "review_notes"] as const;
  return {
    ...mail,
    subject: visibleText(subject),
    ...(body_text === undefined ? {} : { body_text: visibleText(body_text) }),
    ...Object.fromEntries(lists.flatMap((name) => (mail[name] ? [[name, mail[name].map(visibleText)]] : []))),
    ...(headers && {
      headers: headers.map(({ name, value }) => ({ name: visibleText(name), value: visibleText(value) })),
    }),
    ...(attachments && {
      attachments: attachments.map((file) => ({
        ...file,
        filename: visibleText(file.filename),
        content_type: visibleText(file.content_type),
      })),
    }),
    ...(links && {
      links: links.map(({ text, host, url }) => ({
        text: visibleText(text),
        host: visibleText(host),
        url: visibleText(url),
      })),
    }),
    ...(unsearched && { unsearched: unsearched.map((part) => ({ ...part, name: visibleText(part.name) })) }),
  };
}
