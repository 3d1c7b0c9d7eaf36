import { expect, test } from "bun:test";
import { superlinear } from "../../test/support/growth.ts";
import { automationOf } from "./automation.ts";

const person = "ann@people.example";
const fields = (text: string) =>
  text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => ({ name: line.slice(0, line.indexOf(":")), value: line.slice(line.indexOf(":") + 1).trim() }));

const autoSubmitted: [header: string, envelopeFrom: string, expected: string | null][] = [
  ["", person, null],
  ["Auto-Submitted: no", person, null],
  ["Auto-Submitted: No", "", null],
  ["Auto-Submitted: auto-generated", person, "auto-generated"],
  ["auto-submitted: Auto-Replied", person, "auto-replied"],
  ["Auto-Submitted: auto-replied (vacation)", person, "auto-replied"],
  ["Auto-Submitted: (rfc3834) auto-replied", person, "auto-replied"],
  ["Auto-Submitted: auto-notified; owner-email=ann@people.example", person, "auto-notified"],
  ["Auto-Submitted: x-robot", person, "x-robot"],
  ["Auto-Submitted: ", person, "auto-generated"],
  ["Auto-Submitted: ;;;", person, "auto-generated"],
  ["Auto-Submitted: no\nAuto-Submitted: auto-replied", person, "auto-replied"],
  // The null reverse-path and the marks from before RFC 3834.
  ["", "", "auto-generated"],
  ["X-Autoreply: yes", person, "auto-replied"],
  ["X-Autorespond: Re: your mail", person, "auto-replied"],
  ["X-Autoreply-From: ann@people.example", person, "auto-replied"],
  ["X-Autoreply: no", person, null],
  ["Precedence: auto_reply", person, "auto-replied"],
  ["X-Autorespond: yes", "", "auto-replied"],
  // People write these too.
  ["X-Auto-Response-Suppress: All", person, null],
  ["Precedence: list\nList-Id: <talk.lists.example>", person, null],
  ["Precedence: bulk", person, null],
  ["Subject: Automatic reply: lunch", person, null],
];
test.each(autoSubmitted)("%p from <%s>: auto_submitted %p", (header, envelopeFrom, expected) => {
  expect(automationOf(fields(header), envelopeFrom).autoSubmitted).toBe(expected);
});

const listIds: [value: string, expected: string | null][] = [
  ["<talk.lists.example>", "talk.lists.example"],
  ["Talk about mail <talk.lists.example>", "talk.lists.example"],
  ['"a <b> c" <talk.lists.example>', "talk.lists.example"],
  ["=?utf-8?q?x?= < talk.lists.example >", "talk.lists.example"],
  ["talk.lists.example", "talk.lists.example"],
  ["<talk.lists.example", "talk.lists.example"],
  ["just a phrase", null],
  ["<>", null],
  ["", null],
  ["<two words>", null],
  ["<a\x1bb>", null],
  [`<${"x".repeat(255)}>`, "x".repeat(255)],
  [`<${"x".repeat(256)}>`, null],
];
test.each(listIds)("List-Id %p is %p", (value, expected) => {
  expect(automationOf([{ name: "List-ID", value }], person).listId).toBe(expected);
});

const precedences: [value: string, expected: string | null][] = [
  ["bulk", "bulk"],
  ["LIST", "list"],
  [" junk ", "junk"],
  ["first-class", "first-class"],
  ["auto_reply", "auto_reply"],
  ["bulk (newsletter)", "bulk"],
  ["\x1b[31m", null],
  ["", null],
  ["x".repeat(256), null],
];
test.each(precedences)("Precedence %p is %p", (value, expected) => {
  expect(automationOf([{ name: "Precedence", value }], person).precedence).toBe(expected);
});

test.each(["(", " ", "()", "a", "<"])("the work on a value full of %p grows as the value does", async (piece) => {
  const growth = await superlinear(
    1e6,
    (size) => piece.repeat(size / piece.length),
    (value) => {
      for (const name of ["Auto-Submitted", "List-Id", "Precedence"]) automationOf([{ name, value }], person);
    },
  );
  expect(growth).toBeNull();
});
