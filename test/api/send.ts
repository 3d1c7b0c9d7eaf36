/** Outbound mail: what is accepted or refused, its delivery status, and cancelling. */
import { describe, expect, test } from "bun:test";
import { badMessages } from "./bad-messages.ts";
import type { ApiClient } from "./client.ts";
import type { ApiWorld } from "./world.ts";

const outside = "ann@outside.example";

export function sendCases(it: ApiWorld): void {
  const send = (message: object, by: ApiClient = it.api, headers: Record<string, string> = {}) =>
    by.post("/api/v1/send", message, { headers });
  const sent = async (query: string, by = it.api): Promise<string[]> =>
    (await by.get(`/api/v1/messages${query}`)).body.messages.map((row: { id: string }) => row.id);
  const mail = (from: string, to: string | string[], more: object = {}) => ({
    ...{ from, to, subject: "Hello", body: "Good day." },
    ...more,
  });
  /** An agent whose mail stays in the queue. */
  const pausedAgent = async (): Promise<string> => {
    const agent = await it.newAgent();
    await it.api.patch(`/api/v1/agents/${agent}`, { paused: true });
    return agent;
  };

  describe("sending", () => {
    test("between agents of this server arrives at once, verified, as an agent's mail", async () => {
      const [alice, bob] = [await it.newAgent(), await it.newAgent()];
      await it.api.patch(`/api/v1/agents/${alice}`, { name: "Alice" });
      const { status, body } = await send(
        mail(alice, [`Bob <${bob.toUpperCase()}>`, bob], { html_body: "<b>Good day.</b>" }),
      );
      expect({ status, body }).toEqual({
        status: 200,
        body: {
          message_id: expect.stringMatching(/^msg_[0-9a-f]{32}$/),
          status: "sent",
          method: "relay",
          email_message_id: expect.stringMatching(/^<[^@]+@.+>$/),
          conversation_id: expect.stringMatching(/^conv_/),
          recipients: [
            {
              ...{ address: bob, status: "delivered", method: "relay", smtp_reply: null, error: null },
              ...{ attempts: expect.any(Number), at: expect.any(String) },
            },
          ],
        },
      });
      const [{ message_id: id }] = (await it.inbox(bob)).body.messages;
      const { body: arrived } = await it.api.get(`/api/v1/agents/${bob}/messages/${id}`);
      expect(arrived).toMatchObject({
        ...{ from: alice, from_name: "Alice", to: [bob], subject: "Hello", verified: true, direction: "inbound" },
        ...{ email_message_id: body.email_message_id, html: expect.stringContaining("<b>Good day.</b>") },
        ...{ verified_domain: it.server.sharedDomain },
        auth_headers: { "X-E2A-Auth-Verified": "true", "X-E2A-Auth-Sender": alice, "X-E2A-Auth-Entity-Type": "agent" },
      });
      expect(arrived.headers).toContainEqual({ name: "Auto-Submitted", value: "auto-generated" });

      const { body: kept } = await it.api.get(`/api/v1/messages/${body.message_id}`);
      expect(kept).toMatchObject({
        ...{ id: body.message_id, agent_id: alice, direction: "outbound", type: "send", subject: "Hello", from: alice },
        ...{ to: [bob], status: "delivered", method: "relay", body_text: "Good day.", body_html: "<b>Good day.</b>" },
        ...{ email_message_id: body.email_message_id, conversation_id: body.conversation_id },
        recipients: body.recipients,
      });
    });

    test("to the outside is kept in development, as it would have left", async () => {
      const agent = await it.newAgent();
      const message = mail(agent, outside, {
        ...{
          subject: "Grüße",
          cc: "Bob <bob@outside.example>",
          bcc: ["eve@outside.example"],
          reply_to: ["desk@outside.example"],
        },
        headers: { "List-Unsubscribe": "<https://agents.example/off>" },
        html_body: '<img src="cid:logo">',
        attachments: [
          { filename: "é.txt", content_type: "text/plain", data: Buffer.from("one").toString("base64") },
          {
            filename: "logo.png",
            content_type: "image/png",
            data: Buffer.from("two").toString("base64"),
            content_id: "logo",
          },
          { filename: "raw", data: Buffer.from("three").toString("base64") },
        ],
      });
      const { status, body } = await send(message);
      expect({
        status,
        method: body.method,
        to: body.recipients.map((row: { address: string }) => row.address),
      }).toEqual({
        ...{ status: 200, method: "capture" },
        to: [outside, "bob@outside.example", "eve@outside.example"],
      });
      const path = `/api/v1/messages/${body.message_id}`;
      expect((await it.api.get(path)).body).toMatchObject({
        ...{ subject: "Grüße", to: [outside], cc: ["bob@outside.example"], bcc: ["eve@outside.example"] },
        ...{ reply_to: ["desk@outside.example"], status: "sent", method: "capture" },
        attachments: [
          { filename: "é.txt", size: 3 },
          { content_id: "logo" },
          { content_type: "application/octet-stream" },
        ],
      });
      const raw = await it.api.get(`${path}/raw`);
      expect(raw.headers.get("content-type")).toBe("message/rfc822");
      expect(raw.body).toContain(`Message-ID: ${body.email_message_id}`);
      expect(raw.body).toContain("List-Unsubscribe: <https://agents.example/off>");
      expect(raw.body).not.toContain("eve@outside.example");
      const files = await Promise.all([0, 1, 2].map((index) => it.api.get(`${path}/attachments/${index}`)));
      expect(files.map(({ body }) => body)).toEqual(["one", "two", "three"]);
      expect(files[1]?.headers.get("content-disposition")).toStartWith('attachment; filename="logo.png"');
      for (const index of ["3", "-1", "x"]) expect((await it.api.get(`${path}/attachments/${index}`)).status).toBe(404);
    });

    for (const row of badMessages)
      test(`refuses ${row.name}, and keeps nothing`, async () => {
        const mine = it.api.as(await it.server.newAccount());
        const agent = await it.newAgent(mine);
        const { status, body } = await send({ ...mail(agent, outside), ...row.message(agent) }, mine);
        expect({ status, code: body.code }).toEqual({ status: 400, code: "invalid_request" });
        expect(
          Object.fromEntries(body.errors.map(({ field, message }: Record<string, string>) => [field, message])),
        ).toEqual(
          Object.fromEntries(Object.entries(row.errors).map(([field, says]) => [field, expect.stringMatching(says)])),
        );
        expect(await sent("", mine)).toEqual([]);
      });

    test("needs no from where there is no choice", async () => {
      const mine = it.api.as(await it.server.newAccount());
      const { from: _, ...message } = mail("", outside);
      expect((await send(message, mine)).body.errors).toEqual([
        { field: "from", message: "is required: this account has no agent yet" },
      ]);
      const only = await it.newAgent(mine);
      const first = await send({ ...message, from: "" }, mine);
      expect((await mine.get(`/api/v1/messages/${first.body.message_id}`)).body.from).toBe(only);
      await it.newAgent(mine);
      const { body } = await send(message, mine);
      expect(body.errors).toEqual([{ field: "from", message: "is required: this account has 2 agents" }]);
    });

    test("is for the agent's own keys and its account's", async () => {
      const [mine, sibling] = [await it.newAgent(), await it.newAgent()];
      const own = it.api.as(await it.agentKey(mine));
      const other = it.api.as(await it.server.newAccount());
      const { from: _, ...unsigned } = mail("", outside);
      const { body } = await send(unsigned, own);
      expect((await own.get(`/api/v1/messages/${body.message_id}`)).body.from).toBe(mine);
      const named = await send(mail(`Somebody <${mine.toUpperCase()}>`, outside), own);
      expect((await own.get(`/api/v1/messages/${named.body.message_id}/raw`)).body).not.toContain("Somebody");
      const rows: [by: ApiClient, from: string, status: number, code: string][] = [
        [own, sibling, 403, "forbidden"],
        [own, await it.newAgent(other), 404, "not_found"],
        [other, mine, 404, "not_found"],
        [it.api, `nobody@${it.server.sharedDomain}`, 404, "not_found"],
      ];
      for (const [by, from, status, code] of rows)
        expect(await send(mail(from, outside), by)).toMatchObject({ status, body: { code } });
    });

    test("is not for a domain's own mailbox", async () => {
      const domain = `d${it.made++}-${process.pid}.example`;
      await it.api.post("/api/v1/domains", { domain });
      await it.api.post(`/api/v1/domains/${domain}/verify`);
      await it.send(`postmaster@${domain}`, "Hello");
      expect(await send(mail(`postmaster@${domain}`, outside))).toMatchObject({
        status: 403,
        body: { code: "forbidden" },
      });
    });

    test("says which local address nobody has", async () => {
      const agent = await it.newAgent();
      const { status, body } = await send(mail(agent, [outside, `nobody@${it.server.sharedDomain}`]));
      expect({ status, fields: body.errors?.map((error: { field: string }) => error.field) }).toEqual({
        ...{ status: 400, fields: ["to.1"] },
      });
      expect(await sent(`?agent=${agent}`)).toEqual([]);
    });

    test("joins the thread that it is told", async () => {
      const agent = await it.newAgent();
      const { body: first } = await send(mail(agent, outside, { conversation_id: "ticket 7" }));
      expect(first.conversation_id).toBe("ticket 7");
      const { body: second } = await send(mail(agent, outside, { reply_to_message_id: first.message_id }));
      expect(second.conversation_id).toBe("ticket 7");
      const raw = (await it.api.get(`/api/v1/messages/${second.message_id}/raw`)).body;
      expect(raw).toContain(`In-Reply-To: ${first.email_message_id}`);
      expect(raw).toContain(`References: ${first.email_message_id}`);
      const { body: third } = await send(
        mail(agent, outside, { references: ["<a@x.example>", second.email_message_id] }),
      );
      expect(third.conversation_id).toBe("ticket 7");
      const { body: fourth } = await send(mail(agent, outside, { reply_to_message_id: second.email_message_id }));
      expect(fourth.conversation_id).toBe("ticket 7");
      const other = await it.newAgent();
      const { status, body } = await send(mail(other, outside, { reply_to_message_id: first.message_id }));
      expect({ status, field: body.errors[0].field }).toEqual({ status: 400, field: "reply_to_message_id" });
    });

    test("twice with one Idempotency-Key sends once", async () => {
      const agent = await it.newAgent();
      const headers = { "idempotency-key": crypto.randomUUID() };
      const first = await send(mail(agent, outside), it.api, headers);
      const again = await send(mail(agent, outside), it.api, headers);
      expect(again).toMatchObject({ status: 200, body: first.body });
      expect(again.headers.get("idempotency-replayed")).toBe("true");
      expect((await send(mail(agent, outside, { subject: "Other" }), it.api, headers)).status).toBe(422);
      expect(await sent(`?agent=${agent}`)).toEqual([first.body.message_id]);
    });

    test("does not wait for a client that does not want to", async () => {
      const agent = await it.newAgent();
      const answer = await send(mail(agent, outside), it.api, { prefer: "handling=lenient, respond-async; poll=30" });
      expect(answer).toMatchObject({ status: 202, body: { status: "queued" } });
      expect(answer.headers.get("preference-applied")).toBe("respond-async");
    });

    test("has a subject with words", async () => {
      const agent = await it.newAgent();
      for (const subject of ["", " \t "]) {
        const refused = { status: 400, body: { errors: [{ field: "subject" }] } };
        expect(await send({ ...mail(agent, outside), subject })).toMatchObject(refused);
      }
    });

    test("waits for a person when the agent has a gate", async () => {
      const agent = await it.newAgent();
      await it.api.patch(`/api/v1/agents/${agent}`, { hitl_enabled: true });
      const { status, body } = await send(mail(agent, outside));
      expect({ status, body }).toMatchObject({
        status: 202,
        body: {
          ...{ status: "pending_approval", approval_expires_at: expect.any(String), hold: { rule: "approval" } },
          recipients: [{ address: outside, status: "held" }],
        },
      });
      const { body: listed } = await it.api.get(`/api/v1/messages?status=pending_approval&agent=${agent}`);
      expect(listed.messages).toMatchObject([{ id: body.message_id, body_text: "Good day." }]);
      const released = await it.api.post(`/api/v1/messages/${body.message_id}/release`);
      expect(released).toMatchObject({ status: 409, body: { detail: expect.stringContaining("waits for approval") } });
      const cancelled = await it.api.post(`/api/v1/messages/${body.message_id}/cancel`);
      expect(cancelled).toMatchObject({ status: 200, body: { status: "cancelled" } });
    });
  });

  describe("sent messages", () => {
    test("are listed newest first, in pages bound to their filters", async () => {
      const mine = it.api.as(await it.server.newAccount());
      const [one, two] = [await it.newAgent(mine), await it.newAgent(mine)];
      const ids: string[] = [];
      for (const from of [one, one, two]) ids.unshift((await send(mail(from, outside), mine)).body.message_id);
      const [newest, middle, oldest] = ids as [string, string, string];
      const { body: first } = await mine.get("/api/v1/messages?page_size=2");
      expect(first.messages.map((row: { id: string }) => row.id)).toEqual([newest, middle]);
      expect(first.messages[0].body_text).toBeUndefined();
      const { body: second } = await mine.get(`/api/v1/messages?page_size=2&token=${first.next_token}`);
      expect(second.messages.map((row: { id: string }) => row.id)).toEqual([oldest]);
      expect(second.next_token).toBeUndefined();
      for (const query of ["&status=sent", `&agent=${one}`])
        expect((await mine.get(`/api/v1/messages?token=${first.next_token}${query}`)).body.errors[0].field).toBe(
          "token",
        );
      expect((await it.api.get(`/api/v1/messages?token=${first.next_token}`)).status).toBe(400);

      const { conversation_id: conversation, created_at: at } = (await mine.get(`/api/v1/messages/${oldest}`)).body;
      const later = new Date(Date.parse(at) + 3_600_000).toISOString();
      const rows: [query: string, expected: string[]][] = [
        ["", [newest, middle, oldest]],
        ["?status=", [newest, middle, oldest]],
        ["?status=sent", [newest, middle, oldest]],
        ["?status=queued", []],
        [`?agent=${one.toUpperCase()}`, [middle, oldest]],
        [`?conversation_id=${conversation}`, [oldest]],
        [`?since=${later}`, []],
        [`?until=${later}`, [newest, middle, oldest]],
        [`?until=${encodeURIComponent(at)}`, []],
      ];
      for (const [query, expected] of rows) expect([query, await sent(query, mine)]).toEqual([query, expected]);
      expect((await mine.get("/api/v1/messages?status=nothing")).body.errors[0].field).toBe("status");
    });

    test("are in the agent's own list too, when it is asked for them", async () => {
      const agent = await it.newAgent();
      await it.send(agent, "Received");
      for (const subject of ["First", "Second"]) await send(mail(agent, outside, { subject }));
      const rows: [query: string, expected: string[]][] = [
        ["?direction=outbound", ["First", "Second"]],
        ["?direction=outbound&status=read", ["First", "Second"]],
        ["?direction=outbound&sort=desc", ["Second", "First"]],
        ["?direction=outbound&label=x", []],
        [`?direction=outbound&from=${outside}`, []],
        [`?direction=outbound&from=${agent}`, ["First", "Second"]],
        ["?direction=inbound", ["Received"]],
      ];
      for (const [query, expected] of rows) expect([query, await it.subjects(agent, query)]).toEqual([query, expected]);
      const { body } = await it.inbox(agent, "?direction=outbound&page_size=1");
      expect(body.messages).toMatchObject([
        { from: agent, to: [outside], recipient: outside, direction: "outbound", status: "sent", snippet: "Good day." },
      ]);
      const next = await it.inbox(agent, `?direction=outbound&page_size=1&token=${body.next_token}`);
      expect(next.body.messages).toMatchObject([{ subject: "Second" }]);
      expect((await it.inbox(agent, "?direction=outbound&q=x")).body.errors[0].field).toBe("q");
      expect((await it.inbox(agent, `?token=${body.next_token}`)).status).toBe(400);
    });

    test("are found by those who may see them only", async () => {
      const [agent, sibling] = [await it.newAgent(), await it.newAgent()];
      const { body } = await send(mail(agent, outside));
      const other = it.api.as(await it.server.newAccount());
      const own = it.api.as(await it.agentKey(agent));
      const siblings = it.api.as(await it.agentKey(sibling));
      const path = `/api/v1/messages/${body.message_id}`;
      expect((await own.get(path)).status).toBe(200);
      expect(await sent("", own)).toEqual([body.message_id]);
      expect(await sent("", siblings)).toEqual([]);
      expect((await siblings.get(`/api/v1/messages?agent=${agent}`)).status).toBe(404);
      expect((await other.get(`/api/v1/messages?agent=${agent}`)).status).toBe(404);
      for (const by of [other, siblings]) {
        for (const more of ["", "/raw", "/attachments/0"]) expect((await by.get(path + more)).status).toBe(404);
        expect((await by.post(`${path}/cancel`)).status).toBe(404);
      }
      expect((await other.post(`${path}/release`)).status).toBe(404);
      expect((await own.post(`${path}/release`)).status).toBe(403);

      await it.send(agent, "Received");
      const [{ message_id: received }] = (await it.inbox(agent)).body.messages;
      const { status, body: problem } = await it.api.get(`/api/v1/messages/${received}`);
      expect({ status, fix: problem.fix }).toEqual({
        ...{ status: 404, fix: "Received messages are at /api/v1/agents/{email}/messages/{id}." },
      });
    });

    test("are taken back as long as they have not left", async () => {
      const agent = await pausedAgent();
      const { status, body } = await send(mail(agent, outside));
      expect({ status, body }).toMatchObject({ status: 202, body: { status: "queued" } });
      const path = `/api/v1/messages/${body.message_id}`;
      const own = it.api.as(await it.agentKey(agent));
      expect(await own.post(`${path}/cancel`)).toMatchObject({
        ...{ status: 200, body: { status: "cancelled", recipients: [{ address: outside, status: "cancelled" }] } },
      });
      for (const action of ["cancel", "release"])
        expect(await it.api.post(`${path}/${action}`)).toMatchObject({
          ...{ status: 409, body: { code: "conflict", detail: expect.stringContaining("is cancelled") } },
        });
      await it.api.patch(`/api/v1/agents/${agent}`, { paused: false });
      expect((await it.api.get(path)).body.status).toBe("cancelled");

      const { body: gone } = await send(mail(agent, outside));
      expect(await it.api.post(`/api/v1/messages/${gone.message_id}/cancel`)).toMatchObject({
        ...{ status: 409, body: { detail: "The message is sent; no part of it can be cancelled." } },
      });
    });
  });
}
