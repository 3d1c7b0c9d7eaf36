import { expect, test } from "bun:test";
import { join } from "node:path";
import { startTestApp } from "../../../../test/support/app.ts";
import type { Store } from "../../../store/store.ts";
import { createVault, loadOrCreateKeyFile } from "../../../vault.ts";
import { readPage } from "../../framework/pages.ts";
import { type ListedOutbound, readOutbound } from "./outbound-list.ts";

const mebibyte = 1024 * 1024;

interface Listed {
  id?: string;
  message_id?: string;
}

test("a token of an earlier version, which names no expiry, does not begin the list of held mail anew", async () => {
  await using it = await startTestApp();
  const vault = createVault(await loadOrCreateKeyFile(join(it.dataDir, "encryption.key")));
  const context = `page ${JSON.stringify(["outbound", it.userId, { status: "pending_approval" }])}`;
  const token = Buffer.from(vault.seal(JSON.stringify([`msg_${"0".repeat(32)}`]), context)).toString("base64url");
  const { status, body } = await it.api("GET", `/api/v1/messages?status=pending_approval&token=${token}`);
  expect({ status, errors: body.errors }).toMatchObject({ status: 400, errors: [{ field: "token" }] });
});

test("a page ends with the message whose text fills it, and the next one begins there", async () => {
  await using it = await startTestApp();
  const { body: agent } = await it.api("POST", "/api/v1/agents", { slug: "bot", agent_mode: "local" });
  const sent: string[] = [];
  for (const subject of ["one", "two", "three"]) {
    const mail = { from: agent.email, to: ["ann@outside.example"], subject, body: "Hello" };
    sent.push((await it.api("POST", "/api/v1/send", mail)).body.message_id);
  }
  const vault = createVault(Buffer.alloc(32));
  const pageOf = (token?: string) =>
    readPage<ListedOutbound<string>, [string]>(
      vault,
      { page_size: 3, token },
      "all",
      (after, limit) =>
        readOutbound(
          it.app.store,
          it.userId,
          {},
          { limit, after: after ? { id: after[0] } : undefined },
          ({ message }) => message.subject,
          () => 3 * mebibyte,
        ),
      ({ id }) => [id],
    );
  const first = await pageOf();
  expect(first.rows.map(({ shown }) => shown)).toEqual(["three", "two"]);
  const second = await pageOf(first.next.next_token);
  expect([second.rows, second.next]).toEqual([[{ id: sent[0] ?? "", shown: "one" }], {}]);
});

test("lists read few sent messages at once, because each may be large", async () => {
  await using it = await startTestApp();
  const { body: agent } = await it.api("POST", "/api/v1/agents", { slug: "bot", agent_mode: "local" });
  await it.api("PATCH", `/api/v1/agents/${agent.email}`, { hitl_enabled: true, hitl_notify_email: false });
  const sent: string[] = [];
  const conversation_id = "conv_1";
  for (let i = 0; i < 20; i++) {
    const mail = { from: agent.email, to: ["ann@outside.example"], subject: `${i}`, body: "Hello", conversation_id };
    sent.push((await it.api("POST", "/api/v1/send", mail)).body.message_id);
  }
  const store = it.app.store as { -readonly [name in keyof Store]: Store[name] };
  const { listOutbound, getConversation } = store;
  const rowsAtOnce: number[] = [];
  store.listOutbound = (userId, filter, page) => {
    rowsAtOnce.push(page.limit);
    return listOutbound(userId, filter, page);
  };
  store.getConversation = (agentId, id, page) => {
    rowsAtOnce.push(page.limit);
    return getConversation(agentId, id, page);
  };
  const newest = sent.toReversed();
  const pages: Listed[] = [];
  for (let token = ""; ; ) {
    const { body } = await it.api("GET", `/api/v1/messages?page_size=9${token}`);
    pages.push(...body.messages);
    if (!body.next_token) break;
    token = `&token=${body.next_token}`;
  }
  expect(pages.map(({ id }) => id)).toEqual(newest);
  const own = await it.api("GET", `/api/v1/agents/${agent.email}/messages?direction=outbound&sort=desc`);
  expect(own.body.messages.map((one: Listed) => one.message_id)).toEqual(newest);
  const { body: whole } = await it.api("GET", `/api/v1/agents/${agent.email}/conversations/${conversation_id}`);
  expect(whole.messages.map((one: Listed) => one.message_id)).toEqual(sent);
  const { body: exported } = await it.api("GET", "/api/v1/users/me/export");
  expect(exported.outbound_messages.map((one: Listed) => one.id)).toEqual(sent);
  expect(Math.max(...rowsAtOnce)).toBeLessThan(10);
});

test("a page of held mail ends with the one whose files fill it, unless they are left out", async () => {
  await using it = await startTestApp();
  const { body: agent } = await it.api("POST", "/api/v1/agents", { slug: "bot", agent_mode: "local" });
  await it.api("PATCH", `/api/v1/agents/${agent.email}`, { hitl_enabled: true, hitl_notify_email: false });
  const attachments = [{ filename: "a", data: Buffer.alloc(3 * mebibyte).toString("base64") }];
  for (let i = 0; i < 3; i++)
    await it.api("POST", "/api/v1/send", { to: ["ann@outside.example"], subject: `${i}`, body: "Hello", attachments });
  const path = "/api/v1/messages?status=pending_approval";
  const sizes: number[] = [];
  for (let token: string | undefined = ""; token !== undefined; ) {
    const { body } = await it.api("GET", `${path}${token && `&token=${token}`}`);
    sizes.push(body.messages.length);
    token = body.next_token;
  }
  expect(sizes).toEqual([1, 1, 1, 0]);
  expect((await it.api("GET", `${path}&data=false`)).body.messages).toHaveLength(3);
});
