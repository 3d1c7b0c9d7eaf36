/** Held mail: approving, changing and rejecting it through the API, only once, and the audit log. */
import { describe, expect, test } from "bun:test";
import type { ApiWorld } from "./world.ts";

const outside = "ann@outside.example";
/** The parts that an edit of a message's text changes: both bodies. */
const both = ["body_text", "body_html"];
const mail = { to: [outside], subject: "Hello", body: "Good day." };

interface Held {
  agent: string;
  id: string;
  path: string;
  /** The answer of GET, without the bytes of its files. */
  body: Record<string, unknown>;
}

export function approvalCases(it: ApiWorld): void {
  /** An agent whose mail is all held, without mail to reviewers. */
  const heldAgent = async (): Promise<string> => {
    const agent = await it.newAgent();
    await it.api.patch(`/api/v1/agents/${agent}`, { hitl_enabled: true, hitl_notify_email: false });
    return agent;
  };
  const hold = async (more: object = {}, from?: string): Promise<Held> => {
    const agent = from ?? (await heldAgent());
    const { status, body } = await it.api.post("/api/v1/send", { ...mail, from: agent, ...more });
    expect({ status, is: body.status }).toEqual({ status: 202, is: "pending_approval" });
    const path = `/api/v1/messages/${body.message_id}`;
    return { agent, id: body.message_id, path, body: (await it.api.get(`${path}?data=false`)).body };
  };
  const raw = async ({ path }: Held): Promise<string> => (await it.api.get(`${path}/raw`)).body;
  const entries = async (id: string) =>
    (await it.api.get("/api/v1/audit?page_size=100")).body.entries.filter(
      (entry: { message_id: string }) => entry.message_id === id,
    );

  describe("a held message", () => {
    test("shows all that would leave, and where its links lead", async () => {
      const { body } = await hold({
        html_body: '<a href="https://evil.example/x">bank.example</a>',
        cc: ["c@outside.example"],
      });
      const shown = {
        ...{ status: "pending_approval", body_text: "Good day.", edited: false, cc: ["c@outside.example"] },
        content_hash: expect.stringMatching(/^[0-9a-f]{64}$/),
        first_time: [outside, "c@outside.example"],
        links: [{ text: "bank.example", host: "evil.example", url: "https://evil.example/x" }],
      };
      expect(body).toMatchObject(shown);
      const { body: list } = await it.api.get(`/api/v1/messages?status=pending_approval&agent=${body.agent_id}`);
      expect(list.messages).toEqual([body]);
    });

    test("has its files while it waits, and all that it shows can be handed back", async () => {
      const files = [
        { filename: "a.txt", content_type: "text/plain", data: btoa("hello"), content_id: "a" },
        { filename: "b.bin", content_type: "application/octet-stream", data: btoa("\0\x01\xff") },
      ];
      const held = await hold({
        to: [`Ann <${outside}>`],
        html_body: '<img src="cid:a"> and more',
        attachments: files,
      });
      const { body: whole } = await it.api.get(held.path);
      expect(whole.attachments).toMatchObject(files);
      const bare = whole.attachments.map(({ data: _, ...listed }: { data?: string }) => listed);
      expect(whole).toEqual({ ...held.body, attachments: whole.attachments });
      expect(held.body.attachments).toEqual(bare);
      const before = await raw(held);
      const { to, subject, body_text, body_html, attachments } = whole;
      const empty = await it.api.post(`${held.path}/approve`, { subject: " " });
      expect(empty).toMatchObject({ status: 400, body: { errors: [{ field: "subject" }] } });
      const shown = { to, subject, body_text, body_html, attachments };
      const approved = await it.api.post(`${held.path}/approve`, shown);
      expect(approved).toMatchObject({ status: 200, body: { edited: false, content_hash: held.body.content_hash } });
      expect(await raw(held)).toEqual(before);
      expect((await it.api.get(held.path)).body.attachments[0].data).toBeUndefined();
      const other = await hold({ attachments: files.slice(1) });
      const [listed] = other.body.attachments as object[];
      const changed = [{ ...listed, data: btoa("\0\x01\xfe") }];
      expect((await it.api.post(`${other.path}/approve`, { attachments: changed })).body).toMatchObject({
        edited: true,
      });
    });

    test("is listed by its expiry, soonest first, page by page", async () => {
      const mine = it.api.as(await it.server.newAccount());
      const agent = await it.newAgent(mine);
      const ids: string[] = [];
      for (const hours of [3, 1, 2]) {
        await mine.patch(`/api/v1/agents/${agent}`, { hitl_enabled: true, hitl_ttl_seconds: hours * 3600 });
        const mail = { to: [outside], subject: `${hours}`, body: "Hello" };
        ids[hours - 1] = (await mine.post("/api/v1/send", mail)).body.message_id;
      }
      const idsOf = (messages: { id: string }[]) => messages.map(({ id }) => id);
      const path = "/api/v1/messages?status=pending_approval";
      expect(idsOf((await mine.get(path)).body.messages)).toEqual(ids);
      const { body: first } = await mine.get(`${path}&page_size=2`);
      const { body: second } = await mine.get(`${path}&page_size=2&token=${first.next_token}`);
      expect([...idsOf(first.messages), ...idsOf(second.messages)]).toEqual(ids);
      expect(second.next_token).toBeUndefined();
    });

    test("leaves as it is when it is approved, and the audit list has it", async () => {
      const held = await hold();
      const before = await raw(held);
      const { status, body } = await it.api.post(`${held.path}/approve`, { content_hash: held.body.content_hash });
      expect({ status, body }).toMatchObject({
        status: 200,
        body: {
          message_id: held.id,
          status: "sent",
          edited: false,
          method: "capture",
          content_hash: held.body.content_hash,
        },
      });
      expect(body.recipients).toMatchObject([{ address: outside, status: "sent" }]);
      expect(await raw(held)).toBe(before);
      const { body: after } = await it.api.get(held.path);
      expect(after).toMatchObject({
        status: "sent",
        edited: false,
        reviewed_by: expect.stringContaining("@"),
        reviewed_at: expect.any(String),
      });
      expect(after.original).toBeUndefined();
      expect(await entries(held.id)).toEqual([
        {
          ...{
            id: expect.stringMatching(/^aud_/),
            at: after.reviewed_at,
            action: "approve",
            by: after.reviewed_by,
            how: "api",
          },
          ...{
            ip: expect.any(String),
            message_id: held.id,
            agent_id: held.agent,
            content_hash: held.body.content_hash,
          },
        },
      ]);
    });

    test("is approved without any body too, and queued when nobody waits", async () => {
      const [held, other] = [await hold(), await hold()];
      expect((await it.api.post(`${held.path}/approve`)).body.status).toBe("sent");
      const { status, headers, body } = await it.api.post(
        `${other.path}/approve`,
        {},
        { headers: { prefer: "respond-async" } },
      );
      expect({ status, is: body.status, applied: headers.get("preference-applied") }).toEqual({
        ...{ status: 202, is: "queued", applied: "respond-async" },
      });
    });

    test("reaches an agent of this server when it is approved", async () => {
      const reader = await it.newAgent();
      const held = await hold({ to: [reader] });
      expect(await it.subjects(reader, "")).toEqual([]);
      expect((await it.api.post(`${held.path}/approve`)).body).toMatchObject({ status: "sent", method: "relay" });
      expect(await it.subjects(reader, "")).toEqual(["Hello"]);
    });

    test("shows all that leaves in the header to whoever decides", async () => {
      const held = await hold({
        ...{
          to: ['"Ann, as told" <ann@outside.example>'],
          cc: ["c@outside.example"],
          reply_to: ["desk@outside.example"],
        },
        ...{ references: ["<a-secret@x>", "<b@x>"], headers: { "X-Note": "another secret" } },
      });
      const headers = [
        { name: "To", value: '"Ann, as told" <ann@outside.example>' },
        { name: "In-Reply-To", value: "<b@x>" },
        { name: "References", value: "<a-secret@x> <b@x>" },
        { name: "X-Note", value: "another secret" },
      ];
      expect((await it.api.get(held.path)).body).toMatchObject({ headers, reply_to: ["desk@outside.example"] });
      const { messages } = (await it.api.get(`/api/v1/messages?status=pending_approval&agent=${held.agent}`)).body;
      expect(messages.find(({ id }: { id: string }) => id === held.body.id)).toMatchObject({ headers });
      await it.api.post(`${held.path}/reject`);
    });

    test("leaves as it was changed, and what the agent wrote is kept", async () => {
      const held = await hold({
        ...{ to: ["Ann <ann@outside.example>"], cc: ["c@outside.example"], bcc: ["b@outside.example"] },
        ...{ html_body: '<img src="cid:logo">', reply_to: ["desk@outside.example"], headers: { "List-Id": "x" } },
        attachments: [
          { filename: "one.txt", content_type: "text/plain", data: btoa("one") },
          { filename: "logo.png", content_type: "image/png", data: btoa("two"), content_id: "logo" },
        ],
      });
      const first = await it.api.post(`${held.path}/approve`, {
        ...{ subject: "Hello again", body_text: "Good evening.", cc: [], bcc: ["New <new@outside.example>"] },
        body_html: 'Good evening.<img src="cid:logo">',
        content_hash: held.body.content_hash,
      });
      expect(first).toMatchObject({ status: 200, body: { status: "sent", edited: true } });
      expect(first.body.content_hash).not.toBe(held.body.content_hash);
      const { body: after } = await it.api.get(held.path);
      expect(after).toMatchObject({
        ...{ subject: "Hello again", body_text: "Good evening.", to: [outside], bcc: ["new@outside.example"] },
        ...{ body_html: 'Good evening.<img src="cid:logo">', reply_to: ["desk@outside.example"], edited: true },
        edited_parts: ["cc", "bcc", "subject", "body_text", "body_html"],
        ...{ email_message_id: held.body.email_message_id, conversation_id: held.body.conversation_id },
        ...{ attachments: held.body.attachments, content_hash: first.body.content_hash },
        original: {
          ...{ subject: "Hello", body_text: "Good day.", to: [outside], cc: ["c@outside.example"] },
          ...{ bcc: ["b@outside.example"], body_html: '<img src="cid:logo">', attachments: held.body.attachments },
        },
      });
      expect(after.cc).toBeUndefined();
      const message = await raw(held);
      for (const part of [
        "To: Ann <ann@outside.example>",
        "List-Id: x",
        "Reply-To: desk@outside.example",
        btoa("one"),
        btoa("two"),
      ])
        expect(message).toContain(part);
      const files = await Promise.all([0, 1].map((n) => it.api.get(`${held.path}/attachments/${n}`)));
      expect(files.map((file) => file.body)).toEqual(["one", "two"]);
      expect(await entries(held.id)).toMatchObject([
        {
          ...{ action: "edit_approve", content_hash: first.body.content_hash },
          detail: { before: { subject: "Hello" }, changed: ["cc", "bcc", "subject", "body_text", "body_html"] },
        },
      ]);
    });

    test("loses its HTML and files where a reviewer says so", async () => {
      const held = await hold({ html_body: "<b>Hi</b>", attachments: [{ filename: "a", data: btoa("a") }] });
      const edit = { body_html: "", attachments: [], to: ["x@outside.example"] };
      expect((await it.api.post(`${held.path}/approve`, edit)).status).toBe(200);
      const { body } = await it.api.get(held.path);
      expect(body).toMatchObject({ to: ["x@outside.example"], subject: "Hello" });
      expect([body.body_html, body.attachments]).toEqual([undefined, undefined]);
      expect(body.recipients.map((row: { address: string }) => row.address)).toEqual(["x@outside.example"]);
    });

    test("keeps every part that a reviewer does not name", async () => {
      const agent = await heldAgent();
      const other = ["x@outside.example"];
      const partsOf = ({ to, cc, bcc, subject, body_text, attachments }: Record<string, unknown>) => ({
        ...{ to, cc, bcc, subject, body_text, attachments },
      });
      for (const edit of [
        ...[{ to: other }, { cc: other }, { bcc: other }, { subject: "Another" }, { body_text: "Another." }],
        { attachments: [] },
      ]) {
        const held = await hold(
          {
            ...{ cc: ["c@outside.example"], bcc: ["b@outside.example"] },
            attachments: [{ filename: "one.txt", content_type: "text/plain", data: btoa("one") }],
          },
          agent,
        );
        const { status, body } = await it.api.post(`${held.path}/approve`, edit);
        expect({ status, parts: body.edited_parts }).toEqual({ status: 200, parts: Object.keys(edit) });
        const named = Object.fromEntries(Object.keys(edit).map((name) => [name, "named"]));
        const { body: after } = await it.api.get(held.path);
        expect({ ...partsOf(after), ...named }).toEqual({ ...partsOf(held.body), ...named });
      }
    });

    test("leaves with a text and an HTML that say the same, whichever of them was changed", async () => {
      const two = { body: "Pay 100.", html_body: "<p>Pay <b>100</b>.</p>" };
      const rows: [edit: object, text: string, html: string | undefined, parts: string[]][] = [
        [{ body_text: "Pay 110 & <no> more." }, "Pay 110 & <no> more.", "<p>Pay 110 &amp; &lt;no&gt; more.</p>", both],
        [{ body_html: "<p>Pay <b>110</b>.</p>" }, "Pay 110.", "<p>Pay <b>110</b>.</p>", both],
        [{ body_text: "Pay 110.", body_html: "Pay 110!" }, "Pay 110.", "Pay 110!", both],
        [{ body_text: "Pay 110.", body_html: "" }, "Pay 110.", undefined, both],
        // An unchanged text is not a change: the formatting stays.
        [{ body_text: two.body, subject: "Bill" }, two.body, two.html_body, ["subject"]],
        [{ body_html: two.html_body, subject: "Bill" }, two.body, two.html_body, ["subject"]],
      ];
      const agent = await heldAgent();
      for (const [edit, text, html, parts] of rows) {
        const held = await hold(two, agent);
        const answer = await it.api.post(`${held.path}/approve`, edit);
        expect(answer).toMatchObject({ status: 200, body: { edited: true, edited_parts: parts } });
        const { body } = await it.api.get(held.path);
        expect([body.body_text.trim(), body.body_html, body.edited_parts]).toEqual([text, html, parts]);
        const bytes = await raw(held);
        expect(/Pay (?:<b>)?100/.test(bytes)).toBe(!parts.includes("body_text"));
        expect((await entries(held.id))[0].detail.changed).toEqual(parts);
      }
      // The same HTML again is not a change either: a text that says more than the HTML stays.
      const unlike = { body: "Pay 100, as agreed on Monday.", html_body: two.html_body };
      const { path } = await hold(unlike, agent);
      await it.api.post(`${path}/approve`, { body_html: unlike.html_body, subject: "Bill" });
      const { body: after } = await it.api.get(path);
      expect([after.body_text, after.body_html, after.edited_parts]).toEqual([...Object.values(unlike), ["subject"]]);
      // A message without HTML gets none.
      const plain = await hold({}, agent);
      await it.api.post(`${plain.path}/approve`, { body_text: "Good evening." });
      expect((await it.api.get(plain.path)).body).toMatchObject({ edited_parts: ["body_text"] });
      expect((await it.api.get(plain.path)).body.body_html).toBeUndefined();
    });

    test("waits again when its approval is taken back in time, and leaves after the next one", async () => {
      const agent = await heldAgent();
      await it.api.patch(`/api/v1/agents/${agent}`, { undo_seconds: 120 });
      const held = await hold({}, agent);
      const queued = await it.api.post(`${held.path}/approve`, {}, { headers: { prefer: "respond-async" } });
      expect(queued.body).toMatchObject({ status: "queued" });
      expect((await it.api.get(held.path)).body.approval_expires_at).toBeUndefined();
      const undone = await it.api.post(`${held.path}/undo`);
      expect(undone).toMatchObject({ status: 200 });
      const changing = { recipients: expect.anything() };
      expect(undone.body).toEqual({ ...held.body, ...changing });
      expect(undone.body.recipients).toMatchObject([{ address: outside, status: "held" }]);
      const { body: waiting } = await it.api.get(`/api/v1/messages?status=pending_approval&agent=${agent}`);
      expect(waiting.messages).toEqual([undone.body]);
      expect(await entries(held.id)).toMatchObject([
        { action: "undo", by: expect.stringContaining("@"), how: "api", content_hash: held.body.content_hash },
        { action: "approve" },
      ]);
      expect((await it.api.post(`${held.path}/undo`)).body).toMatchObject({
        ...{ status: 409, detail: "The message is waiting for a decision; there is no approval to undo." },
      });

      await it.api.patch(`/api/v1/agents/${agent}`, { undo_seconds: 0 });
      const sent = await it.api.post(`${held.path}/approve`, { content_hash: undone.body.content_hash });
      expect(sent.body).toMatchObject({ status: "sent", edited: false });
      expect((await it.api.post(`${held.path}/undo`)).body).toMatchObject({
        ...{ status: 409, code: "conflict", detail: "It is too late: delivery to 1 of 1 recipients has started." },
      });
    });

    test("is decided about by content after an edit was taken back: 409 says what was changed", async () => {
      const agent = await heldAgent();
      await it.api.patch(`/api/v1/agents/${agent}`, { undo_seconds: 120 });
      const held = await hold({}, agent);
      const later = { headers: { prefer: "respond-async" } };
      await it.api.post(`${held.path}/approve`, { subject: "Another", body_text: "Good night." }, later);
      const { body: now } = await it.api.post(`${held.path}/undo`);
      expect(now).toMatchObject({ status: "pending_approval", edited: true, subject: "Another" });
      for (const action of ["approve", "reject"]) {
        const { status, body } = await it.api.post(`${held.path}/${action}`, { content_hash: held.body.content_hash });
        expect({ status, ...body }).toMatchObject({
          ...{ status: 409, content_hash: now.content_hash, edited_parts: ["subject", "body_text"] },
          detail: expect.stringContaining("differs from what the agent wrote in subject, body_text"),
        });
      }
      expect((await it.api.get(held.path)).body).toEqual(now);
    });

    test("is not taken back by its agent, by another account, or when nobody approved it", async () => {
      const agent = await heldAgent();
      const own = it.api.as(await it.agentKey(agent));
      const held = await hold({}, agent);
      expect((await own.post(`${held.path}/undo`)).status).toBe(403);
      const stranger = it.api.as(await it.server.newAccount());
      expect((await stranger.post(`${held.path}/undo`)).status).toBe(404);
      await it.api.post(`${held.path}/reject`);
      const { status, body } = await it.api.post(`${held.path}/undo`);
      expect({ status, detail: body.detail }).toEqual({ status: 409, detail: expect.stringMatching(/rejected it at/) });
    });

    test("keeps waiting, unchanged, when an edit is not valid", async () => {
      const held = await hold({ bcc: ["b@outside.example"] });
      const many = Array.from({ length: 50 }, (_, n) => `r${n}@outside.example`);
      const rows: [edit: object, fields: string[]][] = [
        [
          {
            subject: "a\r\nBcc: x@x.example",
            to: ["x"],
            cc: "y",
            body_text: 1,
            attachments: [{ filename: "a/b", data: "*" }],
          },
          ["attachments.0.data", "attachments.0.filename", "body_text", "cc", "subject", "to.0"],
        ],
        [{ to: [], bcc: [] }, ["to"]],
        [{ to: many }, ["to"]],
        [{ to: [`nobody@${it.server.sharedDomain}`] }, ["to.0"]],
        [{ body_html: 3, bcc: ["a@b@c.example"] }, ["bcc.0", "body_html"]],
      ];
      for (const [edit, fields] of rows) {
        const { status, body } = await it.api.post(`${held.path}/approve`, edit);
        expect({ status, fields: body.errors?.map((one: { field: string }) => one.field).sort() }).toEqual({
          status: 400,
          fields,
        });
      }
      for (const body of ["[]", "{", "1"]) expect((await it.api.post(`${held.path}/approve`, body)).status).toBe(400);
      expect((await it.api.post(`${held.path}/reject`, { reason: "x".repeat(1001) })).status).toBe(400);
      expect((await it.api.get(held.path)).body).toEqual(held.body);
      expect(await entries(held.id)).toEqual([]);
    });

    test("is not decided on by who saw another content", async () => {
      const held = await hold();
      for (const [action, hash] of [
        ["approve", "0".repeat(64)],
        ["reject", "x"],
        ["approve", ""],
      ] as const) {
        const { status, body } = await it.api.post(`${held.path}/${action}`, { content_hash: hash });
        expect({ status, code: body.code, fix: body.fix }).toEqual({
          ...{ status: 409, code: "conflict", fix: expect.stringContaining("Look at it again") },
        });
      }
      expect((await it.api.get(held.path)).body).toEqual(held.body);
    });

    test("stays held when a recipient has been suppressed meanwhile", async () => {
      const address = `late${it.made++}@outside.example`;
      const held = await hold({ to: [address] });
      await it.api.post("/api/v1/suppressions", { address });
      const { status, body } = await it.api.post(`${held.path}/approve`);
      expect({ status, code: body.code }).toEqual({ status: 422, code: "recipient_suppressed" });
      expect((await it.api.get(held.path)).body).toEqual(held.body);
      expect((await it.api.post(`${held.path}/approve`, { to: [outside] })).body.status).toBe("sent");
    });

    test("is rejected with a reason that the agent reads", async () => {
      const held = await hold();
      const { status, body } = await it.api.post(`${held.path}/reject`, { reason: "The price\nis wrong." });
      expect({ status, body }).toEqual({
        ...{ status: 200, body: { message_id: held.id, status: "rejected", rejection_reason: "The price\nis wrong." } },
      });
      const own = it.api.as(await it.agentKey(held.agent));
      expect((await own.get(held.path)).body).toMatchObject({
        ...{ status: "rejected", rejection_reason: "The price\nis wrong.", recipients: [{ status: "cancelled" }] },
      });
      expect(await entries(held.id)).toMatchObject([{ action: "reject", detail: { reason: "The price\nis wrong." } }]);
      expect((await it.api.post(`${(await hold()).path}/reject`)).body.rejection_reason).toBe("");
    });

    test("is decided once; who is late learns who was first", async () => {
      const held = await hold();
      await it.api.post(`${held.path}/reject`, {}, { headers: { "user-agent": "e2a-cli/1.3" } });
      const { reviewed_by: by, reviewed_at: at } = (await it.api.get(held.path)).body;
      for (const action of ["approve", "reject"]) {
        const { status, body } = await it.api.post(
          `${held.path}/${action}`,
          action === "approve" ? { subject: "\n" } : {},
        );
        // An invalid edit is refused, whatever the message's status.
        if (action === "approve") expect(status).toBe(400);
        else
          expect({ status, detail: body.detail }).toEqual({
            status: 409,
            detail: `${by} rejected it at ${at}, on the command line.`,
          });
      }
      const { body } = await it.api.post(`${held.path}/approve`);
      expect(body).toMatchObject({ status: 409, decision: { action: "reject", by, how: "cli", at } });
      const cancelled = await hold();
      await it.api.post(`${cancelled.path}/cancel`);
      expect((await it.api.post(`${cancelled.path}/approve`)).body.detail).toMatch(/cancelled/);
      const { body: sent } = await it.api.post("/api/v1/send", { ...mail, from: await it.newAgent() });
      expect((await it.api.post(`/api/v1/messages/${sent.message_id}/reject`)).status).toBe(409);
    });

    test("is decided by one of fifty calls at once, and at most one copy arrives", async () => {
      const reader = await it.newAgent();
      const held = await hold({ to: [reader] });
      const answers = await Promise.all(
        Array.from({ length: 50 }, (_, n) => it.api.post(`${held.path}/${n % 2 ? "approve" : "reject"}`)),
      );
      const statuses = answers.map((answer) => answer.status).sort();
      expect(statuses.filter((status) => status === 409)).toHaveLength(49);
      expect(await entries(held.id)).toHaveLength(1);
      const copies = await it.subjects(reader, "");
      const [{ action }] = await entries(held.id);
      const counted = answers.findIndex(({ status }) => status !== 409);
      expect(answers[counted]?.status).toBeLessThan(300);
      expect(counted % 2 ? "approve" : "reject").toBe(action);
      expect(copies).toHaveLength(action === "approve" ? 1 : 0);
    });

    test("arrives once when fifty approve it at once", async () => {
      const reader = await it.newAgent();
      const held = await hold({ to: [reader] });
      const answers = await Promise.all(Array.from({ length: 50 }, () => it.api.post(`${held.path}/approve`)));
      expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
      expect(answers.filter(({ status }) => status === 409)).toHaveLength(49);
      expect(await it.subjects(reader, "")).toEqual(["Hello"]);
    });

    test("is nothing that an agent, or another account, decides about", async () => {
      const held = await hold();
      const own = it.api.as(await it.agentKey(held.agent));
      for (const action of ["approve", "reject"]) {
        const refused = await own.post(`${held.path}/${action}`);
        expect({ status: refused.status, detail: refused.body.detail }).toEqual({
          ...{ status: 403, detail: "An agent cannot decide about its own mail." },
        });
        const stranger = it.api.as(await it.server.newAccount());
        expect((await stranger.post(`${held.path}/${action}`)).status).toBe(404);
        expect((await it.api.post(`${held.path}/${action}`, {}, { key: null })).status).toBe(401);
        expect((await it.api.post(`/api/v1/messages/msg_none/${action}`)).status).toBe(404);
      }
      expect((await own.get("/api/v1/audit")).status).toBe(403);
      expect((await it.api.get(held.path)).body).toEqual(held.body);
    });
  });

  test("the audit list comes in pages, newest first, for its account alone", async () => {
    const mine = it.api.as(await it.server.newAccount());
    const agent = await it.newAgent(mine);
    await mine.patch(`/api/v1/agents/${agent}`, { hitl_enabled: true, hitl_notify_email: false });
    const ids: string[] = [];
    for (let n = 0; n < 3; n++) {
      const { body } = await mine.post("/api/v1/send", { ...mail, from: agent });
      ids.unshift(body.message_id);
      await mine.post(`/api/v1/messages/${body.message_id}/reject`);
    }
    const first = await mine.get("/api/v1/audit?page_size=2");
    const rest = await mine.get(`/api/v1/audit?page_size=2&token=${first.body.next_token}`);
    const listed = [...first.body.entries, ...rest.body.entries].map((entry) => entry.message_id);
    expect({ listed, more: rest.body.next_token }).toEqual({ listed: ids, more: undefined });
  });
}
