import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { deliver } from "../../test/smtp/smtp-client.ts";
import { startTestApp, type TestApp } from "../../test/support/app.ts";
import { outbound, withUpstream } from "../../test/support/upstream-app.ts";
import { createReturnPaths } from "../return-path.ts";
import { deriveKey, loadOrCreateKeyFile } from "../vault.ts";

describe("a bounce", () => {
  const dsn = (returnPath: string, ...entries: [action: string, status: string, diagnostic: string][]) =>
    [
      "From: Mail Delivery System <MAILER-DAEMON@mx.outside.example>",
      `To: ${returnPath}`,
      "Subject: Undelivered Mail Returned to Sender",
      "Auto-Submitted: auto-replied",
      "MIME-Version: 1.0",
      'Content-Type: multipart/report; report-type=delivery-status; boundary="b"',
      "",
      "--b",
      "",
      "I'm sorry to have to inform you that your message could not be delivered.",
      "--b",
      "Content-Type: message/delivery-status",
      "",
      "Reporting-MTA: dns; mx.outside.example",
      "",
      ...entries.flatMap(([action, status, diagnostic]) => [
        "Final-Recipient: rfc822; alice@outside.example",
        ...[`Action: ${action}`, `Status: ${status}`, `Diagnostic-Code: smtp; ${diagnostic}`, ""],
      ]),
      "--b--",
      "",
    ].join("\r\n");

  test("comes back to the signed return path, becomes a status, and is no mail", async () => {
    await using world = await withUpstream();
    const { it, smtp } = world;
    const { body } = await world.send(["alice@outside.example", "bob@outside.example"]);
    const returnPath = smtp.messages.find((message) => message.to[0] === "alice@outside.example")?.from ?? "";
    expect(returnPath).toMatch(/^bounce\+.*@e2a\.localhost$/);
    // Bounces of mail sent before an upgrade arrive after it, so the key's purpose is part of the format.
    const key = deriveKey(await loadOrCreateKeyFile(join(it.dataDir, "encryption.key")), "return path");
    const sent = { messageId: body.message_id, recipient: expect.any(Number) };
    expect(createReturnPaths(key, "e2a.localhost").read(returnPath)).toEqual(sent);
    const message = dsn(returnPath, ["failed", "5.1.1", "550 5.1.1 User unknown"]);
    await deliver(it.app.smtp.port, { from: "", to: returnPath, message });
    expect(await outbound(it, body.message_id)).toMatchObject({
      status: "sent",
      recipients: [
        { address: "alice@outside.example", status: "bounced", smtp_reply: expect.stringContaining("User unknown") },
        { address: "bob@outside.example", status: "sent" },
      ],
    });
    const again = await world.send("alice@outside.example");
    expect(again).toMatchObject({ status: 422, body: { code: "recipient_suppressed" } });
    const inbox = await it.api("GET", "/api/v1/agents/bot@e2a.localhost/messages?status=all");
    expect(inbox.body.messages).toEqual([]);
    const suppressed = await it.app.store.listSuppressions(it.userId, { limit: 10 });
    expect(suppressed).toMatchObject([{ address: "alice@outside.example", reason: "bounce" }]);
  });

  test("is not what else comes to the return path: the agent reads that in its conversation", async () => {
    await using world = await withUpstream();
    const { it, smtp } = world;
    const { body } = await world.send("alice@outside.example");
    const returnPath = smtp.messages[0]?.from ?? "";
    const answer = (from: string, subject: string, ...fields: string[]) =>
      deliver(it.app.smtp.port, {
        ...{ from, to: returnPath },
        message: ["From: alice@outside.example", `Subject: ${subject}`, ...fields, "", "I am away until Monday."].join(
          "\r\n",
        ),
      });
    const inbox = async () =>
      (await it.api("GET", "/api/v1/agents/bot@e2a.localhost/messages?status=all")).body.messages;
    await answer("", "Away", "Auto-Submitted: auto-replied");
    await answer("alice@outside.example", "Re: Question");
    expect(await inbox()).toMatchObject([
      {
        ...{ subject: "Away", auto_submitted: "auto-replied", conversation_id: body.conversation_id },
        recipient: "bot@e2a.localhost",
      },
      { subject: "Re: Question", auto_submitted: null, conversation_id: body.conversation_id },
    ]);
    const [{ message_id }] = await inbox();
    const { raw_message } = (await it.api("GET", `/api/v1/agents/bot@e2a.localhost/messages/${message_id}`)).body;
    expect(Buffer.from(raw_message, "base64").toString()).toMatch(/^Received: from [^;]*\sid\s+msg_\w+;/m);
    expect(await outbound(it, body.message_id)).toMatchObject({ status: "sent" });
    await it.api("DELETE", "/api/v1/agents/bot@e2a.localhost");
    await answer("", "Still away");
    expect(await inbox()).toBeUndefined();
  });

  test("keeps its signature secret, whoever reads the answer", async () => {
    await using world = await withUpstream();
    const { it, smtp } = world;
    await world.send("alice@outside.example");
    const returnPath = smtp.messages[0]?.from ?? "";
    const signature = /([a-z2-7]{20})@/.exec(returnPath)?.[1] ?? "none";
    const text = `Your mail to me came from ${returnPath.toUpperCase()}.`;
    const message = [
      ...[
        `From: =?utf-8?b?${btoa(returnPath)}?= <alice@outside.example>`,
        `To: Bot <${returnPath}>`,
        `Reply-To: ${returnPath.replace(/[^.]{20}@.*/, `${"x".repeat(20)}@outside.example`)}`,
        "Subject: Abwesenheitsnotiz",
        `X-To: ${returnPath}`,
        "Content-Type: multipart/mixed; boundary=b",
        "",
      ],
      ...["--b", "Content-Transfer-Encoding: base64", "", Buffer.from(text).toString("base64")],
      ...[
        "--b",
        "Content-Type: image/png",
        `Content-Disposition: attachment; filename*=utf-8''${encodeURIComponent(returnPath)}`,
      ],
      ...["", "png", "--b", "Content-Type: text/calendar", "Content-Transfer-Encoding: base64", ""],
      ...[
        btoa(`BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nSUMMARY:${returnPath}\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n`),
        "--b--",
        "",
      ],
    ].join("\r\n");
    await deliver(it.app.smtp.port, { from: "alice@outside.example", to: returnPath, message });
    const path = "/api/v1/agents/bot@e2a.localhost/messages";
    const list = (await it.api("GET", path)).body;
    expect(list.messages).toMatchObject([{ to: ["bot@e2a.localhost"], auto_submitted: "auto-replied" }]);
    const detail = (await it.api("GET", `${path}/${list.messages[0].message_id}`)).body;
    expect(detail.text).toMatch(/^Your mail to me came from BOUNCE\+.*x{20}@/);
    const raw = Buffer.from(detail.raw_message, "base64").toString();
    expect(detail.calendar.summary).toContain(".x");
    expect(detail.attachments[0].filename).toContain(".x");
    // It only looks like a return path of this server.
    expect(detail.reply_to).toEqual([expect.stringMatching(/^bounce\+.*@outside\.example$/)]);
    for (const shown of [JSON.stringify(list), JSON.stringify({ ...detail, raw_message: "" }), raw])
      expect(shown.toLowerCase()).not.toContain(signature);
    const hash = new Bun.CryptoHasher("sha256").update(raw).digest("hex");
    expect(detail.auth_headers["X-E2A-Auth-Body-Hash"]).toBe(hash);
  });

  test("goes to the postmaster if nobody else can use it", async () => {
    await using world = await withUpstream();
    const { it, smtp } = world;
    await world.send("alice@outside.example");
    const returnPath = smtp.messages[0]?.from ?? "";
    const odd = dsn(returnPath, ["failed", "5.1.1", "User unknown"])
      .replace(/^(?:Final-Recipient|Action|Subject|I'm sorry).*\r\n/gim, "")
      .replace(/unknown/, "odd");
    await deliver(it.app.smtp.port, { from: "", to: returnPath, message: odd });
    await it.api("DELETE", "/api/v1/agents/bot@e2a.localhost");
    const message = "From: alice@outside.example\r\nSubject: Hm\r\n\r\nWho wrote to me?\r\n";
    await deliver(it.app.smtp.port, { from: "alice@outside.example", to: returnPath, message });
    const read = (await it.api("GET", "/api/v1/agents/postmaster@e2a.localhost/messages?status=all")).body;
    expect(read.messages).toHaveLength(2);
    expect(read.messages[1]).toMatchObject({ subject: "Hm", recipient: "postmaster@e2a.localhost" });
  });

  test.each([
    ["delivered", "delivered"],
    ["relayed", "delivered"],
    ["expanded", "delivered"],
    ["delayed", "deferred"],
    ["failed", "bounced"],
  ])("that says %s makes the recipient %s", async (action, status) => {
    await using world = await withUpstream();
    const { it, smtp } = world;
    const { body } = await world.send("alice@outside.example");
    const returnPath = smtp.messages[0]?.from ?? "";
    const message = dsn(returnPath, [action, "2.0.0", "what its host said"]);
    await deliver(it.app.smtp.port, { from: "", to: returnPath, message });
    expect((await outbound(it, body.message_id)).recipients).toMatchObject([
      { status, smtp_reply: "what its host said" },
    ]);
  });

  test.each([
    ["German", "Unzustellbar: Bestellung", "Ihre Nachricht konnte nicht zugestellt werden."],
    ["French", "Non remis : commande", "Votre message n’a pas pu être remis."],
    ["Spanish", "No se puede entregar: pedido", "Su mensaje no se pudo entregar."],
    ["Chinese", "系统退信", "抱歉，您的邮件被退回来了。"],
  ])("in %s prose is one too", async (_language, subject, sentence) => {
    await using world = await withUpstream();
    const { it, smtp } = world;
    const { body } = await world.send("alice@outside.example");
    const returnPath = smtp.messages[0]?.from ?? "";
    const message = [
      "From: postmaster@outside.example",
      `To: ${returnPath}`,
      `Subject: =?utf-8?B?${Buffer.from(subject).toString("base64")}?=`,
      "Content-Type: text/plain; charset=utf-8",
      "Content-Transfer-Encoding: base64",
      "",
      Buffer.from(`${sentence}\n\nalice@outside.example\n550 5.1.1 User unknown\n`).toString("base64"),
      "",
    ].join("\r\n");
    await deliver(it.app.smtp.port, { from: "", to: returnPath, message });
    expect((await outbound(it, body.message_id)).recipients).toMatchObject([
      { status: "bounced", smtp_reply: expect.stringContaining("550 5.1.1 User unknown") },
    ]);
    expect((await world.send("alice@outside.example")).status).toBe(422);
  });

  test("of an alias reports its worst status", async () => {
    await using world = await withUpstream();
    const { it, smtp } = world;
    const { body } = await world.send("alice@outside.example");
    const [delivered, delayed, failed] = [
      ["delivered", "2.0.0", "250 2.0.0 Ok"],
      ["delayed", "4.4.1", "451 4.4.1 No answer from host"],
      ["failed", "5.2.2", "552 5.2.2 Mailbox full"],
    ] as const;
    for (const [entries, status] of [
      [[delivered, delayed], "deferred"],
      [[delayed, failed, delivered], "bounced"],
    ] as const) {
      const returnPath = smtp.messages[0]?.from ?? "";
      const message = dsn(returnPath, ...entries.map((entry): [string, string, string] => [...entry]));
      await deliver(it.app.smtp.port, { from: "", to: returnPath, message });
      const recipients = [{ address: "alice@outside.example", status }];
      expect(await outbound(it, body.message_id)).toMatchObject({ recipients });
    }
  });

  test("without a diagnostic shows its action and status", async () => {
    await using world = await withUpstream();
    const { it, smtp } = world;
    const { body } = await world.send("alice@outside.example");
    const returnPath = smtp.messages[0]?.from ?? "";
    const message = dsn(returnPath, ["failed", "5.4.7", ""], ["delayed", "4.4.7", ""]);
    await deliver(it.app.smtp.port, { from: "", to: returnPath, message });
    expect((await outbound(it, body.message_id)).recipients).toMatchObject([
      { status: "bounced", smtp_reply: "failed 5.4.7" },
    ]);
  });

  test("that is faster than the upstream's own answer is asked to come again", async () => {
    let returnPath = "";
    const bounce = async () => {
      const message = dsn(returnPath, ["failed", "5.1.1", "550 5.1.1 User unknown"]);
      return (await deliver(world.it.app.smtp.port, { from: "", to: returnPath, message })).code;
    };
    const early: number[] = [];
    await using world = await withUpstream(
      {
        async on(stage, argument) {
          if (stage === "mail") returnPath = argument;
          if (stage === "message") early.push(await bounce());
          return undefined;
        },
      },
      { set: { "outbound_smtp.timeout": "30s" } },
    );
    const { body } = await world.send("alice@outside.example");
    expect(early).toEqual([451]);
    expect(await outbound(world.it, body.message_id)).toMatchObject({ recipients: [{ status: "sent" }] });
    expect(await bounce()).toBe(250);
    expect(await outbound(world.it, body.message_id)).toMatchObject({ recipients: [{ status: "bounced" }] });
  });

  test("that is forged changes nothing", async () => {
    await using world = await withUpstream();
    const { it, smtp } = world;
    const { body } = await world.send("alice@outside.example");
    const genuine = smtp.messages[0]?.from ?? "";
    const forged = genuine.replace(/\.[a-z2-7]{20}@/, ".aaaaaaaaaaaaaaaaaaaa@");
    const message = dsn(forged, ["failed", "5.1.1", "550 5.1.1 User unknown"]);
    expect((await deliver(it.app.smtp.port, { from: "", to: forged, message })).code).toBe(550);
    await deliver(it.app.smtp.port, { from: "", to: "bot@e2a.localhost", message });
    expect(await outbound(it, body.message_id)).toMatchObject({ status: "sent" });
    // The postmaster gets the report, the agent does not.
    const inboxOf = async (name: string) =>
      (await it.api("GET", `/api/v1/agents/${name}@e2a.localhost/messages?status=all`)).body.messages.length;
    expect([await inboxOf("bot"), await inboxOf("postmaster")]).toEqual([0, 1]);
  });
});

describe("reports of other mail systems are no mail for an agent:", () => {
  const fixture = async (name: string) => {
    const file = Bun.file(new URL(`../message/report/fixtures/${name}.eml`, import.meta.url));
    return (await file.text()).replace(/\r?\n/g, "\r\n");
  };
  const inboxOf = async (it: TestApp, name: string) =>
    (await it.api("GET", `/api/v1/agents/${name}@e2a.localhost/messages?status=all`)).body.messages.length;

  test("a complaint names the message by the return path inside, and suppresses who complained", async () => {
    await using world = await withUpstream();
    const { it, smtp } = world;
    const { body } = await world.send("alice@outside.example");
    const complaint = (await fixture("complaint-yahoo")).replace(
      /^Original-Mail-From:.*$/im,
      `Original-Mail-From: <${smtp.messages[0]?.from}>`,
    );
    expect(complaint).toContain(smtp.messages[0]?.from ?? "?");
    await deliver(it.app.smtp.port, { from: "feedback@outside.example", to: "bot@e2a.localhost", message: complaint });
    expect(await it.app.store.listSuppressions(it.userId, { limit: 10 })).toMatchObject([
      { address: "alice@outside.example", reason: "complaint", messageId: body.message_id },
    ]);
    expect(await outbound(it, body.message_id)).toMatchObject({ status: "sent" });
    expect([await inboxOf(it, "bot"), await inboxOf(it, "postmaster")]).toEqual([0, 1]);
  });

  test.each(["dmarc-aggregate-zip", "dmarc-failure", "tls"])("%s goes to the postmaster", async (name) => {
    await using it = await startTestApp();
    await it.api("POST", "/api/v1/agents", { slug: "bot", agent_mode: "local" });
    const message = await fixture(name);
    await deliver(it.app.smtp.port, { from: "reports@outside.example", to: "bot@e2a.localhost", message });
    expect([await inboxOf(it, "bot"), await inboxOf(it, "postmaster")]).toEqual([0, 1]);
  });

  test("but a read receipt is, because a person's program answers the agent with it", async () => {
    await using it = await startTestApp();
    await it.api("POST", "/api/v1/agents", { slug: "bot", agent_mode: "local" });
    const message = await fixture("read-receipt");
    await deliver(it.app.smtp.port, { from: "ann@shop.example", to: "bot@e2a.localhost", message });
    expect(await inboxOf(it, "bot")).toBe(1);
  });
});
