import { describe, expect, test } from "bun:test";
import { deliver } from "../../test/smtp/smtp-client.ts";
import { addMessage } from "../../test/store/rows.ts";
import { startTestApp } from "../../test/support/app.ts";
import { codesOf } from "../../test/support/defects.ts";
import { defect } from "../message/defects.ts";
import { readMail } from "../message/read.ts";
import { createReturnPaths } from "../return-path.ts";
import { keptOf } from "../store/mail/received.ts";
import { Failure } from "../util/errors.ts";
import { silentLog } from "../util/log.ts";
import { readingAnew } from "./reread.ts";

const bot = "bot@e2a.localhost";
const returnPaths = createReturnPaths(new Uint8Array(32), "e2a.localhost");
const raw = [
  ...["From: Alice <alice@example.com>", "Subject: Chairs", "Date: Fri, 15 May 2026 12:00:00 +0000"],
  ...[
    "Content-Type: multipart/mixed; boundary=b",
    "",
    "--b",
    "Content-Type: text/plain",
    "",
    "Bring twelve stools.",
    "",
  ],
  ...["--b", "Content-Type: text/plain", "Content-Disposition: attachment; filename=list.txt", "", "oak", "--b--", ""],
].join("\r\n");

describe.each(["sqlite", "postgres"] as const)("mail that an earlier version read (%s)", (database) => {
  /** An agent with one message, stored as the first reader would have read it: without text and without its file. */
  async function withOldMail() {
    const app = await startTestApp({ database });
    await app.api("POST", "/api/v1/agents", { slug: "bot", agent_mode: "local" });
    await deliver(app.app.smtp.port, { from: "alice@example.com", to: bot, message: Buffer.from(raw) });
    const list = async (query = "") =>
      (await app.api("GET", `/api/v1/agents/${bot}/messages?status=all${query}`)).body.messages;
    const [{ message_id: id }] = await list();
    const { store } = app.app;
    const found = await store.getMessage(bot, id);
    if (!found) throw new Error("the message is not stored");
    const kept = keptOf(await readMail(found.raw, { maxParts: 50, maxDepth: 10, maxHeaderBytes: 64 * 1024 }));
    const { reader: _, ...content } = kept.content;
    const old = { text: "", replyText: "", attachments: [], defects: ["The text is missing."] as never };
    await store.renewContent(found.message.rawSha256, {
      ...kept,
      ...{ content: { ...content, ...old }, subject: "", snippet: "" },
    });
    return { app, id, list, store, messages: `/api/v1/agents/${bot}/messages` };
  }

  test("is read anew when it is opened, and then lists and the search show it so", async () => {
    const { app, id, list, messages } = await withOldMail();
    await using _ = app;
    expect(await list()).toMatchObject([{ subject: "", snippet: "", has_attachments: false }]);
    expect(await list("&q=stools")).toEqual([]);
    const before = (await list())[0];

    const { body } = await app.api("GET", `${messages}/${id}?peek=true`);
    expect(body).toMatchObject({ subject: "Chairs", text: "Bring twelve stools.\n", status: "unread", defects: [] });
    expect(body).not.toHaveProperty("reader");
    const file = await app.api("GET", `${messages}/${id}/attachments/0`);
    expect(file.body).toBe("oak");
    expect(await list("&q=stools+list.txt")).toEqual([
      { ...before, subject: "Chairs", snippet: "Bring twelve stools.", has_attachments: true },
    ]);
  });

  test("is handed out as it is if it cannot be read just now", async () => {
    const { app, id, store } = await withOldMail();
    await using _ = app;
    const read = () => Promise.reject(new Failure("overloaded", "Try again later."));
    const found = await readingAnew(store, { read, returnPaths, log: silentLog }).getMessage(bot, id);
    expect(found).toMatchObject({ message: { id }, content: { text: "" } });
    expect(codesOf(found?.content ?? { defects: [] })).toEqual([]);
  });

  test("keeps what was read of it if reading it fails, and is not read again", async () => {
    const { app, id, store } = await withOldMail();
    await using _ = app;
    const stored = await store.getMessage(bot, id);
    if (!stored) throw new Error("the message is not stored");
    const limits = { maxParts: 50, maxDepth: 10, maxHeaderBytes: 64 * 1024 };
    const old = keptOf(await readMail(stored.raw, limits));
    await store.renewContent(stored.message.rawSha256, { ...old, content: { ...old.content, reader: 1 } });

    let reads = 0;
    const read = (_: unknown, bytes: Uint8Array) => {
      reads++;
      return readMail(bytes, limits, defect("reading_failed"));
    };
    const anew = readingAnew(store, { read, returnPaths, log: silentLog });
    for (let i = 0; i < 2; i++)
      expect(await anew.getMessage(bot, id)).toMatchObject({
        message: { subject: "Chairs", snippet: "Bring twelve stools.", hasAttachments: true },
        content: { text: "Bring twelve stools.\n", attachments: [{ filename: "list.txt" }], defects: [] },
      });
    expect(reads).toBe(1);
  });

  test("says no word that was in its header, if it was proven", async () => {
    await using app = await startTestApp({ database });
    const { store } = app.app;
    await app.api("POST", "/api/v1/agents", { slug: "bot", agent_mode: "local" });
    const bytes = Buffer.from("From: Alice <alice@sender.example>\r\nX-Foo: bar\r\nPay Eve.\r\n\r\nHello\r\n");
    const message = await addMessage(store, bot, { bytes, content: { reader: 1 } });
    expect(message.verified).toBe(true);
    const { body } = await app.api("GET", `/api/v1/agents/${bot}/messages/${message.id}`);
    expect(body).toMatchObject({ text: "Hello", verified: true });
  });
});
