import { expect, test } from "bun:test";
import { join } from "node:path";
import { Glob } from "bun";
import { replyText } from "./reply.ts";

const corpus = join(import.meta.dir, "../../../testdata/replies");

/**
 * Words that should go and stay, in the whole corpus: signatures that are not recognised as such. Lower it when the
 * reader learns more; it must not grow. Words that should stay and go: none.
 */
const KEPT_TOO_MUCH = 22;

interface Entry {
  name: string;
  subject: string;
  text: string;
  /** The new part: the lines marked "+". */
  words: string[];
}

/** An entry is a title, perhaps a subject, and the lines of a text: "+" before what is new in it, "-" before the rest. */
function entriesOf(file: string, content: string): Entry[] {
  return content.split(/^# /m).flatMap((one) => {
    if (one.trim() === "") return [];
    const [name = "", ...rest] = one.split("\n");
    const [, subject = ""] = /^Subject: (.*)$/.exec(rest[0] ?? "") ?? [];
    const lines = rest.filter((line) => /^[-+]/.test(line));
    return {
      name: `${file}: ${name}`,
      subject,
      text: lines.map((line) => line.slice(1)).join("\n"),
      words: lines.filter((line) => line.startsWith("+")).flatMap((line) => wordsOf(line.slice(1))),
    };
  });
}

function wordsOf(text: string): string[] {
  return text.split(/\s+/).filter((word) => word !== "");
}

/** The words of `all` that are not in `some`, in order, where `some` is as long a common sequence as there is. */
function missing(all: string[], some: string[]): string[] {
  const common = Array.from({ length: all.length + 1 }, () => new Array<number>(some.length + 1).fill(0));
  for (let i = all.length - 1; i >= 0; i--)
    for (let j = some.length - 1; j >= 0; j--)
      common[i]![j] =
        all[i] === some[j] ? common[i + 1]![j + 1]! + 1 : Math.max(common[i + 1]![j]!, common[i]![j + 1]!);
  const left: string[] = [];
  for (let [i, j] = [0, 0]; i < all.length; i++) {
    if (j < some.length && all[i] === some[j]) j++;
    else {
      while (j < some.length && common[i]![j + 1] === common[i]![j] && common[i]![j]! > common[i + 1]![j]!) j++;
      if (j < some.length && all[i] === some[j]) j++;
      else left.push(all[i]!);
    }
  }
  return left;
}

const entries: Entry[] = [];
for (const file of [...new Glob("*.txt").scanSync(corpus)].sort())
  entries.push(...entriesOf(file, await Bun.file(join(corpus, file)).text()));

test("the corpus is there", () => {
  expect(entries.length).toBeGreaterThanOrEqual(250);
});

test.each(entries.map((entry) => [entry.name, entry] as const))("%s: no word of the writer is cut", (_name, entry) => {
  const kept = wordsOf(replyText(entry.text, entry.subject));
  expect(missing(entry.words, kept)).toEqual([]);
  expect(kept.filter((word) => word === "OLDTEXT")).toEqual([]);
});

test.each(entries.map((entry) => [entry.name, entry] as const))(
  "%s: the width of gaps does not matter",
  (_name, entry) => {
    const wide = entry.text.replace(/[ \t]+/g, " ".repeat(500)).replaceAll("\n", "  \n");
    expect(wordsOf(replyText(wide, entry.subject))).toEqual(wordsOf(replyText(entry.text, entry.subject)));
  },
);

test(`at most ${KEPT_TOO_MUCH} words of the corpus are kept that do not belong`, () => {
  const tooMuch = entries.flatMap((entry) => {
    const extra = missing(wordsOf(replyText(entry.text, entry.subject)), entry.words);
    return extra.length > 0 ? [`${entry.name}: ${extra.join(" ")}`] : [];
  });
  const words = tooMuch.flatMap((line) => wordsOf(line.slice(line.lastIndexOf(": ") + 2)));
  if (words.length > KEPT_TOO_MUCH) expect(tooMuch).toEqual([]);
});
