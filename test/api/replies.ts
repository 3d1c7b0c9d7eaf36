/** Replies to and forwards of received and sent messages. */
import { describe, expect, test } from "bun:test";
import type { ApiWorld } from "./world.ts";

export function replyCases(it: ApiWorld): void {
  const path = (agent: string, id: string) => `/api/v1/agents/${agent}/messages/${id}`;
  const newest = async (agent: string): Promise<string> =>
    (await it.inbox(agent, "?status=all&sort=desc&page_size=1")).body.messages[0].message_id;
  const outbound = async (id: string) => (await it.api.get(`/api/v1/messages/${id}`)).body;
  const raw = async (id: string): Promise<string> => (await it.api.get(`/api/v1/messages/${id}/raw`)).body;

  describe("replies", () => {
    test("between agents stay in one thread, on both sides", async () => {
      const [alice, bob] = [await it.newAgent(), await it.newAgent()];
      const { body: question } = await it.api.post("/api/v1/send", {
        from: alice,
        to: bob,
        subject: "Lunch?",
        body: "At one?",
      });
      const received = await newest(bob);
      const { status, body: reply } = await it.api.post(`${path(bob, received)}/reply`, { body: "Yes." });
      expect({ status, method: reply.method }).toEqual({ status: 200, method: "relay" });
      const { body: answer } = await it.api.get(path(alice, await newest(alice)));
      expect(answer).toMatchObject({
        ...{ from: bob, to: [alice], subject: "Re: Lunch?", conversation_id: question.conversation_id },
        text: expect.stringContaining("Yes."),
      });
      expect(answer.headers).toContainEqual({ name: "In-Reply-To", value: question.email_message_id });
      const { body: again } = await it.api.post(`${path(alice, answer.message_id)}/reply`, { body: "Good." });
      expect(again.conversation_id).toBe(question.conversation_id);
      const { body: last } = await it.api.get(path(bob, await newest(bob)));
      expect(last).toMatchObject({ subject: "Re: Lunch?", conversation_id: reply.conversation_id });
      expect(last.headers).toContainEqual({
        ...{ name: "References", value: `${question.email_message_id} ${reply.email_message_id}` },
      });
    });

    test("go where the author wants them, and with reply_all to everybody else once", async () => {
      const agent = await it.newAgent();
      const [local, domain] = agent.split("@");
      await it.send(agent, "RE: Plan", {
        headers: [
          "Reply-To: Desk <desk@sender.example>",
          `Cc: ${local}+x@${domain}, carol@sender.example, DESK@sender.example`,
          "References: <1@sender.example> <2@sender.example>",
        ],
      });
      const id = await newest(agent);
      const { body: one } = await it.api.post(`${path(agent, id)}/reply`, { body: "Fine." });
      const first = await outbound(one.message_id);
      expect(first).toMatchObject({ type: "reply", subject: "Re: Plan", to: ["desk@sender.example"], from: agent });
      expect(first.cc).toBeUndefined();
      const more = { cc: "dan@sender.example", bcc: ["carol@sender.example", "eve@sender.example"] };
      const { body: all } = await it.api.post(`${path(agent, id)}/reply`, { body: "Fine.", reply_all: true, ...more });
      expect(await outbound(all.message_id)).toMatchObject({
        ...{
          to: ["desk@sender.example"],
          cc: ["carol@sender.example", "dan@sender.example"],
          bcc: ["eve@sender.example"],
        },
      });
      expect((await raw(all.message_id)).replace(/\r\n /g, " ")).toMatch(
        /^References: <1@sender\.example> <2@sender\.example> <[\w-]+@sender\.example>\r$/m,
      );
      expect(await raw(all.message_id)).toContain("To: Desk <desk@sender.example>");
    });

    test("to the agent's own message go to whom that went", async () => {
      const agent = await it.newAgent();
      const to = { to: "ann@outside.example", cc: ["bob@outside.example"], bcc: ["eve@outside.example"] };
      const { body: first } = await it.api.post("/api/v1/send", { from: agent, ...to, subject: "Offer", body: "10" });
      const { body: more } = await it.api.post(`${path(agent, first.message_id)}/reply`, {
        body: "9",
        reply_all: true,
      });
      expect(more.conversation_id).toBe(first.conversation_id);
      const sent = await outbound(more.message_id);
      expect(sent).toMatchObject({ to: ["ann@outside.example"], cc: ["bob@outside.example"], subject: "Re: Offer" });
      expect(sent.bcc).toBeUndefined();
      expect(await raw(more.message_id)).toContain(`In-Reply-To: ${first.email_message_id}`);
    });

    test("that can go nowhere say why", async () => {
      const agent = await it.newAgent();
      await it.send(agent, "Odd", { headers: ["Reply-To: a..b@sender.example"] });
      const { status, body } = await it.api.post(`${path(agent, await newest(agent))}/reply`, { body: "Hm." });
      const message = expect.stringMatching(
        /^would have the address that the message names, which is not an address: /,
      );
      expect({ status, errors: body.errors }).toEqual({ status: 400, errors: [{ field: "to", message }] });
      await it.server.deliver({ to: agent, message: "Subject: From nobody\r\n\r\nBoo\r\n" });
      const anonymous = await it.api.post(`${path(agent, await newest(agent))}/reply`, { body: "Who?" });
      expect(anonymous).toMatchObject({
        status: 400,
        body: { errors: [{ field: "to", message: expect.stringMatching("has no address to reply to") }] },
      });
    });

    test("are checked like any message", async () => {
      const agent = await it.newAgent();
      await it.send(agent, "Hello");
      const id = await newest(agent);
      const wrong = { cc: ["x"], headers: { To: "x" }, attachments: [{ filename: "a", data: "*" }] };
      const { status, body } = await it.api.post(`${path(agent, id)}/reply`, wrong);
      expect({ status, fields: body.errors.map((error: { field: string }) => error.field).sort() }).toEqual({
        ...{ status: 400, fields: ["attachments.0.data", "body", "cc.0", "headers.To"] },
      });
      const other = it.api.as(await it.server.newAccount());
      const sibling = await it.newAgent();
      expect((await other.post(`${path(agent, id)}/reply`, { body: "x" })).status).toBe(404);
      expect((await it.api.post(`${path(sibling, id)}/reply`, { body: "x" })).status).toBe(404);
      expect((await it.api.post(`${path(agent, "msg_none")}/forward`, { to: "a@outside.example" })).status).toBe(404);
      const own = it.api.as(await it.agentKey(agent));
      expect((await own.post(`${path(agent, id)}/reply`, { body: "x" })).status).toBe(200);
    });
  });

  describe("quotes", () => {
    test("show what a reply answers, in text and HTML, and what a forward passes on, but no Bcc", async () => {
      const [agent, reader] = [await it.newAgent(), await it.newAgent()];
      const html = "<p>Is <b>noon</b> fine?</p><script>alert(1)</script>";
      const message = [
        ...["From: Alice Roe <alice@sender.example>", `To: ${agent}`, "Subject: Lunch", "MIME-Version: 1.0"],
        ...["Date: Fri, 15 May 2026 12:00:00 +0200", 'Content-Type: multipart/alternative; boundary="b"', ""],
        ...["--b", "Content-Type: text/plain", "", "Is noon fine?", "> No.", ""],
        ...["--b", "Content-Type: text/html", "", html, "--b--", ""],
      ].join("\r\n");
      await it.server.deliver({ to: agent, message });
      const id = await newest(agent);
      const { body: plain } = await it.api.post(`${path(agent, id)}/reply`, { body: "Yes." });
      expect((await outbound(plain.message_id)).body_text).toBe("Yes.");
      const { body: reply } = await it.api.post(`${path(agent, id)}/reply`, { body: "Yes.\n", quote_history: true });
      const sent = await outbound(reply.message_id);
      const introduction = "On Fri, 15 May 2026 at 10:00 UTC, Alice Roe <alice@sender.example> wrote:";
      expect(sent.body_text).toBe(`Yes.\n\n${introduction}\n> Is noon fine?\n>> No.\n`);
      expect(sent.body_html).toMatch(
        /^<p>Yes\.<\/p>[^]*<blockquote class="gmail_quote"[^>]*>\s*<p>Is <b>noon<\/b> fine\?<\/p>\s*<\/blockquote>/,
      );
      expect(sent.body_html).not.toContain("alert");

      const hidden = { bcc: ["eve@outside.example"] };
      const offer = { from: agent, to: ["ann@outside.example"], subject: "Offer", body: "10", ...hidden };
      const { body: own } = await it.api.post("/api/v1/send", offer);
      const { body: forward } = await it.api.post(`${path(agent, own.message_id)}/forward`, { to: reader });
      const passed = await outbound(forward.message_id);
      expect(passed.body_text).toMatch(
        /^-+ Forwarded message -+\nFrom: <.*>\nDate: .*\nSubject: Offer\nTo: <ann@outside\.example>\n\n10\n$/,
      );
      expect(JSON.stringify(passed)).not.toContain("eve@outside.example");
    });

    test("are searched by the gate and shown to reviewers", async () => {
      const agent = await it.newAgent();
      const rules = { hitl_enabled: true, hitl_rules: { patterns: ["*blue moon*"] } };
      await it.api.put(`/api/v1/agents/${agent}`, rules);
      await it.send(agent, "Song", { text: "Sing Blue Moon, please." });
      const id = await newest(agent);
      const { body: free } = await it.api.post(`${path(agent, id)}/reply`, { body: "No." });
      expect(free.status).not.toBe("pending_approval");
      for (const [act, more] of [
        ["reply", { body: "No.", quote_history: true }],
        ["forward", { to: "bob@outside.example" }],
      ] as const) {
        const { body: held } = await it.api.post(`${path(agent, id)}/${act}`, more);
        expect(held).toMatchObject({ status: "pending_approval", hold: { rule: "pattern" } });
        expect((await outbound(held.message_id)).body_text).toContain("Sing Blue Moon, please.");
      }
    });
  });

  describe("forwards", () => {
    test("take the whole message along, or its files, or nothing", async () => {
      const [agent, reader] = [await it.newAgent(), await it.newAgent()];
      await it.server.deliver({ to: agent, message: withFiles(agent) });
      const id = await newest(agent);
      const { conversation_id: conversation } = (await it.api.get(path(agent, id))).body;
      const rows: [include: string | undefined, files: string[]][] = [
        [undefined, ["note.txt", "a.csv", "b.csv"]],
        ["message", ["note.txt", "Fwd Figures.eml"]],
        ["attachments", ["note.txt", "a.csv", "b.csv"]],
        ["none", ["note.txt"]],
      ];
      for (const [include, files] of rows) {
        const { status, body } = await it.api.post(`${path(agent, id)}/forward`, {
          ...{ to: [reader], body: "See below.", ...(include ? { include } : {}) },
          attachments: [{ filename: "note.txt", content_type: "text/plain", data: "bm90ZQ==" }],
        });
        expect({ status, conversation: body.conversation_id }).toEqual({ status: 200, conversation });
        const { body: arrived } = await it.api.get(path(reader, await newest(reader)));
        const { text } = arrived;
        expect(arrived).toMatchObject({ subject: "Fwd: Figures", text: expect.stringContaining("See below.") });
        expect(
          arrived.attachments.map((file: { filename: string }) => file.filename.replace(/^Figures/, "Fwd Figures")),
        ).toEqual(files);
        const names = arrived.headers.map((field: { name: string }) => field.name);
        expect(names).not.toContain("In-Reply-To");
        expect(names).not.toContain("References");
        const isQuoted = include === undefined;
        expect(text.includes("See the files.")).toBe(isQuoted);
        expect(text.includes("From: <alice@sender.example>\n")).toBe(isQuoted);
        const last = await it.api.get(`${path(reader, arrived.message_id)}/attachments/${files.length - 1}`);
        if (include === "attachments" || isQuoted) expect(last.body).toBe("3,4");
        if (include === "message") expect(last.body).toContain("Message-ID: <files@sender.example>");
      }
    });

    test("name the file of a message without a subject", async () => {
      const [agent, reader] = [await it.newAgent(), await it.newAgent()];
      await it.send(agent, "");
      await it.api.post(`${path(agent, await newest(agent))}/forward`, { to: reader, include: "message" });
      const { body } = await it.api.get(path(reader, await newest(reader)));
      expect(body).toMatchObject({ subject: "Fwd:", attachments: [{ filename: "message.eml" }] });
    });

    test("of the agent's own messages too", async () => {
      const [agent, reader] = [await it.newAgent(), await it.newAgent()];
      const { body: first } = await it.api.post("/api/v1/send", {
        ...{ from: agent, to: "ann@outside.example", subject: "Re: FW: Offer", body: "10" },
      });
      const { status, body } = await it.api.post(`${path(agent, first.message_id)}/forward`, {
        to: reader,
        include: "message",
      });
      expect(status).toBe(200);
      expect(await outbound(body.message_id)).toMatchObject({
        type: "forward",
        subject: "Fwd: Re: FW: Offer",
        to: [reader],
      });
      const { body: file } = await it.api.get(`${path(reader, await newest(reader))}/attachments/0`);
      expect(file).toContain(`Message-ID: ${first.email_message_id}`);
      const nowhere = await it.api.post(`${path(agent, first.message_id)}/forward`, { body: "x" });
      expect(nowhere).toMatchObject({ status: 400, body: { errors: [{ field: "to" }] } });
    });
  });
}

function withFiles(to: string): string {
  const part = (name: string, data: string) => [
    ...["--b", "Content-Type: text/csv", `Content-Disposition: attachment; filename=${name}`, "", data],
  ];
  return [
    ...["From: alice@sender.example", `To: ${to}`, "Subject: Figures", "Message-ID: <files@sender.example>"],
    ...["References: <0@sender.example>", "MIME-Version: 1.0", 'Content-Type: multipart/mixed; boundary="b"', ""],
    ...["--b", "Content-Type: text/plain", "", "See the files."],
    ...[...part("a.csv", "1,2"), ...part("b.csv", "3,4"), "--b--", ""],
  ].join("\r\n");
}
