import { expect, test } from "bun:test";
import { isAscii } from "node:buffer";
import type { OutboundAttachment } from "../mail.ts";
import { compose } from "./compose.ts";
import { readAttachments, readMail } from "./read.ts";
import { sevenBit } from "./seven-bit.ts";

const limits = { maxParts: 50, maxDepth: 10, maxHeaderBytes: 64 * 1024 };
const attached = (filename: string, words: string): OutboundAttachment => ({
  ...{ filename, contentType: "message/rfc822" },
  content: Buffer.from(`From: a@b.example\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n${words}\r\n`),
});
const composed = (...attachments: OutboundAttachment[]) =>
  compose({
    ...{ from: { address: "bot@agents.example", name: "" }, to: [{ address: "ann@shop.example", name: "" }] },
    ...{ cc: [], bcc: [], replyTo: [], subject: "Hello", text: "Grüße", html: null, headers: [] },
    ...{ date: new Date("2026-06-01T10:00:00Z"), messageId: "<1@agents.example>", inReplyTo: null, references: [] },
    attachments,
  });

test("each attached 8-bit message becomes a file with the same bytes; what is around them stays", async () => {
  const attachments = [attached("1.eml", "Grüße"), attached("2.eml", "Hi"), attached("3.eml", "Köln")];
  const raw = await composed(...attachments);
  expect(isAscii(raw)).toBe(false);
  const plain = sevenBit(raw);
  expect(isAscii(plain)).toBe(true);
  expect(await readMail(plain, limits)).toMatchObject({ subject: "Hello", text: "Grüße", defects: [] });
  const files = await readAttachments(plain, limits);
  expect(files.map(({ attachment }) => [attachment.filename, attachment.content_type])).toEqual([
    ["1.eml", "application/octet-stream"],
    ["2.eml", "message/rfc822"],
    ["3.eml", "application/octet-stream"],
  ]);
  expect(files.map(({ content }) => `${Buffer.from(content)}`)).toEqual(attachments.map(({ content }) => `${content}`));
});

test("a message that has no 8-bit bytes stays as it is", async () => {
  for (const raw of [await composed(), await composed(attached("1.eml", "Hi"))])
    expect(sevenBit(raw).equals(raw)).toBe(true);
});
