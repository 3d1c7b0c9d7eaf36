import { expect, test } from "bun:test";
import { sql } from "drizzle-orm";
import { addAccount, addAgent, addMessage, mailFor } from "../../../test/store/rows.ts";
import { onEveryDatabase } from "../../../test/store/stores.ts";
import { askRaw, type Verb } from "../engine/engine.ts";
import { renewContent } from "./renew.ts";
import { queryWords, searchWords } from "./search.ts";

test.each([
  ["one letter many times", "a ".repeat(16), ["a"]],
  ["words that begin each other", "inv invoice in 2026 20", ["invoice", "2026"]],
  ["all letters", "a b c d e f g h", ["a", "b", "c"]],
  ["letters with words", "q x 7 z invoice", ["q", "x", "7", "invoice"]],
  ["characters that are words", "会 議 の 東 京", ["会", "議", "の", "東", "京"]],
  ["the same word sixteen times, then another", `${"word ".repeat(16)}last`, ["word"]],
])("each word costs a look into the index, so few are looked for: %s", (_, query, looked) => {
  expect(queryWords(query)).toEqual(looked);
});

test.each([
  ["different words", Array.from({ length: 30_000 }, (_, i) => `w${i.toString(36)}`).join(" ")],
  ["characters that are words", Array.from({ length: 20_000 }, (_, i) => String.fromCharCode(0x4e00 + i)).join("")],
  ["the same word many times", "word ".repeat(20_000)],
  ["one character that stands for many", "\ufdfa".repeat(100_000)],
])("a message is indexed by so many words for all its recipients together: %s", (_, text) => {
  const mail = { subject: "Agenda", from: [], to: [], cc: [] };
  const indexed = (recipients: number) => searchWords(mail, { text, attachments: [] }, recipients).split(" ");
  for (const recipients of [1, 10, 100]) {
    const words = indexed(recipients);
    expect(words.length * recipients).toBeLessThanOrEqual(50_000);
    expect(new Set(words).size).toBe(words.length);
    expect(words).toContain("agenda");
  }
  expect(indexed(1).join(" ").length).toBeLessThanOrEqual(200_001);
});

/** The messages searched, by name. */
const mails = {
  invoice: {
    subject: "Invoice #2026-0815 from ACME",
    content: { text: "Please pay 1.299,00 € until 2026-06-01. Order 4711X7, ref AB12CD34." },
  },
  cafe: {
    subject: "Café déjà-vu",
    content: { text: "Zwölf Boxkämpfer jagen Viktor quer über den großen Sylter Deich." },
  },
  cjk: { subject: "会議のお知らせ", content: { text: "明日の会議は東京で行います。测试邮件，请查收。" } },
  korean: { subject: "안녕하세요", content: { text: "회의 일정을 확인해 주세요" } },
  hebrew: { subject: "שלום עולם", content: { text: "מכתב בעברית" } },
  greek: { subject: "Νέες ΟΔΟΣΗΜΑΝΣΕΙΣ", content: { text: "ο ΝΟΜΟΣ’ του" } },
  arabic: { subject: "مرحبا بالعالم", content: { text: "رسالة باللغة العربية" } },
  emoji: { subject: "Party 🎉🎉 tonight", content: { text: "bring 🍕pizza🍕 and 👨‍👩‍👧" } },
  hostile: {
    subject: `Robert'); DROP TABLE messages;-- "quoted" NOT AND OR NEAR(x)`,
    content: { text: "a*b c^d {e} f:g (h) [i] \\ % _ ? $1 :name @at\u0000nul" },
  },
  people: {
    from: [{ address: "jürgen.müller@example.org", name: "Jürgen Müller" }],
    cc: [{ address: "accounts+tag@billing.example.net", name: "Accounts" }],
    subject: "",
    content: { text: "" },
  },
  file: {
    subject: "Attached",
    content: {
      text: "see file",
      attachments: [{ index: 0, filename: "Q3_report-final (2).PDF", content_type: "application/pdf", size: 1 }],
    },
  },
  long: { subject: `${"l".repeat(5_000)} end`, content: { text: `${"filler ".repeat(13_000)}needle` } },
} as const;

type Name = keyof typeof mails;

/** Queries and the messages they find, the same on both databases. */
const queries: [query: string, found: Name[]][] = [
  ["invoice", ["invoice"]],
  ["INVOICE acme", ["invoice"]],
  ["inv", ["invoice"]],
  ["voice", []],
  ["invoice hebrew", []],
  ["2026", ["invoice"]],
  ["2026-06-01", ["invoice"]],
  ["1.299", ["invoice"]],
  ["4711x", ["invoice"]],
  ["ab12cd", ["invoice"]],
  ["cafe", ["cafe"]],
  ["CAFÉ", ["cafe"]],
  ["cafe\u0301", ["cafe"]],
  ["deja vu", ["cafe"]],
  ["zwolf", ["cafe"]],
  ["über", ["cafe"]],
  ["großen", ["cafe"]],
  ["会議", ["cjk"]],
  ["東京", ["cjk"]],
  ["邮件", ["cjk"]],
  ["お知らせ", ["cjk"]],
  ["北京", []],
  ["안녕", ["korean"]],
  ["일정", ["korean"]],
  ["ΟΔΟΣ", ["greek"]],
  ["νομος", ["greek"]],
  ["νομοσ", ["greek"]],
  ["שלום", ["hebrew"]],
  ["عالم", []],
  ["بالعالم", ["arabic"]],
  ["party 🎉", ["emoji"]],
  ["🍕", []],
  ["pizza", ["emoji"]],
  [`"quoted"`, ["hostile"]],
  [`"quoted" OR invoice`, []],
  ["not and or near", ["hostile"]],
  ["robert'); drop table messages;--", ["hostile"]],
  ["nul", ["hostile"]],
  ["at\u0000nul", ["hostile"]],
  ["muller", ["people"]],
  ["Jürgen@example.org", ["people"]],
  ["billing.example.net", ["people"]],
  ["accounts+tag@billing.example.net", ["people"]],
  ["report final pdf", ["file"]],
  ["q3_report-final (2).pdf", ["file"]],
  ["needle", ["long"]],
  ["l".repeat(90), ["long"]],
  ["l".repeat(5_000), ["long"]],
  [`${"l".repeat(10_000)} end`, ["long"]],
  ["x".repeat(10_000), []],
  ["invoice ".repeat(2_000), ["invoice"]],
  [`${"party ".repeat(16)}nobody-reads-this-far`, ["emoji"]],
];

/** Queries without words, or that try to inject database syntax. */
const hostile = [
  " ",
  "*",
  `"`,
  `""`,
  "'",
  "''",
  "(",
  ")",
  "-",
  "^",
  ":",
  "\\",
  "%",
  "_",
  "&",
  "|",
  "!",
  "<->",
  "\u0000",
  "\ud800",
  "🎉",
  "\u0301",
  "\u200f\u202e",
  "!!! ??? ...",
  "(".repeat(10_000),
];

onEveryDatabase((it) => {
  test("every query finds the same messages", async () => {
    const agent = await addAgent(it.store);
    const names = new Map<string, Name>();
    for (const [name, mail] of Object.entries(mails)) {
      const { content, ...changes } = structuredClone(mail) as Parameters<typeof addMessage>[2] & object;
      const nobody = [{ address: "sender@host.example", name: "" }];
      const row = await addMessage(it.store, agent.id, { from: nobody, to: [], ...changes, content });
      names.set(row.id, name as Name);
    }
    await addMessage(it.store, (await addAgent(it.store)).id, { subject: "Invoice for another agent" });
    const find = async (q: string) =>
      (await it.store.listMessages(agent.id, { q }, { sort: "asc", limit: 100 })).map((row) => names.get(row.id)!);

    const answers: typeof queries = [];
    for (const [query] of queries) answers.push([query, await find(query)]);
    expect(answers).toEqual(queries);
    for (const query of hostile) expect(await find(query)).toEqual([]);
    // An empty query sets no condition.
    expect(await find("")).toHaveLength(Object.keys(mails).length);
  });

  test("any word of a message finds it, and so does its beginning", async () => {
    const agent = await addAgent(it.store);
    const letters = "abz019é文のж한א🎉-_.'\"&|!*\\ ";
    const random = () => [...letters][Math.floor(Math.random() * [...letters].length)]!;
    for (let i = 0; i < 12; i++) {
      const text = Array.from({ length: 40 }, random).join("");
      const { id } = await addMessage(it.store, agent.id, { content: { text } });
      for (const word of text.match(/[\p{L}\p{N}]+/gu) ?? [])
        for (const q of [word, word.slice(0, 2)]) {
          const found = await it.store.listMessages(agent.id, { q }, { sort: "desc", limit: 1 });
          expect({ text, q, found: found.map((row) => row.id) }).toEqual({ text, q, found: [id] });
        }
    }
  });

  test("the words of a message that is read anew are found once for all who have it", async () => {
    const owner = await addAccount(it.store);
    const agents = await Promise.all(Array.from({ length: 12 }, () => addAgent(it.store, { userId: owner.id })));
    const mail = mailFor(agents.map(({ id }) => id));
    await it.store.acceptInbound(mail);
    let reads = 0;
    const content = {
      ...mail.content,
      get text() {
        reads++;
        return "Bring twelve stools.";
      },
    };
    await it.engine.write((s) => renewContent(s, mail.raw.sha256, { ...mail, content }));
    expect(reads).toBeLessThan(agents.length);
    for (const { id } of agents)
      expect(await it.store.listMessages(id, { q: "stools" }, { sort: "desc", limit: 2 })).toHaveLength(1);
  });

  test("the words of two accounts are different words in the index, so that neither's searches read the other's", async () => {
    const accounts = await Promise.all(["one", "two"].map(() => addAccount(it.store)));
    for (const { id: userId } of accounts)
      for (let n = 0; n < 2; n++)
        await addMessage(it.store, (await addAgent(it.store, { userId })).id, { subject: "Zucchinis" });
    if (it.engine.dialect === "sqlite")
      await it.engine.write(function* (): Verb<void> {
        yield* askRaw(sql`create virtual table temp.words using fts5vocab(main, message_search, row)`);
      });
    const words =
      it.engine.dialect === "sqlite"
        ? sql`select term as word, doc as n from temp.words where term like '%zucchinis'`
        : sql`select word, ndoc as n from ts_stat('select document from message_search') where word like '%zucchinis'`;
    const found = await it.engine.write(() => askRaw<{ word: string; n: number }>(words));
    expect(found.map(({ n }) => Number(n))).toEqual([2, 2]);
    const page = { sort: "asc", limit: 5 } as const;
    for (const { id } of accounts) {
      const rows = await it.store.listInbox(id, { q: "zucchini" }, page);
      expect(rows.map(({ userId }) => userId)).toEqual([id, id]);
    }
  });

  test("a message with more text than the index holds is stored, and its beginning is found", async () => {
    const agent = await addAgent(it.store);
    // Every word is different, and made of three-byte letters; the ligature expands to eighteen letters.
    const words = Array.from({ length: 60_000 }, (_, i) => `ж${i.toString(36)}ᎠᎡᎢ${i}`).join(" ");
    const to = Array.from({ length: 10_000 }, (_, i) => ({ address: `person${i}@many.example`, name: `Nr ${i}` }));
    const { id } = await addMessage(it.store, agent.id, { to, content: { text: `${words} ${"ﷺ".repeat(100_000)}` } });
    for (const q of ["ж0ᎠᎡᎢ0", "person7@many.example"]) {
      const found = await it.store.listMessages(agent.id, { q }, { sort: "asc", limit: 5 });
      expect(found.map((row) => row.id)).toEqual([id]);
    }
  });

  test("a deleted message is found no more", async () => {
    const agent = await addAgent(it.store);
    const kept = await addMessage(it.store, agent.id, { subject: "ephemeral" });
    const gone = await addMessage(it.store, agent.id, { subject: "ephemeral" });
    await it.store.deleteMessage(agent.id, gone.id);
    const newer = await addMessage(it.store, agent.id, { subject: "other" });
    const found = async (q: string) =>
      (await it.store.listMessages(agent.id, { q }, { sort: "asc", limit: 5 })).map((row) => row.id);
    expect(await found("ephemeral")).toEqual([kept.id]);
    expect(await found("other")).toEqual([newer.id]);
  });
});
