import { expect, test } from "bun:test";
import { join } from "node:path";
import { type ScriptedOptions, scriptedSmtp } from "../../../../test/smtp/scripted-smtp.ts";
import { deliver } from "../../../../test/smtp/smtp-client.ts";
import { addOutbound } from "../../../../test/store/rows.ts";
import { startTestApp } from "../../../../test/support/app.ts";
import { createOwner, issueKey } from "../../../accounts.ts";
import { createVault, loadOrCreateKeyFile } from "../../../vault.ts";

/** Starts an app with one agent and an upstream that answers as scripted. */
async function startWithUpstream(on: ScriptedOptions["on"], set: Record<string, unknown> = {}) {
  const upstream = await scriptedSmtp(on ? { on } : {});
  const it = await startTestApp({
    set: {
      "outbound_smtp.host": upstream.host,
      "outbound_smtp.port": upstream.port,
      "outbound_smtp.tls": "off",
      ...set,
    },
  });
  const { body: agent } = await it.api("POST", "/api/v1/agents", { slug: "bot", agent_mode: "local" });
  return {
    upstream,
    agent: agent.email as string,
    app: it.app,
    smtp: it.app.smtp.port,
    api: it.api,
    /** The Authorization header of another account. */
    async neighbour() {
      const vault = createVault(await loadOrCreateKeyFile(join(it.dataDir, "encryption.key")));
      const now = new Date();
      const { id } = await createOwner(it.app.store, vault, { email: "neighbour@example.org", name: "", now });
      const issued = { userId: id, name: "test", scope: "account" as const, agentId: null, expiresAt: null, now };
      return { authorization: `Bearer ${(await issueKey(it.app.store, issued)).key}` };
    },
    send: (to: string[], more: object = {}, headers: Record<string, string> = {}) =>
      it.api("POST", "/api/v1/send", { to, subject: "Hello", body: "Good day.", ...more }, headers),
    async [Symbol.asyncDispose]() {
      await it[Symbol.asyncDispose]();
      await upstream[Symbol.asyncDispose]();
    },
  };
}

test("what the upstream takes is sent, and named as the upstream named it", async () => {
  const replies: Record<string, string> = {
    postfix: "250 2.0.0 Ok: queued as 4XyZ12AbCd",
    exim: "250 OK id=1rXyZa-0004Bc-2D",
    ses: "250 Ok 0100018d2e3f-a1b2-c3d4-000000",
    chatty: "250 Thanks, I have put it where it belongs",
  };
  let reply = "";
  await using it = await startWithUpstream((stage) => (stage === "message" ? reply : undefined));
  const named: Record<string, unknown> = {};
  for (const [kind, text] of Object.entries(replies)) {
    reply = text;
    const { status, body } = await it.send(["ann@outside.example"]);
    expect({ status, body }).toMatchObject({ status: 200, body: { status: "sent", method: "smtp" } });
    named[kind] = (await it.api("GET", `/api/v1/messages/${body.message_id}`)).body.provider_message_id;
  }
  expect(named).toEqual({
    ...{ postfix: "4XyZ12AbCd", exim: "1rXyZa-0004Bc-2D", ses: "0100018d2e3f-a1b2-c3d4-000000", chatty: undefined },
  });
});

test("mail to an address here that nobody has is refused whole, and the address named", async () => {
  await using it = await startWithUpstream(undefined);
  const { status, body } = await it.send(["ann@outside.example", "nobody@e2a.localhost"]);
  const message = "is nobody@e2a.localhost, which does not exist on this server: check the address";
  expect([status, body.errors]).toEqual([400, [{ field: "to.1", message }]]);
  expect((await it.api("GET", "/api/v1/messages")).body.messages).toEqual([]);
  expect(it.upstream.messages).toEqual([]);
});

test("a return path in the reply is not the id that the upstream gave", async () => {
  let from = "";
  await using it = await startWithUpstream((stage, address) => {
    if (stage === "mail") from = address;
    return stage === "message" ? `250 OK <${from}> queued as 4XyZ12AbCd` : undefined;
  });
  const { body } = await it.send(["ann@outside.example"]);
  expect(from).toContain("@");
  expect((await it.api("GET", `/api/v1/messages/${body.message_id}`)).body.provider_message_id).toBe("4XyZ12AbCd");
});

test("an answer to the id that the upstream gave is in the conversation of what it answers", async () => {
  const ses = "0102018f2a3b4c5d-5f1d9c6a-1b2c-3d4e-5f60-718293a4b5c6-000000";
  const outlook = "DB7PR04MB5563FE869D6775CC3C284AD294129@DB7PR04MB5563.eurprd04.prod.outlook.com";
  const rows: [reply: string, id: string][] = [
    [`250 Ok ${ses}`, `<${ses}@email.amazonses.com>`],
    [`250 2.0.0 OK <${outlook}> [Hostname=DB7PR04MB5563.eurprd04.prod.outlook.com]`, `<${outlook}>`],
  ];
  let reply = "";
  await using it = await startWithUpstream((stage) => (stage === "message" ? reply : undefined));
  for (const [given, id] of rows) {
    reply = given;
    const { body: sent } = await it.send(["ann@outside.example"]);
    const message = `From: ann@outside.example\r\nSubject: Re: Hello\r\nIn-Reply-To: ${id}\r\n\r\nYes.\r\n`;
    await deliver(it.smtp, { from: "ann@outside.example", to: it.agent, message });
    const query = `/api/v1/agents/${it.agent}/messages?sort=desc&page_size=1`;
    const [answer] = (await it.api("GET", query)).body.messages;
    expect(answer).toMatchObject({ subject: "Re: Hello", conversation_id: sent.conversation_id });
  }
});

test("what the upstream refuses for everybody is 502 with its reply, also when it is asked again", async () => {
  await using it = await startWithUpstream((stage) => (stage === "rcpt" ? "550 5.1.1 No such user here" : undefined));
  const headers = { "idempotency-key": "once" };
  const { status, body } = await it.send(["ann@outside.example"], {}, headers);
  expect({ status, body }).toMatchObject({
    status: 502,
    body: {
      code: "upstream_rejected",
      detail: expect.stringContaining("ann@outside.example: 550 5.1.1 No such user here"),
      message_id: expect.stringMatching(/^msg_/),
      smtp_reply: "550 5.1.1 No such user here",
      recipients: [{ address: "ann@outside.example", smtp_reply: "550 5.1.1 No such user here" }],
    },
  });
  const again = await it.send(["ann@outside.example"], {}, headers);
  expect(again).toMatchObject({ status: 502, body: { message_id: body.message_id } });
  const other = await it.send(["bob@outside.example"], {}, headers);
  expect(other).toMatchObject({ status: 422, body: { code: "idempotency_key_reused" } });
  const { body: listed } = await it.api("GET", "/api/v1/messages");
  expect(listed.messages).toMatchObject([{ id: body.message_id }]);
});

test("what some recipients get is sent, each with its own fate", async () => {
  await using it = await startWithUpstream((stage, address) =>
    stage === "rcpt" && address.startsWith("gone") ? "550 5.1.1 No such user here" : undefined,
  );
  const { status, body } = await it.send(["gone@outside.example", it.agent, "ann@outside.example"]);
  expect({ status, sent: body.status, method: body.method }).toEqual({ status: 200, sent: "sent", method: "smtp" });
  expect(
    body.recipients.map((one: { method?: string; smtp_reply: string | null }) => [one.method, one.smtp_reply]),
  ).toEqual([
    [undefined, "550 5.1.1 No such user here"],
    ["relay", null],
    ["smtp", expect.stringMatching(/^250 /)],
  ]);
});

test("what the upstream puts off is under way", async () => {
  await using it = await startWithUpstream((stage) => (stage === "rcpt" ? "451 4.7.1 Greylisted" : undefined));
  const { status, body } = await it.send(["ann@outside.example"]);
  expect({ status, body }).toMatchObject({
    status: 202,
    body: {
      status: "queued",
      recipients: [{ smtp_reply: "451 4.7.1 Greylisted", attempts: 1, next_attempt_at: expect.any(String) }],
    },
  });
  const cancelled = await it.api("POST", `/api/v1/messages/${body.message_id}/cancel`);
  expect(cancelled).toMatchObject({ status: 200, body: { status: "cancelled" } });
});

test("what looks like a loop is held until the account lets it go", async () => {
  await using it = await startWithUpstream(undefined, { "limits.loop_messages": 2 });
  // Mail to the reviewers would leave by the same upstream.
  await it.api("PATCH", `/api/v1/agents/${it.agent}`, { hitl_notify_email: false });
  const answer = (subject: string) =>
    it.send(["ann@outside.example"], { subject, reply_to_message_id: "<question@outside.example>" });
  for (let i = 0; i < 2; i++) expect((await answer(`${i}`)).status).toBe(200);
  const held = [await answer("Once more"), await answer("Again")];
  for (const { status, body } of held)
    expect({ status, body }).toMatchObject({
      status: 202,
      body: { status: "pending_approval", hold: { rule: "loop" } },
    });
  const [first, second] = held.map(({ body }) => body.message_id);
  const released = await it.api("POST", `/api/v1/messages/${first}/release`);
  expect(released.status).toBe(200);
  expect(released.body.hold).toBeUndefined();
  expect((await it.upstream.received(4)).length).toBe(4);
  expect(await it.api("POST", `/api/v1/messages/${second}/release`)).toMatchObject({
    status: 409,
    body: { code: "conflict" },
  });
});

test("what the loop breaker lets go on is held by a gate that was switched on meanwhile", async () => {
  await using it = await startWithUpstream(undefined, { "limits.loop_messages": 2 });
  const path = `/api/v1/agents/${it.agent}`;
  await it.api("PATCH", path, { hitl_notify_email: false });
  const send = (subject: string) =>
    it.send(["ann@outside.example"], { subject, reply_to_message_id: "<question@outside.example>" });
  for (const subject of ["One", "Two"]) expect((await send(subject)).status).toBe(200);
  const stopped = [await send("Three"), await send("Four")].map(({ body }) => body.message_id);
  await it.api("PATCH", path, { hitl_enabled: true });
  const holds = async (query: string) => (await it.api("GET", `/api/v1/events?types=message.held${query}`)).body.events;
  let last = (await holds("")).at(-1).id;
  expect((await it.api("POST", `/api/v1/messages/${stopped[0]}/release`)).status).toBe(200);
  // The gate is asked when each message's turn comes.
  for (const _ of stopped) {
    const [event] = await holds(`&after=${last}&wait=20&page_size=1`);
    expect(event.data).toMatchObject({ rule: "approval" });
    last = event.id;
  }
  for (const id of stopped) {
    const held = await it.api("GET", `/api/v1/messages/${id}`);
    expect(held.body).toMatchObject({ status: "pending_approval", recipients: [{ status: "held", attempts: 0 }] });
    // The gate holds it now: a release does not bypass the gate.
    expect((await it.api("POST", `/api/v1/messages/${id}/release`)).status).toBe(409);
  }
  const approved = await it.api("POST", `/api/v1/messages/${stopped[1]}/approve`);
  expect(approved).toMatchObject({ status: 200, body: { status: "sent" } });
  const received = await it.upstream.received(3);
  expect(received.length).toBe(3);
});

test("a follow-up names the copies that recipients know of, and no hidden one", async () => {
  const ids: string[] = [];
  await using it = await startWithUpstream((stage) => {
    if (stage !== "message") return undefined;
    ids.push(`0100-${crypto.randomUUID()}-000000@email.amazonses.com`);
    return `250 Ok <${ids.at(-1)}>`;
  });
  const { body } = await it.send(["ann@outside.example"], { bcc: ["eve@outside.example"] });
  const follow = `/api/v1/agents/${it.agent}/messages/${body.message_id}/reply`;
  expect((await it.api("POST", follow, { body: "One more thing." })).status).toBe(200);
  const sent = await it.upstream.received(3);
  const named = ids.slice(0, 2).filter((id) => sent.at(-1)?.raw.toString().includes(id));
  const ofAnn = sent.findIndex(({ to }) => to.includes("ann@outside.example"));
  expect(named).toEqual([ids[ofAnn] as string]);
});

test("a quote that makes the text too long is refused, with the remedy", async () => {
  await using it = await startWithUpstream(undefined);
  const message = "From: ann@outside.example\r\nSubject: Noon\r\n\r\nIs noon fine?\r\n";
  await deliver(it.smtp, { from: "ann@outside.example", to: it.agent, message });
  const path = `/api/v1/agents/${it.agent}/messages`;
  const [{ message_id: id }] = (await it.api("GET", path)).body.messages;
  const reply = { body: "x".repeat(4 * 1024 * 1024), quote_history: true };
  const { status, body } = await it.api("POST", `${path}/${id}/reply`, reply);
  expect({ status, body }).toMatchObject({
    ...{ status: 400, body: { errors: [{ field: "body" }], fix: expect.stringContaining("quote_history: false") } },
  });
});

test("a follow-up names the id of then, although the upstream is another one now", async () => {
  await using it = await startWithUpstream(undefined);
  const { store } = it.app;
  const ses = `<0100-${crypto.randomUUID()}-000000@eu-west-1.amazonses.com>`;
  const { message } = await addOutbound(store, it.agent, {
    recipients: [{ address: "ann@outside.example", lease: "l" }],
  });
  const leased = { messageId: message.id, n: 0, leaseToken: "l" };
  const providerId = ses.slice(1, ses.indexOf("@"));
  const sent = { kind: "sent", method: "smtp", status: "sent", reply: `250 Ok ${providerId}`, providerId } as const;
  expect(await store.finishRecipient(leased, { ...sent, sentAs: ses }, new Date())).toBe("sent");
  const follow = `/api/v1/agents/${it.agent}/messages/${message.id}/reply`;
  const { body } = await it.api("POST", follow, { body: "One more thing." });
  const { body: raw } = await it.api("GET", `/api/v1/messages/${body.message_id}/raw`);
  expect(raw).toContain(ses);
});

test("files of a forward that share a Content-ID are shown and sent as they are", async () => {
  await using it = await startWithUpstream(undefined);
  await it.api("PATCH", `/api/v1/agents/${it.agent}`, { hitl_enabled: true, hitl_notify_email: false });
  const part = (name: string) =>
    `--b\r\nContent-Type: text/plain\r\nContent-ID: <a@x>\r\nContent-Disposition: inline; filename=${name}\r\n\r\nin ${name}\r\n`;
  const head = `From: eve@evil.example\r\nTo: ${it.agent}\r\nMessage-ID: <1@evil.example>\r\nMIME-Version: 1.0\r\n`;
  const html = '--b\r\nContent-Type: text/html\r\n\r\n<img src="cid:a@x">\r\n';
  const related = `Content-Type: multipart/related; boundary=b\r\n\r\n${html}${part("one.txt")}${part("two.txt")}--b--\r\n`;
  await deliver(it.smtp, { from: "eve@evil.example", to: it.agent, message: head + related });
  const list = await it.api("GET", `/api/v1/agents/${it.agent}/messages`);
  const path = `/api/v1/agents/${it.agent}/messages/${list.body.messages[0].message_id}/forward`;
  const { body } = await it.api("POST", path, { to: "bob@outside.example" });
  const held = (await it.api("GET", `/api/v1/messages/${body.message_id}`)).body;
  const shown = held.attachments.map(({ filename, data }: { filename: string; data: string }) => [
    filename,
    atob(data),
  ]);
  expect(shown).toEqual([
    ["one.txt", "in one.txt"],
    ["two.txt", "in two.txt"],
  ]);
  await it.api("POST", `/api/v1/messages/${body.message_id}/approve`, { subject: "Edited" });
  const [sent] = await it.upstream.received(1);
  const raw = sent?.raw.toString();
  for (const name of ["one.txt", "two.txt"]) expect(raw).toContain(btoa(`in ${name}`));
  // Programs differ in which of two they show.
  expect(raw?.match(/^Content-ID: <a@x>/gim)).toHaveLength(1);
});

test("a message has a size that may leave, as it is and as it becomes", async () => {
  await using it = await startWithUpstream(undefined, { "limits.outbound_message_size": "64KiB" });
  const file = (bytes: number) => ({ filename: "a", data: Buffer.alloc(bytes).toString("base64") });
  const rows: [more: object, field: string][] = [
    [{ body: "ü".repeat(40_000) }, "body"],
    [{ attachments: [file(40_000), file(40_000)] }, "attachments"],
    [{ attachments: [file(60_000)] }, "attachments"],
  ];
  for (const [more, field] of rows)
    expect(await it.send(["ann@outside.example"], more)).toMatchObject({ status: 400, body: { errors: [{ field }] } });
  const { status, body } = await it.send(["ann@outside.example"], { attachments: [file(45_000)] });
  expect(status).toBe(200);
  const forward = `/api/v1/agents/${it.agent}/messages/${body.message_id}/forward`;
  const more = { to: "bob@outside.example", include: "message", attachments: [file(20_000)] };
  expect(await it.api("POST", forward, more)).toMatchObject({ status: 400, body: { errors: [{ field: "include" }] } });
});

test("nobody speaks for the server's own addresses, or for those of others, at the domain that mail leaves from", async () => {
  const shared = "agents.example";
  const set = { shared_domain: shared, "outbound_smtp.from_domain": shared };
  await using it = await startWithUpstream(undefined, set);
  await it.api("POST", "/api/v1/domains", { domain: "tenant.example" });
  await it.api("POST", "/api/v1/domains/tenant.example/verify");
  const locals = ["noreply", "security", "bot", "nobody-yet"];
  for (const local of locals) {
    await it.api("POST", "/api/v1/agents", { email: `${local}@tenant.example`, agent_mode: "local", name: "e2a" });
    const sent = await it.send(["ann@outside.example"], { from: `${local}@tenant.example` });
    expect(sent).toMatchObject({ status: 200, body: { status: "sent" } });
  }
  const received = await it.upstream.received(locals.length);
  const fields = received.map(({ raw }) =>
    raw
      .toString()
      .match(/^(?:From|Reply-To): .*$/gm)
      ?.map((one) => one.trim()),
  );
  expect(fields).toEqual(
    locals.map((local) => [
      `From: e2a via e2a <${local}=tenant.example@${shared}>`,
      `Reply-To: e2a <${local}@tenant.example>`,
    ]),
  );
});

test("only the operator's agents leave under bare names at a domain that is hosted elsewhere", async () => {
  await using it = await startWithUpstream(undefined, { "outbound_smtp.from_domain": "company.example" });
  const neighbour = await it.neighbour();
  for (const [domain, headers] of [["own.example"], ["evil.example", neighbour]] as const) {
    await it.api("POST", "/api/v1/domains", { domain }, headers);
    await it.api("POST", `/api/v1/domains/${domain}/verify`, undefined, headers);
  }
  await it.api("POST", "/api/v1/agents", { slug: "ceo", agent_mode: "local" }, neighbour);
  const senders = [["bot@own.example"], ["bot@evil.example", neighbour], ["ceo@e2a.localhost", neighbour]] as const;
  for (const [from, headers] of senders) {
    await it.api("POST", "/api/v1/agents", { email: from, agent_mode: "local" }, headers);
    expect(await it.send(["ann@outside.example"], { from }, headers)).toMatchObject({ status: 200 });
  }
  const received = await it.upstream.received(3);
  expect(received.map(({ raw }) => /^From: (.*)$/m.exec(raw.toString())?.[1]?.trim())).toEqual([
    "bot via e2a <bot@company.example>",
    "bot via e2a <bot=evil.example@company.example>",
    "ceo via e2a <ceo=e2a.localhost@company.example>",
  ]);
});

test("an agent keeps its own From where the name it would leave under is somebody's address", async () => {
  await using it = await startWithUpstream(undefined, { "outbound_smtp.from_domain": "relay.example" });
  for (const domain of ["tenant.example", "relay.example"]) {
    await it.api("POST", "/api/v1/domains", { domain });
    await it.api("POST", `/api/v1/domains/${domain}/verify`);
  }
  const addresses = ["bot=tenant.example@relay.example", "bot@tenant.example", "other@tenant.example"];
  for (const email of addresses)
    expect((await it.api("POST", "/api/v1/agents", { email, agent_mode: "local" })).status).toBe(201);
  for (const from of addresses) await it.send(["ann@outside.example"], { from });
  const received = await it.upstream.received(3);
  expect(received.map(({ raw }) => /^From: (.*)$/m.exec(raw.toString())?.[1]?.trim())).toEqual([
    // An agent of that domain keeps the address as its own.
    "bot=tenant.example@relay.example",
    "bot@tenant.example",
    "other via e2a <other=tenant.example@relay.example>",
  ]);
});
