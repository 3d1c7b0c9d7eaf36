/** Mail in the forms that real and broken programs write, which was once read wrong, with what it says. */
import { expect, test } from "bun:test";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import expected from "../../testdata/mail/expected.json";
import { automationOf } from "./automation.ts";
import { readMail } from "./read.ts";

interface Expected {
  from: string;
  subject: string;
  text: string;
  /** The new part; the whole text unless given. */
  reply_text?: string;
  attachments?: [filename: string, contentType: string, bytes: number][];
  auto_submitted?: string;
  defects?: string[];
}

const limits = { maxParts: 100, maxDepth: 20, maxHeaderBytes: 256 * 1024 };
const folder = join(import.meta.dir, "../../testdata/mail");

for (const [name, known] of Object.entries(expected as unknown as Record<string, Expected>))
  test(name, async () => {
    const mail = await readMail(await readFile(join(folder, `${name}.eml`)), limits);
    expect({
      from: mail.from.map(({ name, address }) => (name ? `${name} <${address}>` : address)).join(", "),
      subject: mail.subject,
      text: mail.text,
      reply_text: mail.replyText,
      attachments: mail.attachments.map(({ filename, content_type, size }) => [filename, content_type, size]),
      auto_submitted: automationOf(mail.headers, "alice@example.test").autoSubmitted,
      defects: mail.defects.map(({ code }) => code),
    }).toEqual({
      ...{ from: known.from, subject: known.subject, text: known.text },
      reply_text: known.reply_text ?? known.text.trim(),
      attachments: known.attachments ?? [],
      auto_submitted: known.auto_submitted ?? null,
      defects: known.defects ?? [],
    });
  });
