/** Mail of an agent, as its reviewers read it in a terminal. */
import { visibleText } from "../../message/text/visible.ts";
import type { Outbound } from "../connect/shapes.ts";

/**
 * Writes out every invisible character of a mail (`⟨U+001B⟩`), as the other ways to review it do. Removing control
 * sequences would also remove the words inside them, which the recipients would read. The HTML stays as it is: it has to
 * be converted to text first.
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
