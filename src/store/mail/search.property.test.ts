/** Full-text search: any text is a query, a message is found by each word, and both databases find the same ones. */
import { expect, test } from "bun:test";
import fc from "fast-check";
import { addAgent, addMessage } from "../../../test/store/rows.ts";
import { onDatabases } from "../../../test/store/stores.ts";
import { holds, textWith } from "../../../test/support/property.ts";
import { cleanText } from "../../message/text/clean.ts";
import { queryWords } from "./search.ts";

const oddText = textWith([
  "invoice",
  "Straße",
  "CAFÉ",
  "会議",
  "ﬁ",
  "２０２６",
  "AND",
  "NOT",
  "NEAR(",
  '"',
  "'",
  "*",
  ":",
  "-",
  "^",
  "(",
  ")",
  "|",
  "&",
  "!",
  "§",
  "ΟΔΟΣ",
  "οδοσεις ",
  "%",
  "_",
  "ß",
  "İ",
  "ǆ",
  "\u200d",
  "🎉",
  "a1b2",
  "ann@people.example",
  "x".repeat(150),
]);

/** Few words, so that messages and queries share some. */
const fewWords = fc
  .array(fc.constantFrom("inv", "invoice", "inventory", "bücher", "bucher", "buch"), { maxLength: 3 })
  .map((words) => words.join(" "));
// Excludes texts with a final sigma inside a word.
const anyText = fc
  .oneof(oddText, fewWords)
  .filter((text) => !/ς[\p{L}\p{N}\p{M}]/u.test(text.normalize("NFKD").toLowerCase()));

/** The words of a text as a person sees them: runs of letters and digits with their marks, ligatures expanded. */
const runs = (text: string) => text.normalize("NFKD").match(/[\p{L}\p{N}][\p{L}\p{N}\p{M}]*/gu) ?? [];
/** A text without what a search ignores: marks, and the case of letters. */
const plain = (text: string) =>
  sigma(
    text
      .normalize("NFKD")
      .replace(/\p{M}+/gu, "")
      .toLowerCase(),
  );

test("the words of a query are letters and digits alone, few, and none is said twice", () =>
  holds(
    fc.property(anyText, (query) => {
      const words = queryWords(query);
      expect(words.length).toBeLessThanOrEqual(16);
      expect(new Set(words).size).toBe(words.length);
      for (const word of words) {
        expect(word).toMatch(/^[\p{L}\p{N}]{1,100}$/u);
        expect(words.filter((other) => other.startsWith(word))).toEqual([word]);
      }
    }),
    { share: 5 },
  ));

onDatabases(
  ({ name }) => name !== "SQLite file",
  (it) => {
    test("a message is found by each of its words, and any text is a query", async () => {
      const { store } = it;
      const agent = await addAgent(store);
      await addMessage(store, agent.id, { subject: "Unrelated", content: { text: "nothing to see" } });
      const search = async (q: string) =>
        (await store.listMessages(agent.id, { q }, { sort: "desc", limit: 1_000 })).map(({ id }) => id);
      await holds(
        // An empty query sets no condition.
        fc.asyncProperty(
          anyText.map(cleanText),
          anyText.map(cleanText),
          anyText.filter((query) => query !== ""),
          fc.nat(20),
          async (subject, text, query, length) => {
            const { id } = await addMessage(store, agent.id, { subject, content: { text } });
            for (const word of [...runs(subject), ...runs(text)].slice(0, 6)) {
              expect(await search(word)).toContain(id);
              // Skipped if upper-casing changes the letters: the capitals of "Straße" are those of "Strasse".
              const beginning = [...word].slice(0, 1 + (length % word.length)).join("");
              const upper = beginning.toUpperCase();
              if (plain(upper) === plain(beginning)) expect(await search(upper)).toContain(id);
              expect(await search(word.normalize("NFC"))).toContain(id);
            }
            const found = await search(query);
            const all = plain([subject, text, "alice@sender.example Alice", agent.id].join(" "));
            const asked = wordsOf(plain(query)).map((word) => word.slice(0, 100));
            const letters = new Set(asked.filter((word) => word.length === 1));
            // Of longer queries only the first part counts.
            if (asked.length <= 16 && letters.size <= 3)
              expect(found.includes(id)).toBe(asked.length > 0 && asked.every((word) => has(all, word)));
            await store.deleteMessage(agent.id, id);
          },
        ),
        { share: it.place.dialect === "sqlite" ? 0.8 : 0.3 },
      );
    });
  },
);

/** The words of a text; each Chinese or Japanese character is a word. */
function wordsOf(text: string): string[] {
  return runs(text.replace(/[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}]/gu, " $& "));
}

/** Whether a word of the text begins with `word`. */
function has(text: string, word: string): boolean {
  return wordsOf(text).some((one) => one.startsWith(word));
}

/** Replaces the forms of sigma by one. */
function sigma(text: string): string {
  return text.replaceAll("ς", "σ");
}
