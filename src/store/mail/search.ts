import { eq, type SQL, sql } from "drizzle-orm";
import { integer, sqliteTable, text } from "drizzle-orm/sqlite-core";
import type { Scope, Verb } from "../engine/engine.ts";
import { type Params, statement } from "../engine/statement.ts";
import type { MailContent, MessageRow } from "../schema.ts";

/** Characters indexed of the head, and of the body: with `accountMark`, they stay under the 1 MiB limit of a tsvector. */
const INDEXED_TEXT_MAX = 100_000;
/**
 * Distinct words indexed of one message, for all its recipients together, at about 1 µs each in SQLite: mail to a
 * hundred agents must not block the server. A long letter has some 2,000.
 */
const INDEXED_WORDS_MAX = 50_000;
/** The least number of words indexed for each of many recipients. */
const RECIPIENT_WORDS_MIN = 500;
/** Characters normalized at a time: one may expand to 18. */
const FOLDED_PIECE = 1_000;
/** Longer words are cut, in messages as in queries. A Postgres lexeme has at most 2,046 bytes. */
const WORD_LENGTH_MAX = 100;
/** Words of a query that are searched for; the rest are ignored. */
const QUERY_WORDS_MAX = 16;
/** Single-character words that are searched for: each reads a large part of the index. */
const QUERY_LETTERS_MAX = 3;
/** Characters of a query that are read; `QUERY_WORDS_MAX` words end before that. */
const QUERY_TEXT_MAX = 4 * QUERY_WORDS_MAX * WORD_LENGTH_MAX;

/** The index in SQLite, a virtual table, and in Postgres. They are not in the schema because they share no column. */
const ftsIndex = sqliteTable("message_search", { rowid: integer("rowid"), document: text("document") });
const tsvectorIndex = sqliteTable("message_search", { messageId: text("message_id"), document: text("document") });

const insertDocument = statement(({ db, dialect }, p: Params<{ id: string; document: string }>) =>
  dialect === "sqlite"
    ? db.insert(ftsIndex).values({ rowid: sql`(select n from messages where id = ${p.id})`, document: p.document })
    : db
        .insert(tsvectorIndex)
        .values({ messageId: p.id, document: sql`array_to_tsvector(string_to_array(${p.document}, ' '))` }),
);

/**
 * Full-text search: the one place where the two databases differ on purpose (FTS5, tsvector). Subject, addresses,
 * attachment names and body are indexed; a query finds the messages in which each of its words begins a word. Text is
 * split into words here, so that both databases find the same messages.
 *
 * For the beginning of a word, both databases read every entry of every word that begins so, and only then compare them
 * with the rest of the query. So the words of each account are words of its own: they begin with its mark.
 */
export function* indexMessage(s: Scope, row: MessageRow, words: string): Verb<void> {
  const mark = accountMark(row.userId);
  const document = [agentWord(row.agentId), ...words.split(" ").filter(Boolean)].map((word) => mark + word).join(" ");
  yield* insertDocument(s, { id: row.id, document });
}

const deleteDocument = statement(({ db, dialect }, p: Params<{ id: string }>) =>
  dialect === "sqlite"
    ? db.delete(ftsIndex).where(sql`rowid = (select n from messages where id = ${p.id})`)
    : db.delete(tsvectorIndex).where(eq(tsvectorIndex.messageId, p.id)),
);

/** Replaces the words that find a message. */
export function* reindexMessage(s: Scope, row: MessageRow, words: string): Verb<void> {
  yield* deleteDocument(s, { id: row.id });
  yield* indexMessage(s, row, words);
}

/** The words that find a message, each once, separated by spaces. They are the same for all its recipients. */
export function searchWords(
  mail: Pick<MessageRow, "subject" | "from" | "to" | "cc">,
  content: Pick<MailContent, "text" | "attachments">,
  recipients: number,
): string {
  const people = [...mail.from, ...mail.to, ...mail.cc].map((m) => `${m.name} ${m.address}`);
  const head = [mail.subject, ...people, ...content.attachments.map((a) => a.filename)].join(" ");
  const found = new Set([...indexed(head), ...indexed(content.text)]);
  const max = Math.max(RECIPIENT_WORDS_MIN, Math.floor(INDEXED_WORDS_MAX / recipients));
  return [...found].slice(0, max).join(" ");
}

/**
 * The condition for messages in which each word of `query` begins a word. Any text is a valid query. The owner only
 * narrows the search: its cost grows with the mail of the account alone. The caller must still compare the owner. If
 * `agentId` is null, the messages of all the account's agents are searched.
 */
export function matching(s: Scope, owner: { userId: string; agentId: string | null }, query: string): SQL {
  const { messages } = s.t;
  const mark = accountMark(owner.userId);
  const terms = queryWords(query).map((term) => spelled(term).map((word) => mark + word));
  const agent = owner.agentId === null ? [] : [mark + agentWord(owner.agentId)];
  // A query of only punctuation matches nothing.
  if (terms.length === 0) return sql`1 = 0`;
  return s.dialect === "sqlite"
    ? sql`messages.n in (select rowid from message_search
          where message_search match ${[...agent.map((word) => `"${word}"`), ...terms.map((term) => oneOf(term, " OR ", (word) => `"${word}"*`))].join(" AND ")})`
    : sql`${messages.id} in (select message_id from message_search
          where document @@ ${[...agent.map((word) => `'${word}'`), ...terms.map((term) => oneOf(term, " | ", (word) => `'${word}':*`))].join(" & ")}::tsquery)`;
}

function oneOf(words: string[], or: string, written: (word: string) => string): string {
  return words.length === 1 ? written(words[0] as string) : `(${words.map(written).join(or)})`;
}

/** The lower case of a sigma depends on what follows it, so at the end of a word the index may have either form. */
function spelled(word: string): string[] {
  return /[σς]$/.test(word) ? [`${word.slice(0, -1)}σ`, `${word.slice(0, -1)}ς`] : [word];
}

/**
 * The words of a query that are searched for: the first 16, with at most three single letters or digits. A word that
 * begins another word is left out, because the other implies it.
 */
export function queryWords(query: string): string[] {
  const asked = [...new Set(words(query.slice(0, QUERY_TEXT_MAX)).slice(0, QUERY_WORDS_MAX))];
  const narrow = asked.filter((word) => !asked.some((other) => other !== word && other.startsWith(word)));
  let letters = 0;
  return narrow.filter((word) => !/^[a-z0-9]$/.test(word) || ++letters <= QUERY_LETTERS_MAX);
}

/** What each word of an account begins with: random digits of its id, always eight. Two accounts may have the same. */
function accountMark(userId: string): string {
  return userId.slice(-8);
}

/** The word for an agent in the index. The § keeps it out of texts; no address is longer (RFC 5321 4.5.3.1). */
function agentWord(agentId: string): string {
  return `§${agentId.slice(0, 320).replace(/[^a-z0-9]/g, "§")}`;
}

/** The words of the indexed part of a text. */
function indexed(text: string): string[] {
  const found: string[] = [];
  let length = 0;
  for (const word of words(text.slice(0, INDEXED_TEXT_MAX))) {
    length += word.length + 1;
    if (length > INDEXED_TEXT_MAX) break;
    found.push(word);
  }
  return found;
}

/**
 * The words of a text: runs of letters and digits, lower-cased, without diacritics. Chinese and Japanese are written
 * without spaces, so each of their characters counts as a word.
 */
function words(text: string): string[] {
  // Most mail is ASCII, which takes a tenth of the time without Unicode classes.
  if (/^[\x00-\x7f]*$/.test(text))
    return (text.toLowerCase().match(/[a-z0-9]+/g) ?? []).map((word) => word.slice(0, WORD_LENGTH_MAX));
  const folded = decomposed(text)
    .replace(/\p{M}+/gu, "")
    .toLowerCase()
    .replace(/[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}]/gu, " $& ");
  return (folded.match(/[\p{L}\p{N}]+/gu) ?? []).map((word) => word.slice(0, WORD_LENGTH_MAX));
}

/** The first `INDEXED_TEXT_MAX` characters of the text in NFKD. */
function decomposed(text: string): string {
  let result = "";
  for (let at = 0; at < text.length && result.length < INDEXED_TEXT_MAX; ) {
    // Keeps a surrogate pair together.
    const end = at + FOLDED_PIECE + (/[\ud800-\udbff]/.test(text[at + FOLDED_PIECE - 1] ?? "") ? 1 : 0);
    result += text.slice(at, end).normalize("NFKD");
    at = end;
  }
  return result.slice(0, INDEXED_TEXT_MAX);
}
