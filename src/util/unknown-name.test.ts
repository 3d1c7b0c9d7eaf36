import { expect, test } from "bun:test";
import { unknownSentence } from "./unknown-name.ts";

const members = [
  "to",
  "cc",
  "bcc",
  "subject",
  "body",
  "html_body",
  "attachments",
  "headers",
  "reply_to",
  "hitl_enabled",
];

test("an unknown name is told what it probably stands for", () => {
  const rows: [name: string, meant: string][] = [
    ["hitl_enable", "hitl_enabled"],
    ["hitlEnabled", "hitl_enabled"],
    ["HITL-ENABLED", "hitl_enabled"],
    ["htlm_body", "html_body"],
    ["html", "html_body"],
    ["body_html", "html_body"],
    ["attachment", "attachments"],
    ["replyto", "reply_to"],
    ["subjet", "subject"],
    ["text", "body"],
  ];
  for (const [name, meant] of rows)
    expect([name, unknownSentence(name, members)]).toEqual([name, `is unknown: did you mean ${meant}?`]);
});

test("a name that is near to none is told which there are, when they are few", () => {
  expect(unknownSentence("send_at", ["to", "body"])).toBe("is unknown: known are to, body");
  expect(unknownSentence("__proto__", ["to", "body"])).toBe("is unknown: known are to, body");
  expect(unknownSentence("x", [])).toBe("is unknown: none are allowed here");
  expect(unknownSentence("", ["to"])).toBe("is unknown: known are to");
  const many = Array.from({ length: 21 }, (_, i) => `member_number_${i}_of_many`);
  expect(unknownSentence("zzz", many)).toBe("is unknown");
});
