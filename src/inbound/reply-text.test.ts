import { expect, test } from "bun:test";
import { replyText } from "./reply-text.ts";

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
  ["only a quote", "> x\n> y", ""],
  ["empty", "", ""],
])("%s", (_name, text, expected) => {
  expect(replyText(text)).toBe(expected);
});

test("past the bound on runs of lines, quoted lines still go", () => {
  const long = Array.from({ length: 600 }, (_, i) => (i % 2 ? "" : `line ${i}`)).concat("end");
  expect(replyText(long.join("\n"))).toBe(long.join("\n"));
  expect(replyText([...long, "> quoted", "end"].join("\n"))).toBe([...long, "end"].join("\n"));
  const quoted = Array.from({ length: 600 }, (_, i) => (i % 2 ? ">" : `> line ${i}`));
  expect(replyText(["Yes.", "", "On Fri Bob <b@example.com> wrote:", ...quoted].join("\n"))).toBe("Yes.");
});

const hostile = [
  ...["\n", ">\n", "> ", " \n", "-", "-\n", "On a b\n", " on at wrote:\n", "1111from<>", '10.10.2020 10.10 " <> '],
  ...[
    "Op schreef\n",
    "Op schreef:x\n",
    "Dnia pisze\n",
    "在 写道：x\n",
    "man. skrev \n",
    "From:\n <\n",
    "Am schrieb <\n",
  ],
];

test.each(hostile)("hostile text takes no time: %j …", (piece) => {
  for (const text of [
    piece.repeat(1_000_000 / piece.length),
    `${piece.repeat(200 / piece.length)}\n\n`.repeat(5_000),
    `On ${piece.repeat(190 / piece.length)}\n`.repeat(5_000),
    `${piece.repeat(190 / piece.length)} wrote:\n\n> x\n\n`.repeat(5_000),
  ]) {
    const started = performance.now();
    replyText(text);
    expect(performance.now() - started).toBeLessThan(500);
  }
});
