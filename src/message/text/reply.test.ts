import { expect, test } from "bun:test";
import { superlinear } from "../../../test/support/growth.ts";
import { readMail } from "../read.ts";
import { replyText } from "./reply.ts";

test.each([
  ["no quote", "Hello,\n\nhow are you?\n\nAlice", "Hello,\n\nhow are you?\n\nAlice"],
  [
    "a quote below",
    "Yes.\n\nOn Fri, May 15, 2026 at 12:00 PM Bob <bob@example.com> wrote:\n> Coming?\n> Bob\n",
    "Yes.",
  ],
  [
    "an introduction over two lines",
    "Yes.\n\nOn Fri, May 15, 2026 at 12:00 PM Bob\n<bob@example.com> wrote:\n> Coming?\n",
    "Yes.",
  ],
  [
    "an introduction over three lines",
    "Yes.\n\nOn Fri, May 15, 2026 at 12:00 PM\nBob of the Example Company\n<bob@example.com> wrote:\n> Coming?\n",
    "Yes.",
  ],
  ["German", "Ja.\n\nAm 15.05.2026 um 12:00 schrieb Bob <bob@example.com>:\n> Kommst du?\n", "Ja."],
  ["French", "Oui.\n\nLe ven. 15 mai 2026 à 12:00, Bob <bob@example.com> a écrit :\n> Tu viens ?\n", "Oui."],
  ["Outlook", "Yes.\n\n-----Original Message-----\nFrom: Bob <bob@example.com>\nSent: Friday\n\nComing?\n", "Yes."],
  ["a signature", "Yes.\n\n-- \nAlice\nExample Inc.", "Yes."],
  ["a phone", "Yes.\n\nSent from my iPhone", "Yes."],
  ["answers between quotes", "> One?\nFirst.\n\n> Two?\nSecond.", "First.\nSecond."],
  [
    "a long line",
    `${"word ".repeat(500).trim()}\n\nOn Fri Bob <b@example.com> wrote:\n> x`,
    "word ".repeat(500).trim(),
  ],
  ["private use characters", "a\uE0007\uE001b\n\nOn Fri Bob <b@example.com> wrote:\n> x", "a\uE0007\uE001b"],
  [
    "Gmail in German, wrapped",
    "Ja.\n\nAm So., 1. Nov. 2026 um 10:12 Uhr schrieb Firma <\nb@example.com>:\n\n> Passt es?",
    "Ja.",
  ],
  [
    "Gmail in Dutch, wrapped",
    "Ja.\n\nOp zo 1 nov 2026 om 10:12 schreef Bedrijf <\nb@example.com>:\n\n> Past het?",
    "Ja.",
  ],
  [
    "Gmail in Swedish, wrapped",
    "Ja.\n\nDen sön 1 nov. 2026 kl 10:12 skrev Bob <\nb@example.com>:\n\n> Passar det?",
    "Ja.",
  ],
  ["Gmail in Japanese", "はい。\n\n2026年11月1日(日) 10:12 ボブ <b@example.com>:\n\n> 火曜日？", "はい。"],
  ["Gmail in Chinese", "好。\n\nBob <b@example.com> 于2026年11月1日周日 10:12写道：\n\n> 可以吗？", "好。"],
  [
    "Gmail in Turkish, without a gap",
    "Evet.\nBob <b@example.com>, 1 Kas 2026 Paz, 10:12 tarihinde şunu yazdı:\n\n> Uygun mu?",
    "Evet.",
  ],
  [
    "a date with its zone, wrapped",
    "Yes.\n\n2026-11-01 13:29 GMT+02:00 A Long Name <\nb@example.com>:\n\n> Which?",
    "Yes.",
  ],
  ["Outlook in Swedish", "Ja.\n\nFrån: Bob <b@example.com>\nSkickat: måndag\n\nPassar det?", "Ja."],
  ["Outlook in Chinese", "好。\n\n发件人: Bob <b@example.com>\n发送时间: 2026年11月1日 10:12\n\n可以吗？", "好。"],
  [
    "Outlook with a rule",
    "Ja.\n\n-------------------------\nVon: Bob <b@example.com>\nGesendet: Montag\n\nPasst es?",
    "Ja.",
  ],
  [
    "Proton",
    "Yes.\n\n------- Original Message -------\nOn Monday at 3:59 PM, Bob <b@example.com> wrote:\n\n> One\n > Two",
    "Yes.",
  ],
  [
    "answers between quotes below a separator without a header",
    "Yes.\n\n-----Original Message-----\n> Coming?\nOn Tuesday.\n> Where?\nHere.",
    "Yes.\nOn Tuesday.\nHere.",
  ],
  [
    "a postscript after the signature",
    "Send 40 chairs.\n\nBest regards,\nAlice\n\nPS: and 3 tables.",
    "Send 40 chairs.\n\nPS: and 3 tables.",
  ],
  [
    "the quoted letter's postscript",
    "Yes.\n\nFrom: Bob <b@example.com>\nSent: Friday\n\nComing?\n\nPS: bring Ann.",
    "Yes.",
  ],
  [
    "lines of dashes in a list",
    "The order:\n\n--\n2 tables\n--\n4 chairs\n--\n\nBy Friday.",
    "The order:\n\n--\n2 tables\n--\n4 chairs\n--\n\nBy Friday.",
  ],
  [
    "an introduction with nothing but a day",
    "Yes, Tuesday.\n\nOn Monday, Bot wrote:\n> Is Tuesday fine?",
    "Yes, Tuesday.",
  ],
  [
    "two lines of dashes around a list",
    "The order:\n\n--\n2 tables\n4 chairs\n--\n\nBy Friday.",
    "The order:\n\n--\n2 tables\n4 chairs\n--\n\nBy Friday.",
  ],
  [
    "a sentence that begins as a telephone's",
    "Two are missing.\n\nSent from our warehouse on Monday.\n\nFind them.",
    "Two are missing.\n\nSent from our warehouse on Monday.\n\nFind them.",
  ],
  [
    "words above what looks like an introduction",
    "On the second line it stops.\nWhich did you write: none?",
    "On the second line it stops.\nWhich did you write: none?",
  ],
  [
    "nothing but a forwarded message",
    "From: Bob <b@example.com>\nSent: Friday\n\nComing?",
    "From: Bob <b@example.com>\nSent: Friday\n\nComing?",
  ],
  ["only a quote", "> x\n> y", ""],
  ["empty", "", ""],
])("%s", (_name, text, expected) => {
  expect(replyText(text)).toBe(expected);
});

test("of many lines, quoted ones go", () => {
  const long = Array.from({ length: 600 }, (_, i) => (i % 2 ? "" : `line ${i}`)).concat("end");
  expect(replyText(long.join("\n"))).toBe(long.join("\n"));
  const answered = [...long, "> quoted", "end", "> quoted", "end"];
  expect(replyText(answered.join("\n"))).toBe([...long, "end", "end"].join("\n"));
  const quoted = Array.from({ length: 600 }, (_, i) => (i % 2 ? ">" : `> line ${i}`));
  expect(replyText(["Yes.", "", "On Fri Bob <b@example.com> wrote:", ...quoted].join("\n"))).toBe("Yes.");
});

test.each([
  "Hello\n\nFrom here on\n--\nJoe\n\nFrom: Ann <ann@x.test>\nSubject: x\n\nold",
  "Hello\n-- \nJoe",
  "Yes\n\nOn Mon, 1 Jan 2026, Ann <ann@x.test> wrote:\n> old\n\nSent from my phone",
  "Yes\n\n-----Original Message-----\nFrom: Ann <ann@x.test>\n\nold",
  "Yes\nBest regards,\nJoe\nP.S. more",
])("white space at the ends of lines, which no signature of the mail covers, decides nothing: %j", (text) => {
  const lines = text.split("\n");
  for (const space of [" ", "\t", " ".repeat(1_000)])
    for (const at of lines.keys()) {
      const changed = lines.with(at, `${(lines[at] as string).trimEnd()}${space}`);
      expect(replyText(changed.join("\n"))).toBe(replyText(text));
    }
});

test.each([
  [
    "WG: Auftrag",
    "Bitte erledigen.\n\nVon: Kunde <k@x.test>\nGesendet: Montag, 2. November 2026 09:00\nAn: Alice\nBetreff: x\n\nStühle",
  ],
  ["AW: Auftrag", "Bitte erledigen."],
])("the subject of the message decides whether it forwards: %s", async (subject, expected) => {
  const body =
    "Bitte erledigen.\n\nVon: Kunde <k@x.test>\nGesendet: Montag, 2. November 2026 09:00\nAn: Alice\nBetreff: x\n\nStühle\n";
  const raw = `From: a@x.test\r\nDate: Mon, 02 Nov 2026 09:15:00 +0100\r\nSubject: ${subject}\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n${body}`;
  const limits = { maxParts: 10, maxDepth: 10, maxHeaderBytes: 10_000 };
  expect((await readMail(Buffer.from(raw), limits)).replyText).toBe(expected);
});

test.each([
  ["a thousand lines that end in a colon are looked at", 1_000, false],
  ["below many more of them, all is the writer's", 3_000, true],
])("of introductions of quotes, %s", (_name, lines, isKept) => {
  const text = "On 1 a@b.c:\n".repeat(lines).trim();
  const quoted = "On Mon, Nov 2, 2026 at 10:12 AM Bob <bob@x.test> wrote:\n> Hello";
  expect(replyText(`${text}\n${quoted}`)).toBe(isKept ? `${text}\n${quoted}` : text);
  // The first ones count.
  expect(replyText(`Yes.\n${quoted}\nNo.\n${text}`)).toBe(`Yes.\nNo.\n${text}`);
});

test.each([
  ["ten thousand lines is left out", 10_000, false],
  ["many more of them, which cost seconds, is kept", 30_000, true],
])("a signature below %s", (_name, count, isKept) => {
  const lines = Array.from({ length: count }, (_, i) => `Line ${i} of the log`).join("\n");
  const signed = `${lines}\n\nBest regards,\nAnn Miller`;
  expect(replyText(signed)).toBe(isKept ? signed : lines);
});

test.each([
  "From: Bob\nTo: x\nSubject: y\n",
  "##- Please type your reply above this line -##\n",
  "On Sun, Nov 1, 2026 at 10:12 AM <\n",
  "On 1 wrote a@b.c:\n",
  "y:\n> x\n\n",
  "Best regards,\nJoe\n",
  "-- \n+1 ",
  "[a] ",
])("the work on a text full of %j grows as the text does", async (piece) => {
  const growth = await superlinear(
    400_000,
    (size) => piece.repeat(Math.ceil(size / piece.length)),
    (text) => {
      replyText(text);
      replyText(text, "VS: x");
    },
  );
  expect(growth).toBeNull();
});
