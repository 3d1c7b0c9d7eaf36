import { describe, expect, test } from "bun:test";
import { SmtpClient } from "../../test/smtp/smtp-client.ts";
import { testHostname, testListener, testTls } from "../../test/smtp/smtp-listener.ts";

const to = "bot@e2a.example";
const upToData = `> MAIL FROM:<a@client.example>\n< 250\n> RCPT TO:<${to}>\n< 250\n> DATA\n< 354`;

describe("STARTTLS", () => {
  test("starts the dialogue again, encrypted", async () => {
    await using server = await testListener();
    const client = await SmtpClient.connect(server.port);
    await client.play("< 220\n> EHLO before.example\n< 250\n> MAIL FROM:<forgotten@client.example>\n< 250");
    const tls = await client.startTls();
    expect(tls).toMatchObject({ version: "TLSv1.3", subject: testHostname });
    await client.play("> MAIL FROM:<a@client.example>\n< 503 5.5.1");
    expect((await client.command("EHLO after.example")).lines.join()).not.toMatch(/STARTTLS|AUTH/);
    await client.play(`> STARTTLS\n< 503 5.5.1\n${upToData}\n> Subject: x\n> .\n< 250 2.0.0\n> QUIT\n< 221`);
    await client.closed;
    expect(server.received[0]!.envelope).toMatchObject({
      mailFrom: "a@client.example",
      helo: "after.example",
      protocol: "ESMTPS",
      tls: { version: "TLSv1.3", cipher: tls.cipher },
    });
  });

  test("with SMTPUTF8 is UTF8SMTPS", async () => {
    await using server = await testListener();
    const client = await SmtpClient.connect(server.port);
    await client.play("< 220\n> EHLO c.example\n< 250");
    await client.startTls({ maxVersion: "TLSv1.2" });
    await client.play(`> EHLO c.example\n< 250\n${upToData.replace(">\n", "> SMTPUTF8\n")}\n> .\n< 250 2.0.0`);
    client.destroy();
    expect(server.received[0]!.envelope).toMatchObject({ protocol: "UTF8SMTPS", tls: { version: "TLSv1.2" } });
  });

  test("drops commands sent in plain text behind it", async () => {
    await using server = await testListener();
    const client = await SmtpClient.connect(server.port);
    await client.play("< 220\n> EHLO c.example\n< 250");
    await client.startTls({}, "EHLO injected.example\r\nMAIL FROM:<injected@client.example>\r\n");
    await client.play(`> RCPT TO:<${to}>\n< 503 5.5.1 Error: send HELO/EHLO first\n> EHLO c.example\n< 250`);
    await client.play(`> RCPT TO:<${to}>\n< 503 5.5.1 Error: need MAIL command`);
    client.destroy();
  });

  test("refuses TLS 1.1", async () => {
    await using server = await testListener();
    const client = await SmtpClient.connect(server.port);
    await client.play("< 220\n> EHLO c.example\n< 250");
    await expect(client.startTls({ minVersion: "TLSv1", maxVersion: "TLSv1.1" })).rejects.toThrow();
    await client.closed;
  });

  test("shows a renewed certificate to new sessions, and keeps the old one when the new pair does not fit", async () => {
    await using server = await testListener();
    const subject = async () => {
      const client = await SmtpClient.connect(server.port);
      await client.play("< 220\n> EHLO c.example\n< 250");
      const tls = await client.startTls();
      client.destroy();
      return tls.subject;
    };
    expect(await subject()).toBe(testHostname);
    const [one, other] = [await testTls("renewed.example"), await testTls("other.example")];
    server.listener.updateTls(one);
    expect(await subject()).toBe("renewed.example");
    expect(() => server.listener.updateTls({ cert: one.cert, key: other.key })).toThrow();
    expect(await subject()).toBe("renewed.example");
  });
});

describe("PROXY", () => {
  const proxyTrusted = ["127.0.0.0/8", "::1/128"];
  const headers: [header: string, client: string][] = [
    ["PROXY TCP4 203.0.113.7 192.0.2.1 55555 25\r\n", "203.0.113.7"],
    ["PROXY TCP6 2001:DB8::7 2001:db8::1 55555 25\r\n", "2001:db8::7"],
    ["PROXY TCP6 ::ffff:203.0.113.8 ::1 55555 25\r\n", "203.0.113.8"],
    ["PROXY TCP6 ::ffff:cb00:7109 ::1 55555 25\r\n", "203.0.113.9"],
    ["PROXY UNKNOWN\r\n", "127.0.0.1"],
  ];
  test.each(headers)("%j from a trusted network names the client", async (proxy, address) => {
    await using server = await testListener({ proxyTrusted });
    const client = await SmtpClient.connect(server.port, { first: proxy });
    await client.play(
      `< 220\n> EHLO c.example\n< 250-mx.e2a.example greets [${address}]\n${upToData}\n> .\n< 250 2.0.0`,
    );
    client.destroy();
    expect(server.received[0]!.envelope.remoteAddress).toBe(address);
  });

  test.each([
    "EHLO c.example\r\n",
    "PROXY TCP4 nonsense 192.0.2.1 1 25\r\n",
    "PROXY TCP4 192.0.2.7\r\n",
    "\r\n\r\n\0\r\nQUIT\n",
  ])("%j from a trusted network is no header and gets no session", async (first) => {
    await using server = await testListener({ proxyTrusted });
    const client = await SmtpClient.connect(server.port, { first });
    await expect(client.expect("220")).rejects.toThrow();
    await client.closed;
  });

  test("from anyone else is a syntax error and changes nothing", async () => {
    await using server = await testListener({ proxyTrusted: ["10.0.0.0/8", "2001:db8::/32"] });
    const client = await SmtpClient.connect(server.port, { first: "PROXY TCP4 203.0.113.7 192.0.2.1 55555 25\r\n" });
    await client.play(`< 220\n< 500 5.5.2\n> EHLO c.example\n< 250\n${upToData}\n> .\n< 250 2.0.0`);
    client.destroy();
    expect(server.received[0]!.envelope.remoteAddress).toBe("127.0.0.1");
  });

  test("a network that is none is refused at the start", async () => {
    await expect(testListener({ proxyTrusted: ["10.0.0.0/99"] })).rejects.toThrow('"10.0.0.0/99" is neither');
  });
});

describe("closing", () => {
  test("dismisses idle clients, takes no new ones, and finishes what is in hand", async () => {
    let store = () => {};
    const stored = new Promise<void>((resolve) => {
      store = resolve;
    });
    let arrived = () => {};
    const storing = new Promise<void>((resolve) => {
      arrived = resolve;
    });
    const subjects: string[] = [];
    await using server = await testListener({
      receive: async (_envelope, _recipients, raw) => {
        const subject = Buffer.concat(raw).toString().trim();
        if (subject === "Subject: storing") {
          arrived();
          await stored;
        }
        subjects.push(subject);
        return { id: "msg_1" };
      },
    });
    const [idle, sending, waiting] = await Promise.all([1, 2, 3].map(() => SmtpClient.connect(server.port)));
    for (const client of [idle!, sending!, waiting!]) await client.play("< 220\n> EHLO c.example\n< 250");
    await sending!.play(upToData);
    sending!.send("Subject: sen");
    await waiting!.play(`${upToData}\n> Subject: storing\n> .`);
    await storing;

    const closed = server.listener.close(10_000);
    await idle!.expect("421 4.3.2");
    await idle!.closed;
    await expect(SmtpClient.connect(server.port)).rejects.toThrow();
    await sending!.play("> ding\n> .\n< 250 2.0.0\n< 421 4.3.2");
    await sending!.closed;
    store();
    await waiting!.play("< 250 2.0.0\n< 421 4.3.2");
    await closed;
    expect(subjects).toEqual(["Subject: sending", "Subject: storing"]);
    expect(server.listener.connections()).toBe(0);
  });

  test("cuts what is not done in time", async () => {
    await using server = await testListener();
    const client = await SmtpClient.connect(server.port);
    await client.play(`< 220\n> EHLO c.example\n< 250\n${upToData}`);
    await server.listener.close(10);
    await client.expect("421 4.3.2");
    await client.closed;
  });

  test("a port that is taken is an error at the start", async () => {
    await using server = await testListener();
    await expect(testListener({ listen: { host: "127.0.0.1", port: server.port } })).rejects.toThrow(/EADDRINUSE/);
  });
});
