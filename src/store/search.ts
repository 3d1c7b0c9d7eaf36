import { type SQL, sql } from "drizzle-orm";
import { askRaw, type Scope, type Verb } from "./engine.ts";
import type { MailContent, MessageRow } from "./schema.ts";

/** Text of one message that is indexed at most, in characters; Postgres bounds a tsvector at 1 MiB. */
const INDEXED_TEXT_MAX = 100_000;
/** Words of a query that count; the rest is ignored. */
const QUERY_WORDS_MAX = 16;

/**
 * Full-text search: the one place where the two databases differ on purpose (FTS5, tsvector).
 * Both index subject, addresses, body and attachment names, fold case, and find every word of
 * the query as the beginning of a word of the message.
 */
export function* indexMessage(s: Scope, row: MessageRow, content: MailContent): Verb<void> {
  const addresses = [...row.from, ...row.to, ...row.cc].map((m) => `${m.name} ${m.address}`).join(" ");
  const body = content.text.slice(0, INDEXED_TEXT_MAX);
  const attachments = content.attachments.map((a) => a.filename).join(" ");
  yield* askRaw(
    s.dialect === "sqlite"
      ? sql`insert into message_search (rowid, subject, addresses, body, attachments)
            select n, ${words(row.subject)}, ${words(addresses)}, ${words(body)}, ${words(attachments)} from messages where id = ${row.id}`
      : sql`insert into message_search (message_id, document)
            values (${row.id}, to_tsvector('simple', ${words(`${row.subject} ${addresses} ${attachments} ${body}`)}))`,
  );
}

/** A condition on messages: those in which each word of `query` begins a word. Any text is a valid query. */
export function matching(s: Scope, query: string): SQL {
  const { messages } = s.t;
  const terms = words(query).split(" ").filter(Boolean).slice(0, QUERY_WORDS_MAX);
  // A query of punctuation alone matches nothing.
  if (terms.length === 0) return sql`1 = 0`;
  return s.dialect === "sqlite"
    ? sql`${messages.id} in (select m.id from message_search f join messages m on m.n = f.rowid
          where message_search match ${terms.map((term) => `"${term}"*`).join(" ")})`
    : sql`${messages.id} in (select message_id from message_search
          where document @@ to_tsquery('simple', ${terms.map((term) => `'${term}':*`).join(" & ")}))`;
}

/** Letters and digits only, diacritics folded: so both tokenizers see the same plain words. */
function words(text: string): string {
  return text
    .normalize("NFKD")
    .replace(/\p{M}+/gu, "")
    .toLowerCase()
    .replace(/[^\p{L}\p{N}]+/gu, " ")
    .trim();
}
