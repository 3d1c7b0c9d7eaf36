import { eq } from "drizzle-orm";
import type { Mailbox } from "../../mail.ts";
import { ask, type Scope, type Verb } from "../engine/engine.ts";
import type { MessageRow } from "../schema.ts";
import type { keptOf, MailContent } from "./received.ts";
import { reindexMessage, searchWords } from "./search.ts";

export type RenewedMail = Omit<ReturnType<typeof keptOf>, "content"> & { content: MailContent };

/**
 * Replaces what was parsed of stored bytes, for all messages that have them: the content, and what lists and the search
 * show of it. What was proven stays, so a From address that was found at first stays too; so do conversations and
 * events.
 */
export function* renewContent(s: Scope, sha256: string, mail: RenewedMail): Verb<void> {
  const { messages, rawMail } = s.t;
  yield* ask(s.db.update(rawMail).set({ content: mail.content }).where(eq(rawMail.sha256, sha256)));
  const rows = yield* ask(s.db.select().from(messages).where(eq(messages.rawSha256, sha256)));
  // Found once, because they take milliseconds: rows differ in From at most, if one keeps an author that was proven.
  const words = new Map<string, string>();
  for (const row of rows) {
    const changed = {
      from: isSameAuthor(row, mail.from) ? mail.from : row.from,
      fromAddress: row.fromAddress || (mail.from[0]?.address ?? ""),
      to: mail.to,
      cc: mail.cc,
      replyTo: mail.replyTo,
      subject: mail.subject,
      snippet: mail.snippet,
      hasAttachments: mail.content.attachments.length > 0,
    };
    yield* ask(s.db.update(messages).set(changed).where(eq(messages.id, row.id)));
    const renewed: MessageRow = { ...row, ...changed };
    const author = JSON.stringify(renewed.from);
    const found = words.get(author) ?? searchWords(renewed, mail.content, rows.length);
    words.set(author, found);
    yield* reindexMessage(s, renewed, found);
  }
}

function isSameAuthor({ from }: MessageRow, read: readonly Mailbox[]): boolean {
  return (
    from.every(({ address }, i) => address === read[i]?.address) && (from.length === 0 || from.length === read.length)
  );
}
