/**
 * Mail whose only proof is a signature over From alone: what the API says of its other fields, and where a reply goes.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { connectHttp } from "../../../../test/mcp/world.ts";
import { plainMail, signingKey, signMail } from "../../../../test/smtp/signed-mail.ts";
import { deliver } from "../../../../test/smtp/smtp-client.ts";
import { startTestApp, type TestApp } from "../../../../test/support/app.ts";
import { startSink } from "../../../../test/support/sink.ts";
import { Shell } from "../../../cli/testing/shell.ts";

const agent = "bot@e2a.localhost";
const key = signingKey("shop.test", { type: "ed25519" });
const thief = "thief@elsewhere.test";

let it: TestApp;
beforeAll(async () => {
  // The servers of shop.test are elsewhere: only its signature can prove its mail.
  const zone = {
    ...key.zone,
    "shop.test": { TXT: ["v=spf1 ip4:192.0.2.1 -all"] },
    "_dmarc.shop.test": { TXT: ["v=DMARC1; p=reject"] },
    "near.test": { TXT: ["v=spf1 ip4:127.0.0.1 -all"] },
    "sel._domainkey.near.test": key.zone["sel._domainkey.shop.test"] as never,
  };
  it = await startTestApp({ zone });
  await it.api("POST", "/api/v1/agents", { slug: "bot", agent_mode: "local" });
});
afterAll(() => it[Symbol.asyncDispose]());

let sent = 0;

/** Delivers a signed mail with a Reply-To and a Cc, and returns it as the API shows it. */
async function received(headerList: string[], { to = agent, domain = "shop.test" } = {}) {
  const from = `Shop <joe@${domain}>`;
  const extra = [`Reply-To: ${thief}`, "Cc: eve@elsewhere.test"];
  const raw = plainMail({ from, to, extra, subject: `Mail ${++sent}`, messageId: `<${sent}@${domain}>` });
  const message = await signMail(raw, { ...key, domain }, { headerList });
  const reply = await deliver(it.app.smtp.port, { from: `joe@${domain}`, to, message });
  expect(reply.code).toBe(250);
  const { body } = await it.api("GET", `/api/v1/agents/${to}/messages?status=all&sort=desc&page_size=1`);
  return (await it.api("GET", `/api/v1/agents/${to}/messages/${body.messages[0].message_id}?peek=true`)).body;
}

const path = (id: string) => `/api/v1/agents/${agent}/messages/${id}/reply`;
const usual = ["From", "Reply-To", "To", "Cc", "Subject", "Date", "Message-ID", "MIME-Version", "Content-Type"];
const rest = usual.slice(1);

describe("authentication.unsigned", () => {
  test("names what a signature over From alone leaves out, and the mail is verified", async () => {
    const { verified, authentication } = await received(["From"]);
    expect(verified).toBe(true);
    expect(authentication.unsigned).toEqual(rest);
    const { body } = await it.api("GET", "/api/v1/inbox?page_size=1");
    expect(body.messages[0].authentication.unsigned).toEqual(rest);
  });

  test.each([
    ["what is signed is not in it", usual, {}, []],
    ["one field left out is", usual.filter((name) => name !== "Subject"), {}, ["Subject"]],
    ["where SPF aligns too it is empty", ["From"], { domain: "near.test" }, []],
  ])("%s", async (_name, fields, options, unsigned) => {
    const { verified, authentication } = await received(fields, options);
    expect({ verified, unsigned: authentication.unsigned }).toEqual({ verified: true, unsigned });
  });

  test("names a field that makes a file of the signed text", async () => {
    const signed = await signMail(plainMail({ from: "joe@shop.test" }), key, { headerList: usual });
    const message = Buffer.concat([Buffer.from("Content-Disposition: attachment; filename=a.html\r\n"), signed]);
    await deliver(it.app.smtp.port, { from: "joe@shop.test", to: agent, message });
    const { body } = await it.api("GET", "/api/v1/inbox?page_size=1");
    expect(body.messages[0]).toMatchObject({ verified: true, has_attachments: true });
    expect(body.messages[0].authentication.unsigned).toEqual(["Content-Disposition"]);
  });

  test("of several signatures it is enough that one covers a field", async () => {
    const one = await signMail(plainMail({ from: "joe@shop.test" }), key, { headerList: ["From", "Subject"] });
    const message = await signMail(one, key, { headerList: ["From", "To", "Date"] });
    await deliver(it.app.smtp.port, { from: "joe@shop.test", to: agent, message });
    const { body } = await it.api("GET", "/api/v1/inbox?page_size=1");
    expect(body.messages[0].authentication.unsigned).toEqual(["Message-ID", "MIME-Version", "Content-Type"]);
  });

  test("what only another domain's signature covers is in it", async () => {
    const one = await signMail(plainMail({ from: "joe@shop.test" }), key, { headerList: ["From", "Subject"] });
    const message = await signMail(one, { ...key, domain: "near.test" }, { headerList: usual });
    await deliver(it.app.smtp.port, { from: "joe@shop.test", to: agent, message });
    const { body } = await it.api("GET", "/api/v1/inbox?page_size=1");
    expect(body.messages[0].authentication).toMatchObject({
      dkim: [
        { domain: "near.test", result: "pass" },
        { domain: "shop.test", result: "pass" },
      ],
      unsigned: ["To", "Date", "Message-ID", "MIME-Version", "Content-Type"],
    });
  });

  test("an unproven mail has it empty", async () => {
    const message = plainMail({ from: "joe@shop.test" });
    await deliver(it.app.smtp.port, { from: "joe@shop.test", to: agent, message });
    const { body } = await it.api("GET", "/api/v1/inbox?page_size=1");
    expect(body.messages[0]).toMatchObject({ verified: false, authentication: { unsigned: [] } });
  });

  test("is in the webhook", async () => {
    await using sink = startSink();
    await it.api("POST", "/api/v1/agents", { slug: "hooked", webhook_url: sink.url });
    await received(["From"], { to: "hooked@e2a.localhost" });
    await sink.reached(1);
    expect(sink.requests[0]?.body).toMatchObject({ verified: true, authentication: { unsigned: rest } });
  });
});

describe("a reply", () => {
  const recipientsOf = async (id: string) => {
    const { to, cc = [] } = (await it.api("GET", `/api/v1/messages/${id}`)).body;
    return { to, cc };
  };

  test("does not go to an unsigned Reply-To, and says so", async () => {
    const { message_id: id } = await received(usual.filter((name) => name !== "Reply-To"));
    const { status, body } = await it.api("POST", path(id), { body: "Our bank account is …" });
    expect(status).toBe(200);
    expect(await recipientsOf(body.message_id)).toEqual({ to: ["joe@shop.test"], cc: [] });
    expect(body.fix).toBe(
      `The reply did not go to the addresses in Reply-To (${thief}), because the signature that proves the sender does not ` +
        "cover them. To write to them anyway, POST /api/v1/send with to and reply_to_message_id.",
    );
    const there = { from: agent, to: [thief], subject: "Re: x", body: "Yes.", reply_to_message_id: id };
    const { body: wanted } = await it.api("POST", "/api/v1/send", there);
    expect(await recipientsOf(wanted.message_id)).toEqual({ to: [thief], cc: [] });
  });

  test("to all leaves out an unsigned Cc", async () => {
    const { message_id: id } = await received(usual.filter((name) => name !== "Cc"));
    const { body } = await it.api("POST", path(id), { body: "Yes.", reply_all: true });
    expect(await recipientsOf(body.message_id)).toEqual({ to: [thief], cc: [] });
    expect(body.fix).toContain("Cc (eve@elsewhere.test)");
  });

  test("goes to a signed Reply-To, without a word", async () => {
    const { message_id: id } = await received(usual);
    const { body } = await it.api("POST", path(id), { body: "Yes.", reply_all: true });
    expect(await recipientsOf(body.message_id)).toEqual({ to: [thief], cc: ["eve@elsewhere.test"] });
    expect(body.fix).toBeUndefined();
  });

  test("is said on the command line, too", async () => {
    const { message_id: id } = await received(["From"]);
    const shell = await Shell.open();
    const env = { E2A_URL: it.app.httpUrl, E2A_API_KEY: it.key };
    const terminal = { env, terminal: true, columns: 400 };
    const read = await shell.run(["read", id, "--agent", agent], terminal);
    const { out, code } = await shell.run(["reply", id, "--agent", agent, "--body", "Yes."], terminal);
    await shell.close();
    expect(read.out).toContain("not signed: Reply-To, To, Cc, Subject");
    expect(read.out).toContain(`${thief} (not signed: replies do not go there)`);
    expect(code).toBe(0);
    expect(out).toContain("joe@shop.test");
    expect(out).toContain(`! The reply did not go to the addresses in Reply-To (${thief})`);
  });

  test("is said to models, with the addresses inside the fence", async () => {
    const { message_id: id } = await received(["From"]);
    const client = await connectHttp({ url: it.app.httpUrl }, it.key, "auto");
    const read = (await client.callTool({ name: "get_message", arguments: { message_id: id, agent } })) as never as {
      content: { text: string }[];
      structuredContent: { untrusted: { reply_to: string[] } };
    };
    expect(read.structuredContent.untrusted.reply_to).toEqual([]);
    expect(read.content[0]?.text).toContain("a reply goes to the sender");
    expect(read.content[0]?.text).not.toContain(thief);
    const call = { name: "reply_to_message", arguments: { message_id: id, agent, body: "Yes." } };
    const { content, structuredContent } = (await client.callTool(call)) as never as {
      content: { text: string }[];
      structuredContent: { fate: { recipients: unknown[]; untrusted: { left_out: string } } };
    };
    await client.close();
    const text = content.map((part) => part.text).join("\n");
    expect(text).toContain("The reply left out addresses");
    expect(text).toMatch(new RegExp(`<untrusted-[0-9a-f]+>[^\n]*${thief}`));
    expect(structuredContent.fate).toMatchObject({
      recipients: [{ address: "joe@shop.test" }],
      untrusted: { left_out: expect.stringContaining(thief) },
    });
  });
});

test("the rule unverified holds mail to whom only an unsigned Reply-To names", async () => {
  const { body: two } = await it.api("POST", "/api/v1/agents", { slug: "careful", agent_mode: "local" });
  await it.api("PATCH", `/api/v1/agents/${two.email}`, { hitl_rules: { unverified: true }, hitl_notify_email: false });
  const send = async (to: string) =>
    (await it.api("POST", "/api/v1/send", { from: two.email, to: [to], subject: "Yes", body: "Here it is." })).body;
  await received(usual, { to: two.email });
  expect((await send(thief)).status).toBe("sent");
  await received(["From"], { to: two.email });
  expect(await send(thief)).toMatchObject({ status: "pending_approval", hold: { rule: "unverified" } });
  expect((await send("joe@shop.test")).status).toBe("sent");
});
