/** Conversations, signs of automatic mail, suppressed addresses, and the effects of outbound mail elsewhere. */
import { describe, expect, test } from "bun:test";
import type { ApiClient } from "./client.ts";
import type { ApiWorld } from "./world.ts";

export function conversationCases(it: ApiWorld): void {
  const send = async (message: object, by: ApiClient = it.api) => (await by.post("/api/v1/send", message)).body;
  const conversationsOf = (agent: string, query = "", by = it.api) =>
    by.get(`/api/v1/agents/${agent}/conversations${query}`);

  describe("conversations", () => {
    test("have both directions together, newest activity first", async () => {
      const agent = await it.newAgent();
      await it.send(agent, "Lone");
      await it.send(agent, "Question", { headers: ["Message-ID: <q@sender.example>"], text: "How much?" });
      const [, { message_id: question }] = (await it.inbox(agent)).body.messages;
      const path = `/api/v1/agents/${agent}/messages/${question}`;
      const { body: reply } = await it.api.post(`${path}/reply`, { body: "Twelve." });

      const { body: listed } = await conversationsOf(agent);
      expect(listed).toEqual({
        conversations: [
          {
            conversation_id: reply.conversation_id,
            subject: "Question",
            participants: ["alice@sender.example"],
            message_count: 2,
            unread_count: 1,
            last_message_at: expect.any(String),
            last_message: {
              message_id: reply.message_id,
              direction: "outbound",
              from: agent,
              verified: true,
              snippet: "Twelve.",
            },
          },
          expect.objectContaining({
            ...{ subject: "Lone", message_count: 1, unread_count: 1 },
            last_message: expect.objectContaining({ from: "alice@sender.example", verified: false }),
          }),
        ],
      });

      const { body: one } = await conversationsOf(agent, `/${reply.conversation_id}`);
      expect(one).toMatchObject({
        conversation_id: reply.conversation_id,
        subject: "Question",
        messages: [
          { message_id: question, direction: "inbound", status: "unread", snippet: "How much?" },
          {
            message_id: reply.message_id,
            direction: "outbound",
            subject: "Re: Question",
            recipient: "alice@sender.example",
          },
        ],
      });
      const { body: outbound } = await it.inbox(agent, "?direction=outbound");
      expect(outbound.messages[0]).toEqual(one.messages[1]);
    });

    test("come in pages bound to their agent", async () => {
      const [agent, other] = [await it.newAgent(), await it.newAgent()];
      for (const n of [1, 2, 3]) await it.send(agent, `Topic ${n}`);
      const { body: first } = await conversationsOf(agent, "?page_size=2");
      const { body: second } = await conversationsOf(agent, `?page_size=2&token=${first.next_token}`);
      const subjects = [...first.conversations, ...second.conversations].map(({ subject }) => subject);
      expect(subjects).toEqual(["Topic 3", "Topic 2", "Topic 1"]);
      expect(second.next_token).toBeUndefined();
      expect((await conversationsOf(other, `?token=${first.next_token}`)).body.errors[0].field).toBe("token");
      expect((await conversationsOf(agent, `?token=${first.next_token}.`)).status).toBe(400);

      const { conversation_id: id } = first.conversations[0];
      await send({ from: agent, to: ["ann@outside.example"], subject: "More", body: "More.", conversation_id: id });
      const { body: page } = await conversationsOf(agent, `/${id}?page_size=1`);
      expect(page.messages).toMatchObject([{ direction: "inbound" }]);
      const { body: last } = await conversationsOf(agent, `/${id}?page_size=1&token=${page.next_token}`);
      expect(last).toMatchObject({ subject: "Topic 3", messages: [{ direction: "outbound", subject: "More" }] });
      expect(last.next_token).toBeUndefined();
      const { conversation_id: elsewhere } = first.conversations[1];
      expect((await conversationsOf(agent, `/${elsewhere}?token=${page.next_token}`)).status).toBe(400);
    });

    test("are their agent's alone", async () => {
      const [agent, sibling] = [await it.newAgent(), await it.newAgent()];
      await it.send(agent, "Mine");
      const own = it.api.as(await it.agentKey(agent));
      const { body } = await conversationsOf(agent, "", own);
      const { conversation_id: id } = body.conversations[0];
      expect((await conversationsOf(agent, `/${id}`, own)).status).toBe(200);
      expect((await conversationsOf(sibling, "", own)).status).toBe(404);
      expect((await conversationsOf(sibling, `/${id}`)).status).toBe(404);
      const stranger = it.api.as(await it.server.newAccount());
      expect((await conversationsOf(agent, "", stranger)).status).toBe(404);
    });
  });

  describe("messages that no person wrote", () => {
    test("say so", async () => {
      const rows: [headers: string[], expected: object][] = [
        [[], { auto_submitted: null, list_id: null, precedence: null }],
        [["Auto-Submitted: auto-replied"], { auto_submitted: "auto-replied", list_id: null, precedence: null }],
        [
          ["List-Id: Friends <friends.example>"],
          { auto_submitted: null, list_id: "friends.example", precedence: null },
        ],
        [["Precedence: bulk"], { auto_submitted: null, list_id: null, precedence: "bulk" }],
      ];
      const agent = await it.newAgent();
      for (const [headers] of rows) await it.send(agent, "Automatic?", { headers });
      const { messages } = (await it.inbox(agent)).body;
      expect(messages).toMatchObject(rows.map(([, expected]) => expected));
      const { body } = await it.api.get(`/api/v1/agents/${agent}/messages/${messages[1].message_id}`);
      expect(body).toMatchObject(rows[1]?.[1] ?? {});
    });
  });

  describe("what a message answers", () => {
    test("is in lists, in the message, in the inbox and in the event; null where it says nothing, and of sent mail", async () => {
      const agent = await it.newAgent();
      const named = ["In-Reply-To: <question@outside.example> <older@outside.example>"];
      await it.send(agent, "Answer", { headers: named });
      await it.send(agent, "Question");
      const { messages } = (await it.inbox(agent)).body;
      const said = ["<question@outside.example>", null];
      expect(messages.map((one: { in_reply_to: string | null }) => one.in_reply_to)).toEqual(said);
      const path = `/api/v1/agents/${agent}/messages`;
      for (const [i, expected] of said.entries())
        expect((await it.api.get(`${path}/${messages[i].message_id}`)).body.in_reply_to).toBe(expected);
      const inbox = (await it.api.get(`/api/v1/inbox?agent=${agent}&sort=asc`)).body.messages;
      expect(inbox.map((one: { in_reply_to: string | null }) => one.in_reply_to)).toEqual(said);
      const { events } = (await it.api.get(`/api/v1/events?agent=${agent}&types=message.received`)).body;
      expect(events.map((one: { data: { in_reply_to: string | null } }) => one.data.in_reply_to)).toEqual(said);

      await it.api.post(`${path}/${messages[1].message_id}/reply`, { body: "Yes." });
      const sent = (await it.api.get(`${path}?direction=outbound`)).body.messages;
      expect(sent).toMatchObject([{ subject: "Re: Question", in_reply_to: null }]);
    });
  });

  describe("suppressions", () => {
    const path = "/api/v1/suppressions";

    test("are added, found in any spelling, listed newest first and taken off", async () => {
      const mine = it.api.as(await it.server.newAccount());
      const { status, body: made } = await mine.post(path, { address: "Ann <Ann@Outside.Example>", detail: "Asked." });
      expect(status).toBe(201);
      expect(made).toEqual({
        ...{ address: "ann@outside.example", reason: "manual", detail: "Asked." },
        created_at: expect.any(String),
      });
      expect(await mine.post(path, { address: "ann@outside.example", detail: "Again" })).toMatchObject({
        status: 200,
        body: made,
      });
      await it.nextMillisecond();
      await mine.post(path, { address: "a/b+c@outside.example" });
      for (const spelling of ["ann@outside.example", "ANN%40outside.EXAMPLE"])
        expect((await mine.get(`${path}/${spelling}`)).body).toEqual(made);
      const { body: first } = await mine.get(`${path}?page_size=1`);
      const { body: second } = await mine.get(`${path}?page_size=1&token=${first.next_token}`);
      const listed = [...first.suppressions, ...second.suppressions].map(({ address }) => address);
      expect(listed).toEqual(["a/b+c@outside.example", "ann@outside.example"]);
      expect(second.next_token).toBeUndefined();
      for (const address of listed) {
        expect((await mine.delete(`${path}/${encodeURIComponent(address)}`)).status).toBe(204);
        expect((await mine.delete(`${path}/${encodeURIComponent(address)}`)).status).toBe(404);
      }
      expect((await mine.get(path)).body).toEqual({ suppressions: [] });
    });

    test("stop mail until they are taken off, for their account only", async () => {
      const mine = it.api.as(await it.server.newAccount());
      const agent = await it.newAgent(mine);
      const address = "bob@outside.example";
      await mine.post(path, { address });
      const mail = { from: agent, to: [address], subject: "Hi", body: "Hi" };
      expect(await mine.post("/api/v1/send", mail)).toMatchObject({
        status: 422,
        body: { code: "recipient_suppressed" },
      });
      expect((await it.api.get(`${path}/${address}`)).status).toBe(404);
      await mine.delete(`${path}/${address}`);
      expect((await mine.post("/api/v1/send", mail)).status).toBeLessThan(300);
    });

    test("refuse what is no address, and keys of one agent", async () => {
      for (const address of ["", "ann", "ann@", "ann@outside example", "a@x.example, b@x.example"])
        expect(await it.api.post(path, { address })).toMatchObject({
          status: 400,
          body: { errors: [{ field: "address" }] },
        });
      expect((await it.api.get(`${path}/nobody`)).status).toBe(404);
      const own = it.api.as(await it.agentKey(await it.newAgent()));
      const calls: [method: string, path: string, body?: unknown][] = [
        ["GET", path],
        ["POST", path, { address: "ann@outside.example" }],
        ["GET", `${path}/ann@outside.example`],
        ["DELETE", `${path}/ann@outside.example`],
      ];
      for (const [method, url, body] of calls)
        expect((await own.call(method, url, { body })).body.code).toBe("forbidden");
    });
  });

  describe("the shared domain", () => {
    test("shows its records to accounts, and is nobody's to change", async () => {
      const path = `/api/v1/domains/${it.server.sharedDomain}`;
      const { body } = await it.api.get(path);
      expect(body).toMatchObject({
        domain: it.server.sharedDomain,
        verified: true,
        verification_token: "",
        dns_records: {
          mx: { host: "@", name: it.server.sharedDomain, priority: 10 },
          dkim: { value: expect.stringMatching(/^v=DKIM1; k=rsa; p=/) },
          dkim_ed25519: { value: expect.stringMatching(/^v=DKIM1; k=ed25519; p=/) },
        },
      });
      expect(body.dns_records.txt).toBeUndefined();
      expect(body.checks.map(({ record }: { record: string }) => record)).toEqual(Object.keys(body.dns_records));
      const other = it.api.as(await it.server.newAccount());
      expect(
        (await other.get(path.toUpperCase().replace("/API/V1/DOMAINS", "/api/v1/domains"))).body.dns_records,
      ).toEqual(body.dns_records);
      expect((await other.get("/api/v1/domains")).body).toEqual({ domains: [] });
      expect((await it.api.post(`${path}/verify`)).status).toBe(404);
      expect((await it.api.delete(path)).status).toBe(404);
      const claim = await it.api.post("/api/v1/domains", { domain: `${it.server.sharedDomain.toUpperCase()}.` });
      expect(claim).toMatchObject({ status: 400, body: { errors: [{ field: "domain" }] } });
      const own = it.api.as(await it.agentKey(await it.newAgent()));
      expect((await own.get(path)).body.code).toBe("forbidden");
    });
  });

  describe("an account's export", () => {
    test("has what its agents sent and whom they do not write to", async () => {
      const mine = it.api.as(await it.server.newAccount());
      const agent = await it.newAgent(mine);
      const mail = { from: agent, to: ["ann@outside.example"], bcc: ["carl@outside.example"], body: "Good day." };
      for (const subject of ["First", "Second"]) await send({ ...mail, subject }, mine);
      await mine.post("/api/v1/suppressions", { address: "bob@outside.example" });
      const { body } = await mine.get("/api/v1/users/me/export");
      expect(body.suppressions).toMatchObject([{ address: "bob@outside.example", reason: "manual" }]);
      expect(body.outbound_messages).toMatchObject(
        ["First", "Second"].map((subject) => ({
          ...{ agent_id: agent, subject, body_text: "Good day.", bcc: ["carl@outside.example"] },
          recipients: [{ address: "ann@outside.example" }, { address: "carl@outside.example" }],
        })),
      );
      const raw = Buffer.from(body.outbound_messages[0].raw_message, "base64").toString();
      expect(raw).toContain("\r\nSubject: First\r\n");
    });
  });
}
