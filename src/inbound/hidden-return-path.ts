import type { Mailbox, ReadMail } from "../mail.ts";
import { isHidden, withoutSignatures } from "../return-path.ts";

/**
 * A message as agents may see it: without the signatures of return paths, wherever its encodings hid them, and with
 * `mailbox`, if given, where its To, Cc and Reply-To name a return path whose signature was taken out of the bytes.
 */
export function withoutReturnPaths(mail: ReadMail, mailbox: string | null): ReadMail {
  const named = (mailboxes: Mailbox[]) =>
    mailboxes.map((one) => (mailbox !== null && isHidden(one.address) ? { ...one, address: mailbox } : one));
  return {
    ...mail,
    to: named(mail.to),
    cc: named(mail.cc),
    replyTo: named(mail.replyTo),
    subject: withoutSignatures(mail.subject),
    text: withoutSignatures(mail.text),
    html: mail.html && withoutSignatures(mail.html),
    replyText: withoutSignatures(mail.replyText),
    snippet: withoutSignatures(mail.snippet),
    headers: mail.headers.map(({ name, value }) => ({ name, value: withoutSignatures(value) })),
  };
}
