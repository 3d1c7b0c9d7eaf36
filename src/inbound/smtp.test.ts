import { describe, expect, test } from "bun:test";
import { deliver, SmtpClient } from "../../test/smtp/smtp-client.ts";
import { testListener } from "../../test/smtp/smtp-listener.ts";
import { Failure } from "../util/errors.ts";
import { createLog } from "../util/log.ts";

/** Plays one transcript against a fresh listener and returns what was received. */
async function played(script: string, options: Parameters<typeof testListener>[0] = {}) {
  await using server = await testListener(options);
  const client = await SmtpClient.connect(server.port);
  await client.play(script);
  client.destroy();
  return server.received;
}

const greeted = "< 220 mx.e2a.example ESMTP\n> EHLO client.example\n< 250\n";
const mailed = `${greeted}> MAIL FROM:<a@client.example>\n< 250 2.1.0\n`;

describe("the dialogue", () => {
  test("EHLO names the extensions, and AUTH is not among them", async () => {
    await using server = await testListener();
    const client = await SmtpClient.connect(server.port);
    await client.expect("220 mx.e2a.example ESMTP");
    expect((await client.command("EHLO client.example")).lines).toEqual([
      "250-mx.e2a.example greets [127.0.0.1]",
      "250-PIPELINING",
      "250-8BITMIME",
      "250-SMTPUTF8",
      "250-ENHANCEDSTATUSCODES",
      "250-STARTTLS",
      "250 SIZE 1048576",
    ]);
    client.destroy();
  });

  const transcripts: [what: string, script: string][] = [
    ["HELO", "< 220\n> HELO client.example\n< 250 mx.e2a.example greets [127.0.0.1]"],
    ["EHLO without a name", "< 220\n> EHLO\n< 501"],
    ...["my printer", "my_host.example", "[192.0.2.1", "192.0.2.1", "jürgen", "a:b (c) 'd'"].map(
      (name): [string, string] => [
        `EHLO ${name}`,
        `< 220\n> EHLO ${name}\n< 250\n> MAIL FROM:<a@client.example>\n< 250 2.1.0`,
      ],
    ),
    ["HELO with a blank in it", `< 220\n> HELO my printer\n< 250\n> MAIL FROM:<a@client.example>\n< 250 2.1.0`],
    ["a sender whose domain has an underscore", `${greeted}> MAIL FROM:<a@my_host._x.example>\n< 250 2.1.0`],
    ["a sender with a quoted local part", `${greeted}> MAIL FROM:<"a b@\\"c"@client.example> SIZE=9\n< 250 2.1.0`],
    ["a quoted local part without need", `${mailed}> RCPT TO:<"bot"@e2a.example>\n< 250 2.1.5`],
    ["a quoted local part with a backslash", `${mailed}> RCPT TO:<"b\\ot"@e2a.example>\n< 250 2.1.5`],
    ["a quoted mailbox that is not here", `${mailed}> RCPT TO:<"a b"@e2a.example>\n< 550 5.1.1 <"a b"@e2a.example>`],
    ["a source route", `${mailed}> RCPT TO:<@a.example,@b.example:bot@e2a.example>\n< 250 2.1.5`],
    ["a mail command before EHLO", "< 220\n> MAIL FROM:<a@client.example>\n< 503 5.5.1"],
    [
      "HELP, VRFY, NOOP, RSET, QUIT",
      `${greeted}> HELP\n< 214 2.0.0\n> VRFY bot@e2a.example\n< 252 2.1.5\n> NOOP\n< 250 2.0.0\n> RSET\n< 250 2.0.0\n> QUIT\n< 221 2.0.0`,
    ],
    ["AUTH", `${greeted}> AUTH PLAIN AGEAYg==\n< 502 5.5.1\n> AUTH LOGIN\n< 502 5.5.1`],
    [
      "commands of other servers",
      `${greeted}> EXPN staff\n< 502 5.5.1\n> XCLIENT ADDR=192.0.2.1\n< 502 5.5.1\n> BDAT 3 LAST\n< 502 5.5.1`,
    ],
    ["an unknown command", `${greeted}> FROBNICATE\n< 500 5.5.2\n> SPAM_REJECTED\n< 500 5.5.2\n> WIZ\n< 500 5.5.2`],
    ["an HTTP request", "< 220\n> POST / HTTP/1.1\n< 421 4.7.0"],
    ["RCPT before MAIL", `${greeted}> RCPT TO:<bot@e2a.example>\n< 503 5.5.1`],
    ["DATA before RCPT", `${mailed}> DATA\n< 503 5.5.1`],
    ["a second MAIL", `${mailed}> MAIL FROM:<b@client.example>\n< 503 5.5.1`],
    [
      "a second EHLO forgets the transaction",
      `${mailed}> EHLO client.example\n< 250\n> RCPT TO:<bot@e2a.example>\n< 503 5.5.1`,
    ],
    [
      "an unknown mailbox",
      `${mailed}> RCPT TO:<nobody@e2a.example>\n< 550 5.1.1 <nobody@e2a.example>: no such mailbox here`,
    ],
    [
      "a declared size that is too large",
      `${greeted}> MAIL FROM:<a@client.example> SIZE=1048577\n< 552 5.3.4\n> MAIL FROM:<a@client.example> SIZE=1048576\n< 250 2.1.0`,
    ],
    ["a size that is no number", `${greeted}> MAIL FROM:<a@client.example> SIZE=big\n< 501 5.5.4`],
    ["8BITMIME", `${greeted}> MAIL FROM:<a@client.example> BODY=8BITMIME\n< 250 2.1.0`],
    ["BINARYMIME", `${greeted}> MAIL FROM:<a@client.example> BODY=BINARYMIME\n< 501 5.5.4`],
    [
      "parameters nobody offered",
      `${greeted}> MAIL FROM:<a@client.example> RET=HDRS\n< 555 5.5.4\n> MAIL FROM:<a@client.example>\n< 250\n> RCPT TO:<bot@e2a.example> NOTIFY=NEVER\n< 555 5.5.4`,
    ],
    [
      "non-ASCII without SMTPUTF8",
      `${greeted}> MAIL FROM:<jürgen@client.example>\n< 553 5.6.7\n> MAIL FROM:<a@client.example>\n< 250\n> RCPT TO:<böt@e2a.example>\n< 553 5.6.7`,
    ],
    [
      "a reply in UTF-8 with SMTPUTF8",
      `${greeted}> MAIL FROM:<jürgen@client.example> SMTPUTF8\n< 250 2.1.0\n> RCPT TO:<böse@e2a.example>\n< 550 5.1.1 <böse@e2a.example>`,
    ],
  ];
  test.each(transcripts)("%s", async (_what, script) => {
    expect(await played(script)).toEqual([]);
  });

  const malformed = [
    "a@client.example",
    "<a@client.example",
    "<a>",
    "<@client.example>",
    '<"a"b@client.example>',
    '<"a@client.example>',
    '<a"b"@client.example>',
    '<"a\\"@client.example>',
    '<"a"."b"@client.example>',
    '<"a"@>',
    "<a..b@client.example>",
    "<a@>",
    "<a@b@client.example>",
    "<a b@client.example>",
    "<a@cli ent.example>",
    "<a@-.example.>",
    "<a@[300.1.1.1]>",
    `<${"a".repeat(300)}@client.example>`,
    "<a\u0007@client.example>",
    "",
  ];
  test.each(malformed)("MAIL FROM:%s and RCPT TO of the same are syntax errors", async (path) => {
    await played(
      `${greeted}> MAIL FROM:${path}\n< 501 5.1.7\n> MAIL FROM:<>\n< 250 2.1.0\n> RCPT TO:${path}\n< 501 5.1.3`,
    );
  });

  test("bytes that are not UTF-8 are refused even with SMTPUTF8", async () => {
    await using server = await testListener();
    const client = await SmtpClient.connect(server.port);
    await client.play(greeted);
    client.send(Buffer.from("MAIL FROM:<\xe4@client.example> SMTPUTF8\r\n", "latin1"));
    await client.expect("553 5.6.7");
    client.destroy();
  });

  test("a client that sends ten unknown commands is sent away", async () => {
    await using server = await testListener();
    const client = await SmtpClient.connect(server.port);
    await client.play(`${greeted}${"> NONSENSE\n< 500 5.5.2\n".repeat(9)}> NONSENSE\n< 421 4.7.0`);
    await client.closed;
  });

  test("an endless command line is cut off", async () => {
    await using server = await testListener();
    const client = await SmtpClient.connect(server.port);
    await client.expect("220");
    client.send("A".repeat(64 * 1024));
    await client.expect("421 4.7.0");
    await client.closed;
  });
});

describe("a message", () => {
  test("arrives with its envelope and its exact bytes", async () => {
    const [mail, ...others] = await played(`${greeted}
      > MAIL FROM:<Alice@Client.example> SIZE=99 BODY=8BITMIME
      > RCPT TO:<bot+news@e2a.example>
      > RCPT TO:<bot@e2a.example>
      > DATA
      < 250 2.1.0
      < 250 2.1.5
      < 250 2.1.5
      < 354
      > Subject: hi
      >
      > ..a dot, ünicode
      > .
      < 250 2.0.0 Ok: queued as msg_1`);
    expect(others).toEqual([]);
    expect(mail!.envelope).toEqual({
      mailFrom: "Alice@Client.example",
      rcptTo: ["bot+news@e2a.example", "bot@e2a.example"],
      remoteAddress: "127.0.0.1",
      helo: "client.example",
      protocol: "ESMTP",
      receivedAt: new Date("2026-05-15T12:00:00Z"),
    });
    expect(mail!.recipients).toEqual([
      { address: "bot+news@e2a.example", mailbox: "bot@e2a.example" },
      { address: "bot@e2a.example", mailbox: "bot@e2a.example" },
    ]);
    expect(Buffer.from(mail!.raw).toString()).toBe("Subject: hi\r\n\r\n.a dot, ünicode\r\n");
  });

  const envelopes: [what: string, script: string, mailFrom: string, rcptTo: string[], protocol: string][] = [
    [
      "HELO",
      "< 220\n> HELO old.example\n< 250\n> MAIL FROM:<a@client.example>\n< 250\n> RCPT TO:<bot@e2a.example>\n< 250",
      "a@client.example",
      ["bot@e2a.example"],
      "SMTP",
    ],
    [
      "a null reverse-path",
      `${greeted}> MAIL FROM:<>\n< 250\n> RCPT TO:<bot@e2a.example>\n< 250`,
      "",
      ["bot@e2a.example"],
      "ESMTP",
    ],
    [
      "postmaster without a domain",
      `${mailed}> RCPT TO:<PostMaster>\n< 250`,
      "a@client.example",
      ["postmaster"],
      "ESMTP",
    ],
    [
      "a source route",
      `${mailed}> RCPT TO:<@relay.example:bot@e2a.example>\n< 250`,
      "a@client.example",
      ["bot@e2a.example"],
      "ESMTP",
    ],
    [
      "a recipient given twice",
      `${mailed}> RCPT TO:<bot@e2a.example>\n< 250\n> RCPT TO:<bot@e2a.example>\n< 250`,
      "a@client.example",
      ["bot@e2a.example"],
      "ESMTP",
    ],
    [
      "one good recipient of two",
      `${mailed}> RCPT TO:<no@e2a.example>\n< 550\n> RCPT TO:<bot@e2a.example>\n< 250`,
      "a@client.example",
      ["bot@e2a.example"],
      "ESMTP",
    ],
    [
      "an address literal",
      `${greeted}> MAIL FROM:<a@[192.0.2.1]>\n< 250\n> RCPT TO:<bot@e2a.example>\n< 250`,
      "a@[192.0.2.1]",
      ["bot@e2a.example"],
      "ESMTP",
    ],
    [
      "SMTPUTF8",
      `${greeted}> MAIL FROM:<jürgen@bücher.example> SMTPUTF8\n< 250\n> RCPT TO:<bot+ü@e2a.example>\n< 250`,
      "jürgen@xn--bcher-kva.example",
      ["bot+ü@e2a.example"],
      "UTF8SMTP",
    ],
    [
      "an A-label domain",
      `${greeted}> MAIL FROM:<a@xn--bcher-kva.example>\n< 250\n> RCPT TO:<bot@e2a.example>\n< 250`,
      "a@xn--bcher-kva.example",
      ["bot@e2a.example"],
      "ESMTP",
    ],
  ];
  test.each(envelopes)("with %s", async (_what, script, mailFrom, rcptTo, protocol) => {
    const [mail] = await played(`${script}\n> DATA\n< 354\n> Subject: x\n> .\n< 250 2.0.0`);
    expect(mail!.envelope).toMatchObject({ mailFrom, rcptTo, protocol });
  });

  test("after another one in a single packet", async () => {
    await using server = await testListener();
    const client = await SmtpClient.connect(server.port);
    await client.play(greeted);
    const one = (subject: string) =>
      `MAIL FROM:<a@client.example>\r\nRCPT TO:<bot@e2a.example>\r\nDATA\r\nSubject: ${subject}\r\n.\r\n`;
    client.send(`${one("first")}${one("second")}QUIT\r\n`);
    await client.play("< 250\n< 250\n< 354\n< 250 2.0.0\n< 250\n< 250\n< 354\n< 250 2.0.0\n< 221");
    await client.closed;
    expect(server.received.map(({ raw }) => Buffer.from(raw).toString())).toEqual([
      "Subject: first\r\n",
      "Subject: second\r\n",
    ]);
  });

  test("of nothing is empty", async () => {
    const [mail] = await played(`${mailed}> RCPT TO:<bot@e2a.example>\n< 250\n> DATA\n< 354\n> .\n< 250 2.0.0`);
    expect(mail!.raw.length).toBe(0);
  });

  test("cut off before its end is not stored", async () => {
    await using server = await testListener();
    const client = await SmtpClient.connect(server.port);
    await client.play(`${mailed}> RCPT TO:<bot@e2a.example>\n< 250\n> DATA\n< 354\n> Subject: half`);
    client.destroy();
    await deliver(server.port, { to: "bot@e2a.example", message: "Subject: whole\r\n" });
    expect(server.received.map(({ raw }) => Buffer.from(raw).toString())).toEqual(["Subject: whole\r\n"]);
  });

  test("from each of 300 connections at once", async () => {
    await using server = await testListener();
    const replies = await Promise.all(
      Array.from({ length: 300 }, (_, i) =>
        deliver(server.port, { to: "bot@e2a.example", message: `Subject: ${i}\r\n` }),
      ),
    );
    expect(replies.every(({ code }) => code === 250)).toBe(true);
    expect(new Set(server.received.map(({ raw }) => Buffer.from(raw).toString())).size).toBe(300);
  });
});

describe("what is thrown becomes the reply", () => {
  const thrown: [what: string, error: unknown, reply: string][] = [
    ["a permanent failure", new Failure("message_refused", "No thanks."), "550 5.7.1 No thanks."],
    ["a loop", new Failure("mail_loop", "Seen before."), "554 5.4.6 Seen before."],
    ["a rate limit", new Failure("rate_limited", "Slower."), "451 4.7.1 Slower."],
    [
      "a failure without an SMTP reply of its own",
      new Failure("unavailable", "The disk is full."),
      "451 4.3.0 The disk is full.",
    ],
    [
      "a surprise",
      new Error("SQLITE_IOERR at /secret/path"),
      "451 4.3.0 The server ran into an unexpected error; try again later",
    ],
    ["a message of two lines", new Failure("message_refused", "One\r\n250 two"), "550 5.7.1 One 250 two"],
    ["a message that is too long", new Failure("message_refused", "x".repeat(2000)), `550 5.7.1 ${"x".repeat(494)}`],
  ];
  test.each(thrown)("at DATA: %s", async (_what, error, reply) => {
    await using server = await testListener({ receive: () => Promise.reject(error) });
    expect((await deliver(server.port, { to: "bot@e2a.example", message: "Subject: x\r\n" })).lines).toEqual([reply]);
  });
  const thrownAtRcpt: typeof thrown = [
    ...thrown.slice(0, 1),
    ["a foreign domain", new Failure("relay_denied", "We relay for nobody."), "550 5.7.1 We relay for nobody."],
    ...thrown.slice(4, 5),
  ];
  test.each(thrownAtRcpt)("at RCPT: %s", async (_what, error, reply) => {
    await using server = await testListener({ resolveRecipient: () => Promise.reject(error) });
    expect((await deliver(server.port, { to: "bot@e2a.example", message: "Subject: x\r\n" })).lines).toEqual([reply]);
  });

  test("the cause is in the log and not in the reply", async () => {
    const lines: string[] = [];
    const log = createLog({ level: "info", format: "json", stream: { write: (line) => lines.push(line) } });
    await using server = await testListener({ log, receive: () => Promise.reject(new Error("disk on fire")) });
    await deliver(server.port, { to: "bot@e2a.example", message: "Subject: x\r\n" });
    expect(
      lines.filter((line) => line.includes('"event":"smtp.failed"') && line.includes("disk on fire")),
    ).toHaveLength(1);
  });
});
