import type { Mailbox, ReadMail } from "../mail.ts";
import { type ReturnPaths, withoutSignatures } from "../return-path.ts";

/** A message without the signatures of return paths, wherever its encodings hid them. */
export function withoutReturnPaths(mail: ReadMail): ReadMail {
  return hidden(mail) as ReadMail;
}

function hidden(value: unknown): unknown {
  if (typeof value === "string") return withoutSignatures(value);
  if (Array.isArray(value)) return value.map(hidden);
  if (value === null || typeof value !== "object" || value instanceof Date) return value;
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, hidden(member)]));
}

/** A message that names `mailbox` where its To, Cc and Reply-To name a return path without its signature. */
export function addressedTo(mailbox: string, mail: ReadMail, { isHidden }: Pick<ReturnPaths, "isHidden">): ReadMail {
  const named = (mailboxes: Mailbox[]) =>
    mailboxes.map((one) => (isHidden(one.address) ? { ...one, address: mailbox } : one));
  return { ...mail, to: named(mail.to), cc: named(mail.cc), replyTo: named(mail.replyTo) };
}
