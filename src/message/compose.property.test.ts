/**
 * Composed messages: whatever their content, no line is too long, no value becomes a field, and readers get it back.
 */
import { expect, test } from "bun:test";
import fc from "fast-check";
import libmime from "libmime";
import { holds, textWith } from "../../test/support/property.ts";
import { headerValue, type OutboundMail } from "../mail.ts";
import { directionControls } from "./addresses.ts";
import { compose, isFreeField } from "./compose.ts";
import { idField, isMessageId, textField } from "./fields.ts";
import { fieldText, scanHeaders } from "./headers.ts";
import { readAttachment, readMail } from "./read.ts";
import { cleanFilename, cleanLine, cleanText } from "./text/clean.ts";

const limits = { maxParts: 100, maxDepth: 10, maxHeaderBytes: 256 * 1024 };
const text = textWith([
  "word",
  "Bcc: eve@evil.example",
  "=?UTF-8?B?Zm9v?=",
  "=?x?q?",
  "?=",
  "=",
  "_",
  "é",
  "日本語",
  "🎉",
  ".",
  "--",
  "From ",
  ": ",
  "a".repeat(1_000),
]);
const fieldName = fc.stringMatching(/^X-[A-Za-z0-9-]{1,40}$/).filter(isFreeField);

/** Rules of every message (RFC 5322 2.1, 2.2), given as one character per byte. */
function expectWholeLines(message: string): void {
  expect(message).not.toMatch(/\r(?!\n)|(?<!\r)\n|\0/);
  for (const line of message.split("\r\n")) expect(line.length).toBeLessThanOrEqual(998);
}

test("a field of text is one field of short ASCII lines, and says what it was given", () =>
  holds(
    fc.asyncProperty(fieldName, text, async (name, value) => {
      const field = textField(name, value);
      expectWholeLines(field);
      expect(field).toMatch(/^[\x20-\x7e\r\n]*$/);
      const lines = field.slice(0, -2).split("\r\n");
      expect(lines.every((line, i) => (i === 0 ? line.startsWith(`${name}: `) : /^ \S/.test(line)))).toBe(true);
      const raw = Buffer.from(`${field}\r\n`);
      expect(scanHeaders(raw).fields.map((one) => one.name)).toEqual([name]);
      // A reader that decodes the field once gets the same text.
      const [only] = scanHeaders(raw).fields;
      expect(libmime.decodeWords(only ? fieldText(only) : "")).toBe(cleanLine(value));
      const { headers } = await readMail(raw, limits);
      expect(headerValue(headers, name)).toBe(cleanLine(value));
    }),
  ));

test("a field of message ids has the ids that are some, each on one line", () =>
  holds(
    fc.property(
      fc.array(fc.oneof(fc.stringMatching(/^<[a-z0-9]{1,40}@[a-z]{1,10}\.example>$/), text), { maxLength: 8 }),
      (ids) => {
        const field = idField("References", ids);
        const valid = ids.filter(isMessageId);
        if (valid.length === 0) return expect(field).toBe("");
        expectWholeLines(field);
        const [only, ...more] = scanHeaders(Buffer.from(`${field}\r\n`)).fields;
        expect(more).toEqual([]);
        expect(only && fieldText(only).split(/\s+/)).toEqual(valid);
      },
    ),
  ));

test("a message is read back as it was written", () =>
  holds(
    fc.asyncProperty(
      fc.record({
        // The API takes at most 998 characters; the reader cuts a Subject of more than twice as many.
        subject: text.map((subject) => subject.slice(0, 998).toWellFormed()),
        body: text,
        html: fc.option(text),
        headers: fc.array(fc.record({ name: fieldName, value: text }), { maxLength: 2 }),
        files: fc.array(fc.record({ filename: text, content: fc.uint8Array({ maxLength: 200 }) }), { maxLength: 2 }),
      }),
      async ({ subject, body, html, headers, files }) => {
        const mail: OutboundMail = {
          from: { address: "bot@agents.example", name: "Bot" },
          ...{ replyTo: [], to: [{ address: "ann@people.example", name: "" }], cc: [], bcc: [] },
          ...{ subject, text: body, html, headers, inReplyTo: null, references: [] },
          attachments: files.map((file) => ({ ...file, contentType: "application/octet-stream" })),
          ...{ messageId: "<1@agents.example>", date: new Date("2026-05-15T12:00:00Z") },
        };
        const raw = await compose(mail);
        expectWholeLines(raw.toString("latin1"));
        const names = scanHeaders(raw).fields.map(({ key }) => key);
        const written = headers.filter(({ value }) => value.trim() !== "").map(({ name }) => name.toLowerCase());
        const extra = names.filter((key) => key.startsWith("x-") && key !== "x-auto-response-suppress");
        expect([extra, names.filter((key) => key === "bcc")]).toEqual([written, []]);
        const read = await readMail(raw, limits);
        expect(read.subject).toBe(cleanLine(subject.replace(directionControls, "")));
        const asRead = (given: string) => cleanText(given).trimEnd();
        // A text of white space alone is not read; the HTML is.
        if (body.trim() !== "" || html === null) expect(read.text.trimEnd()).toBe(asRead(body));
        expect(read.attachments.map(({ filename, size }) => ({ filename, size }))).toEqual(
          files.map(({ filename, content }, i) => ({
            filename: cleanFilename(filename, `attachment-${i + 1}`),
            size: content.byteLength,
          })),
        );
        for (const [i, { content }] of files.entries())
          expect((await readAttachment(raw, i, limits))?.content).toEqual(Buffer.from(content));
      },
    ),
    { share: 0.6 },
  ));
