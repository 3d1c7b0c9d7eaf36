import { describe, expect, test } from "bun:test";
import type { MailEdit } from "../connect/shapes.ts";
import { outbound } from "../testing/answers.ts";
import { unifiedDiff } from "./diff.ts";
import { draftOf, draftText, editOf, parseDraft } from "./draft.ts";

const mail = outbound(1, {
  to: ["bob@example.com", '"Doe, Jane" <jane@example.com>'],
  cc: ["carol@example.net"],
  subject: "Report: 1",
  body_text: "Dear Bob,\r\n\r\n# Heading\r\nTo: be done",
});
const file = draftText(draftOf(mail), ["A remark."]);

describe("the file", () => {
  test("has fields, an empty line, the text", () => {
    expect(file).toBe(
      '# A remark.\nTo: bob@example.com,\n    "Doe, Jane" <jane@example.com>\nCc: carol@example.net\nBcc:\nSubject: Report: 1\n\nDear Bob,\n\n# Heading\nTo: be done\n',
    );
  });

  const edits: [what: string, edited: string, edit: MailEdit][] = [
    ["nothing", file, {}],
    ["line breaks of another system", file.replaceAll("\n", "\r\n"), {}],
    ["a byte order mark", `\ufeff${file}`, {}],
    ["no line break at the end", file.trimEnd(), {}],
    ["one line for all recipients", file.replace(",\n   ", ","), {}],
    ["a recipient less", file.replace("bob@example.com,\n    ", ""), { to: ['"Doe, Jane" <jane@example.com>'] }],
    [
      "copies moved",
      file.replace("Cc: carol@example.net\nBcc:", "bcc:carol@example.net"),
      { cc: [], bcc: mail.cc ?? [] },
    ],
    ["the subject", file.replace("Report: 1", "  Report: 2 "), { subject: "Report: 2" }],
    ["the text", file.replace("Dear Bob", "Bob"), { body_text: "Bob,\n\n# Heading\nTo: be done" }],
    ["no text", file.slice(0, file.indexOf("\n\n") + 1), { body_text: "" }],
  ];
  for (const [what, edited, edit] of edits)
    test(`changed: ${what}`, () => {
      const draft = parseDraft(edited);
      expect("wrong" in draft ? draft : editOf(mail, draft)).toEqual(edit);
    });

  const wrong: [edited: string, said: string][] = [
    ["To: bob\nSubject: x\n\nHi", '"bob" is not an address such as bob@example.com.'],
    ["Subject: x\n\nHi", "It has no recipient."],
    ["To: b@example.com\nX-Spam: no\n\nHi", "Line 2: only To, Cc, Bcc and Subject stand before the empty line."],
    ["# remark\nTo: b@example.com\nto: c@example.com\n\nHi", "Line 3: to is given twice."],
    ["To: b@example.com\nDear Bob\n\nHi", "Line 2: only To, Cc, Bcc and Subject stand before the empty line."],
  ];
  for (const [edited, said] of wrong)
    test(`wrong: ${edited.split("\n").join(" | ")}`, () => expect(parseDraft(edited)).toEqual({ wrong: [said] }));
});

describe("the diff", () => {
  const text = (_style: string, text: string) => text;
  const lines = (count: number) => Array.from({ length: count }, (_, n) => `line ${n + 1}`);

  test("shows changes with three lines around them, and leaves the rest out", () => {
    const before = lines(20);
    const after = before.toSpliced(9, 1, "line ten").toSpliced(18, 0, "new");
    expect(unifiedDiff(before.join("\n"), after.join("\n"), text).split("\n")).toEqual([
      ...["@@ -7 +7 @@", " line 7", " line 8", " line 9", "-line 10", "+line ten", " line 11", " line 12", " line 13"],
      ...["@@ -16 +16 @@", " line 16", " line 17", " line 18", "+new", " line 19", " line 20"],
    ]);
  });

  test("equal texts have none, and hostile text cannot command the terminal", () => {
    expect(unifiedDiff("a\nb", "a\nb", text)).toBe("");
    expect(unifiedDiff("a", "\x1b[2Jb\u202e", text)).toBe("@@ -1 +1 @@\n-a\n+⟨U+001B⟩[2Jb⟨U+202E⟩");
  });

  test("texts too long to compare are shown as one block", () => {
    const [before, after] = [lines(3000), lines(3000).map((line) => `${line}!`)];
    const shown = unifiedDiff(before.join("\n"), after.join("\n"), text).split("\n");
    expect([shown.length, shown[1], shown.at(-1)]).toEqual([6001, "-line 1", "+line 3000!"]);
  });
});
