/** An agent's inbox, by request and by WebSocket. */
import { describe, expect, test } from "bun:test";
import { createHash, createHmac } from "node:crypto";
import { SocketClient } from "../support/socket-client.ts";
import { until } from "../support/until.ts";
import type { ApiWorld } from "./world.ts";

export function messageCases(it: ApiWorld): void {
  describe("messages", () => {
    test("are listed oldest first, in pages bound to their filters", async () => {
      const agent = await it.newAgent();
      for (const n of [1, 2, 3]) await it.send(agent, `Mail ${n}`);
      const { body: first } = await it.inbox(agent, "?page_size=2");
      expect(first.messages.map((row: { subject: string }) => row.subject)).toEqual(["Mail 1", "Mail 2"]);
      const { body: second } = await it.inbox(agent, `?page_size=2&token=${first.next_token}`);
      expect(second.messages.map((row: { subject: string }) => row.subject)).toEqual(["Mail 3"]);
      expect(second.next_token).toBeUndefined();
      const misused = await it.inbox(agent, `?page_size=2&sort=desc&token=${first.next_token}`);
      expect(misused).toMatchObject({ status: 400, body: { errors: [{ field: "token" }] } });
      const elsewhere = await it.inbox(await it.newAgent(), `?token=${first.next_token}`);
      expect(elsewhere.status).toBe(400);
    });

    test("are filtered and searched", async () => {
      const agent = await it.newAgent();
      await it.send(agent, "Apples", { text: "about the crème brûlée" });
      await it.send(agent, "Bananas", { from: "bob@sender.example" });
      const [{ message_id: apples, conversation_id: conversation, created_at: at }] = (await it.inbox(agent)).body
        .messages;
      await it.api.patch(`/api/v1/agents/${agent}/messages/${apples}`, {
        status: "read",
        add_labels: ["fruit", "fruit"],
      });
      const later = new Date(Date.parse(at) + 3_600_000).toISOString();
      const rows: [query: string, expected: string[]][] = [
        ["", ["Bananas"]],
        ["?status=read", ["Apples"]],
        ["?status=all", ["Apples", "Bananas"]],
        ["?status=all&sort=desc", ["Bananas", "Apples"]],
        ["?status=all&from=BOB@sender.example", ["Bananas"]],
        [`?status=all&conversation_id=${conversation}`, ["Apples"]],
        ["?status=all&label=fruit", ["Apples"]],
        ["?status=all&q=creme+BRULEE", ["Apples"]],
        ["?status=all&q=app", ["Apples"]],
        ["?status=all&q=alice%40sender.example", ["Apples"]],
        ["?status=all&q=%22)%20or%201%3D1", []],
        [`?status=all&since=${later}`, []],
        [`?status=all&until=${later}`, ["Apples", "Bananas"]],
        [`?status=all&until=${encodeURIComponent(at)}`, []],
        ["?status=all&direction=inbound", ["Apples", "Bananas"]],
        ["?status=all&direction=outbound", []],
        ["?status=&q=", ["Bananas"]],
      ];
      for (const [query, expected] of rows) expect([query, await it.subjects(agent, query)]).toEqual([query, expected]);
    });

    test("become read by reading, unless peeked at", async () => {
      const agent = await it.newAgent();
      await it.send(agent, "=?utf-8?Q?Gr=C3=BC=C3=9Fe?=", {
        headers: ["Cc: carol@sender.example", "Reply-To: desk@sender.example"],
      });
      const [{ message_id: id }] = (await it.inbox(agent)).body.messages;
      const path = `/api/v1/agents/${agent}/messages/${id}`;
      const peeked = await it.api.get(`${path}?peek=true`);
      expect(peeked.body).toMatchObject({
        message_id: id,
        from: "alice@sender.example",
        from_name: "alice",
        to: [agent],
        cc: ["carol@sender.example"],
        reply_to: ["desk@sender.example"],
        recipient: agent,
        subject: "Grüße",
        status: "unread",
        envelope_from: "alice@sender.example",
        text: expect.stringContaining("Hello"),
        attachments: [],
      });
      expect(await it.subjects(agent, "")).toEqual(["Grüße"]);
      expect((await it.api.get(path)).body.status).toBe("read");
      expect(await it.subjects(agent, "")).toEqual([]);
      expect((await it.api.patch(path, { status: "unread" })).body.status).toBe("unread");
      expect((await it.api.delete(path)).status).toBe(204);
      expect((await it.api.get(path)).status).toBe(404);
    });

    test("carry headers that the newest signing secret signs for this fetch", async () => {
      const mine = it.api.as(await it.server.newAccount());
      const agent = await it.newAgent(mine);
      const { body: created } = await mine.post("/api/v1/users/me/signing-secrets", { name: "new" });
      await it.send(agent, "Signed");
      const { body: listed } = await mine.get(`/api/v1/agents/${agent}/messages`);
      const path = `/api/v1/agents/${agent}/messages/${listed.messages[0].message_id}`;
      const { auth_headers: signed, raw_message: raw } = (await mine.get(path)).body;
      const bytes = Buffer.from(raw, "base64");
      expect(signed["X-E2A-Auth-Body-Hash"]).toBe(createHash("sha256").update(bytes).digest("hex"));
      const names = [
        "Verified",
        "Sender",
        "Entity-Type",
        "Domain-Check",
        "Delegation",
        "Timestamp",
        "Message-Id",
        "Body-Hash",
      ];
      const canonical = names.map((name) => signed[`X-E2A-Auth-${name}`] ?? "").join("\n");
      const expected = createHmac("sha256", created.secret).update(canonical).digest("hex");
      expect(signed["X-E2A-Auth-Signature"]).toBe(expected);
      expect(Math.abs(Date.parse(signed["X-E2A-Auth-Timestamp"]) - Date.now())).toBeLessThan(60_000);
      const download = await fetch(`${it.server.url}${path}/raw`, { headers: { authorization: `Bearer ${mine.key}` } });
      expect(Buffer.from(await download.arrayBuffer()).equals(bytes)).toBe(true);
      expect(download.headers.get("content-type")).toBe("message/rfc822");
    });

    test("give attachments out as files to save, never as pages", async () => {
      const agent = await it.newAgent();
      await it.server.deliver({ to: agent, message: withAttachment(agent) });
      const [{ message_id: id, has_attachments }] = (await it.inbox(agent)).body.messages;
      expect(has_attachments).toBe(true);
      const path = `/api/v1/agents/${agent}/messages/${id}`;
      const { attachments } = (await it.api.get(path)).body;
      expect(attachments).toMatchObject([{ index: 0, filename: "évil.html", content_type: "text/html", size: 25 }]);
      const { body, headers } = await it.api.get(`${path}/attachments/0`);
      expect(body).toBe("<script>alert(1)</script>");
      expect(headers.get("content-disposition")).toBe(
        "attachment; filename=\"_vil.html\"; filename*=UTF-8''%C3%A9vil.html",
      );
      expect(headers.get("x-content-type-options")).toBe("nosniff");
      expect(headers.get("content-security-policy")).toStartWith("sandbox;");
      for (const index of ["1", "-1", "00", "x", "0.5"])
        expect((await it.api.get(`${path}/attachments/${index}`)).status).toBe(404);
    });

    test("show the event they are about, and the messages attached to them", async () => {
      const agent = await it.newAgent();
      await it.server.deliver({ to: agent, message: invitation(agent) });
      const [{ message_id: id }] = (await it.inbox(agent)).body.messages;
      const path = `/api/v1/agents/${agent}/messages/${id}`;
      const calendar = {
        ...{ method: "REQUEST", uid: "1@sender.example", summary: "Lunch", location: "Bonn", organizer: null },
        ...{ start: "2026-06-15T12:00:00+02:00", end: "2026-06-15T13:00:00+02:00", organizer_name: "" },
        ...{ attendees: 0, recurring: false },
      };
      const { attachments, ...detail } = (await it.api.get(path)).body;
      expect(detail).toMatchObject({ text: "Please come.", calendar, defects: [] });
      expect(attachments.map(({ filename }: { filename: string }) => filename)).toEqual([
        "lunch.ics",
        "attachment-2.eml",
      ]);
      const { events } = (await it.api.get(`/api/v1/events?types=message.received&agent=${agent}`)).body;
      expect(events).toMatchObject([{ data: { message_id: id, calendar } }]);
      expect(await it.api.get(`${path}/attachments/1/message`)).toMatchObject({
        status: 200,
        body: {
          ...{ from: "bob@sender.example", from_name: "Bob", to: ["c@sender.example"], subject: "Menu" },
          ...{ date: "2026-06-01T10:00:00.000Z", email_message_id: "<menu@sender.example>", text: "See the menu." },
          ...{ attachments: [{ index: 0, filename: "menu.csv" }], defects: [] },
        },
      });
      expect((await it.api.get(`${path}/attachments/1.0`)).body).toBe("soup");
      for (const index of ["0", "2", "1.0", "1.1", "01", "x"])
        expect((await it.api.get(`${path}/attachments/${index}/message`)).status).toBe(404);
    });

    test("are waited for", async () => {
      const agent = await it.newAgent();
      const path = `/api/v1/agents/${agent}/messages/wait`;
      const waiting = it.api.get(`${path}?timeout=20`);
      await it.send(agent, "At last");
      expect((await waiting).body.messages).toMatchObject([{ subject: "At last" }]);
      expect((await it.api.get(path)).body.messages).toMatchObject([{ subject: "At last" }]);
      await it.api.get(`/api/v1/agents/${agent}/messages/${(await waiting).body.messages[0].message_id}`);
      expect((await it.api.get(`${path}?timeout=1`)).body.messages).toEqual([]);
    });

    test("are nobody's who waited for another agent of the same address", async () => {
      const [mine, theirs] = [it.api.as(await it.server.newAccount()), it.api.as(await it.server.newAccount())];
      const domain = `d${it.made++}-${process.pid}.example`;
      const agent = `bot@${domain}`;
      const take = async (by: typeof mine) => {
        await by.post("/api/v1/domains", { domain });
        await by.post(`/api/v1/domains/${domain}/verify`);
        return (await by.post("/api/v1/agents", { email: agent, agent_mode: "local" })).status;
      };
      expect(await take(mine)).toBe(201);
      const waiting = mine.get(`/api/v1/agents/${agent}/messages/wait?timeout=30`);
      // When this answer arrives, the request above is waiting.
      await mine.get("/api/v1/agents");
      expect((await mine.delete(`/api/v1/agents/${agent}`)).status).toBe(200);
      await mine.delete(`/api/v1/domains/${domain}`);
      expect(await take(theirs)).toBe(201);
      await it.send(agent, "For the new one");
      expect(await waiting).toMatchObject({ status: 404, body: { code: "not_found" } });
      expect((await theirs.get(`/api/v1/agents/${agent}/messages`)).body.messages).toHaveLength(1);
    });

    test("are kept from a key that was revoked while it waited", async () => {
      const agent = await it.newAgent();
      const { body } = await it.api.post("/api/v1/keys", { name: "revoked", scope: "agent", agent });
      const revoked = it.api.as(body.key);
      const waiting = [`/api/v1/agents/${agent}/messages/wait?timeout=30`, "/api/v1/events?wait=30"].map((path) =>
        revoked.get(path),
      );
      // When these answers arrive, the requests above are waiting, even if several connections serve the database.
      for (let asked = 0; asked < 5; asked++) await revoked.get("/api/v1/agents");
      await it.api.delete(`/api/v1/keys/${body.id}`);
      await it.send(agent, "After that");
      for (const answer of await Promise.all(waiting))
        expect(answer).toMatchObject({ status: 401, body: { code: "unauthenticated" } });
    });

    test("have labels", async () => {
      const agent = await it.newAgent();
      await it.send(agent, "Labelled");
      const [{ message_id: id }] = (await it.inbox(agent)).body.messages;
      const path = `/api/v1/agents/${agent}/messages/${id}`;
      expect((await it.api.patch(path, { add_labels: ["b", "a"] })).body.labels).toEqual(["a", "b"]);
      expect((await it.api.patch(path, { add_labels: ["a", "c"], remove_labels: ["b"] })).body.labels).toEqual([
        "a",
        "c",
      ]);
      expect((await it.api.get(path)).body.labels).toEqual(["a", "c"]);
      const many = (from: number) => Array.from({ length: 49 }, (_, i) => `label ${from + i}`);
      for (const from of [100, 200]) await it.api.patch(path, { add_labels: many(from) });
      expect(await it.api.patch(path, { status: "unread", add_labels: ["d"] })).toMatchObject({
        status: 400,
        body: { code: "invalid_request", errors: [{ field: "add_labels" }] },
      });
      expect((await it.api.get(`${path}?peek=true`)).body).toMatchObject({ status: "read" });
      expect((await it.api.patch(path, { add_labels: ["d"], remove_labels: ["a"] })).body.labels).toHaveLength(100);
    });
  });

  describe("websocket", () => {
    const socketUrl = (agent: string) => `${it.server.url.replace(/^http/, "ws")}/api/v1/agents/${agent}/ws`;

    test("brings what was missed, then what comes, and takes acknowledgements", async () => {
      const agent = await it.newAgent();
      await it.send(agent, "Missed");
      await using socket = await SocketClient.open(socketUrl(agent), it.server.key);
      const missed = await socket.next();
      expect(missed).toMatchObject({ subject: "Missed", from: "alice@sender.example", recipient: agent });
      await it.send(agent, "Live");
      expect(await socket.next()).toMatchObject({ subject: "Live", message_id: expect.stringMatching(/^msg_/) });
      socket.send(JSON.stringify({ ack: missed.message_id }));
      await until("it is read", async () => !(await it.subjects(agent, "")).includes("Missed"));
      expect(await it.subjects(agent, "")).toEqual(["Live"]);
    });

    test("takes the key in the query, and the agent's own key", async () => {
      const agent = await it.newAgent();
      await it.send(agent, "Hello");
      await using socket = await SocketClient.open(`${socketUrl(agent)}?token=${await it.agentKey(agent)}`, null);
      expect(await socket.next()).toMatchObject({ subject: "Hello" });
    });

    test("has one consumer an agent: the newer one wins", async () => {
      const agent = await it.newAgent();
      await using older = await SocketClient.open(socketUrl(agent), it.server.key);
      await using _newer = await SocketClient.open(socketUrl(agent), it.server.key);
      expect(await older.closed).toEqual({ code: 4000, reason: "replaced" });
    });

    test("closes when its key is revoked", async () => {
      const agent = await it.newAgent();
      const { body: key } = await it.api.post("/api/v1/keys", { name: "socket", scope: "agent", agent });
      await using socket = await SocketClient.open(socketUrl(agent), key.key);
      await it.api.delete(`/api/v1/keys/${key.id}`);
      expect((await socket.closed).code).toBe(1008);
    });

    test("survives frames that are not what it expects", async () => {
      const agent = await it.newAgent();
      await using socket = await SocketClient.open(socketUrl(agent), it.server.key);
      for (const frame of ["", "{", "null", '{"ack":5}', '{"ack":"msg_nope"}', new Uint8Array([0, 255])])
        socket.send(frame);
      await it.send(agent, "Still here");
      expect(await socket.next()).toMatchObject({ subject: "Still here" });
      socket.send("x".repeat(64 * 1024));
      expect((await socket.closed).code).toBeGreaterThanOrEqual(1006);
    });

    test("is refused like any request", async () => {
      const agent = await it.newAgent();
      const path = `/api/v1/agents/${agent}/ws`;
      expect((await it.api.as(null).get(path)).status).toBe(401);
      const plain = await it.api.get(path);
      expect(plain.status).toBe(426);
      expect(plain.headers.get("upgrade")).toBe("websocket");
      expect((await it.api.get(`/api/v1/agents/nobody@${it.server.sharedDomain}/ws`)).status).toBe(404);
      expect(await SocketClient.refusal(socketUrl(agent), `e2a_${"0".repeat(64)}`)).toBe(401);
      expect(await SocketClient.refusal(socketUrl(`nobody@${it.server.sharedDomain}`), it.server.key)).toBe(404);
    });
  });
}

function withAttachment(to: string): string {
  return [
    "From: alice@sender.example",
    `To: ${to}`,
    "Subject: With a file",
    "MIME-Version: 1.0",
    'Content-Type: multipart/mixed; boundary="b"',
    "",
    "--b",
    "Content-Type: text/plain",
    "",
    "See the file.",
    "--b",
    "Content-Type: text/html",
    "Content-Disposition: attachment; filename*=utf-8''%C3%A9vil.html",
    "Content-Transfer-Encoding: base64",
    "",
    Buffer.from("<script>alert(1)</script>").toString("base64"),
    "--b--",
    "",
  ].join("\r\n");
}

function invitation(to: string): string {
  return [
    ...["From: alice@sender.example", `To: ${to}`, "Subject: Lunch", "Date: Mon, 1 Jun 2026 10:00:00 +0000"],
    ...['Content-Type: multipart/mixed; boundary="b"', "", "--b", "Content-Type: text/plain", "", "Please come."],
    ...["--b", "Content-Type: text/calendar; method=REQUEST; name=lunch.ics", "", "BEGIN:VCALENDAR", "BEGIN:VEVENT"],
    ...["UID:1@sender.example", "DTSTART;TZID=Europe/Berlin:20260615T120000", "DURATION:PT1H", "SUMMARY:Lunch"],
    ...["LOCATION:Bonn", "END:VEVENT", "END:VCALENDAR", "--b", "Content-Type: message/rfc822", ""],
    ...["From: Bob <bob@sender.example>", "To: c@sender.example", "Subject: Menu", "Message-ID: <menu@sender.example>"],
    ...["Date: Mon, 1 Jun 2026 10:00:00 +0000", "Content-Type: multipart/mixed; boundary=m", "", "--m", ""],
    ...["See the menu.", "--m", "Content-Type: text/csv; name=menu.csv", "", "soup", "--m--", "--b--", ""],
  ].join("\r\n");
}
