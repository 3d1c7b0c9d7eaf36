import { expect, test } from "bun:test";
import { ATTACHED_DEPTH_MAX } from "../mail.ts";
import { readAttachedMessage, readAttachment, readMail } from "./read.ts";

const limits = { maxParts: 50, maxDepth: 10, maxHeaderBytes: 64 * 1024 };
const message = (subject: string, ...parts: string[][]) => [
  ...[
    "From: Bob <bob@example.com>",
    `Subject: ${subject}`,
    "Date: Mon, 1 Jun 2026 10:00:00 +0000",
    "To: c@example.com",
  ],
  ...[`Content-Type: multipart/mixed; boundary=${subject}`, ""],
  ...[...parts.flatMap((part) => [`--${subject}`, ...part]), `--${subject}--`, ""],
];
const text = (words: string) => ["Content-Type: text/plain", "", words];
const file = (name: string) => [
  "Content-Type: text/csv",
  `Content-Disposition: attachment; filename=${name}`,
  "",
  name,
];
const attached = (lines: string[]) => ["Content-Type: message/rfc822", "", ...lines];
const bytes = (lines: string[]) => Buffer.from(lines.join("\r\n"));
const inner = message("inner", text("Inner words"), file("deep.csv"));

test.each<[string, string[]]>([
  ["as a message", attached(inner)],
  [
    "in base64",
    ["Content-Type: message/rfc822", "Content-Transfer-Encoding: base64", "", bytes(inner).toString("base64")],
  ],
  ["as a file with a name", ["Content-Type: application/octet-stream; name=Mail.EML", "", ...inner]],
])("an attached message is read like any other: %s", async (_, part) => {
  const raw = bytes(message("outer", text("Outer words"), file("a.csv"), part));
  expect(await readAttachedMessage(raw, [1], limits)).toMatchObject({
    ...{ from: [{ name: "Bob", address: "bob@example.com" }], subject: "inner", text: "Inner words" },
    attachments: [{ index: 0, filename: "deep.csv" }],
  });
  expect(`${(await readAttachment(raw, [1, 0], limits))?.content}`).toBe("deep.csv");
});

test("a digest's messages are read", async () => {
  const digest = ["Content-Type: multipart/digest; boundary=d", "", "--d", "", ...inner, "--d--"];
  const raw = bytes(message("outer", text("Two messages"), digest));
  expect((await readAttachedMessage(raw, [0], limits))?.subject).toBe("inner");
});

test("what is no message, or not there, is not read", async () => {
  const raw = bytes(message("outer", text("Outer words"), file("a.csv"), attached(inner)));
  for (const path of [[], [0], [2], [1, 0], [1, 1], [-1], [0, 0]])
    expect(await readAttachedMessage(raw, path, limits)).toBeNull();
  for (const path of [
    [0, 0],
    [1, 1],
    [1, 0, 0],
  ])
    expect(await readAttachment(raw, path, limits)).toBeNull();
});

test("messages inside messages are read up to a depth", async () => {
  let lines = message("m0", text("deepest"));
  for (let i = 1; i <= ATTACHED_DEPTH_MAX + 2; i++) lines = message(`m${i}`, text(`words ${i}`), attached(lines));
  const raw = bytes(lines);
  const path = (length: number) => Array<number>(length).fill(0);
  expect((await readMail(raw, limits)).text).toBe(`words ${ATTACHED_DEPTH_MAX + 2}`);
  expect((await readAttachedMessage(raw, path(ATTACHED_DEPTH_MAX), limits))?.text).toBe("words 2");
  expect(await readAttachedMessage(raw, path(ATTACHED_DEPTH_MAX + 1), limits)).toBeNull();
});
