import { describe, expect, test } from "bun:test";
import { deliver, SmtpClient } from "../../test/smtp/smtp-client.ts";
import { testListener } from "../../test/smtp/smtp-listener.ts";
import { TestClock } from "../util/clock.ts";
import { MinuteRate } from "./smtp-limits.ts";

const message = "Subject: x\r\n";
const to = "bot@e2a.example";

describe("each limit has its reply", () => {
  test("connections in all", async () => {
    await using server = await testListener({ maxConnections: 2 });
    const open = [await SmtpClient.connect(server.port), await SmtpClient.connect(server.port)];
    for (const client of open) await client.expect("220");
    const third = await SmtpClient.connect(server.port);
    await third.expect("421 4.3.2 Too many connections to this server");
    await third.closed;
    await open[0]!.play("> QUIT\n< 221");
    await open[0]!.closed;
    expect((await deliver(server.port, { to, message })).code).toBe(250);
    open[1]!.destroy();
  });

  test("connections from one address", async () => {
    await using server = await testListener({ maxConnectionsPerIp: 1, proxyTrusted: ["127.0.0.1/32"] });
    const from = (address: string) =>
      SmtpClient.connect(server.port, { first: `PROXY TCP${address.includes(":") ? 6 : 4} ${address} ::1 1 25\r\n` });
    const first = await from("192.0.2.1");
    await first.expect("220");
    await (await from("192.0.2.1")).expect("421 4.7.0 Too many connections from your address (limit 1)");
    await (await from("192.0.2.2")).expect("220");
    await (await from("2001:db8:0:1::1")).expect("220");
    await (await from("2001:db8:0:1:ffff::9")).expect("421 4.7.0");
    await (await from("2001:db8:0:2::1")).expect("220");
  });

  test("messages on one connection", async () => {
    await using server = await testListener({ maxMessagesPerConnection: 2 });
    const client = await SmtpClient.connect(server.port);
    const one = `> MAIL FROM:<>\n< 250\n> RCPT TO:<${to}>\n< 250\n> DATA\n< 354\n> .\n< 250\n`;
    await client.play(`< 220\n> EHLO c.example\n< 250\n${one}${one}> MAIL FROM:<>\n< 421 4.7.0 Too many messages`);
    await client.closed;
    expect((await deliver(server.port, { to, message })).code).toBe(250);
  });

  test("messages of one address in a minute", async () => {
    await using server = await testListener({ maxMessagesPerMinutePerIp: 2 });
    const send = async () => (await deliver(server.port, { to, message })).lines[0]!.slice(0, 9);
    expect([await send(), await send(), await send()]).toEqual(["250 2.0.0", "250 2.0.0", "451 4.7.1"]);
    server.clock.advance(120_000);
    expect(await send()).toBe("250 2.0.0");
  });

  test("messages of one IPv6 network in a minute", async () => {
    await using server = await testListener({ maxMessagesPerMinutePerIp: 1, proxyTrusted: ["127.0.0.1/32"] });
    const send = async (address: string) =>
      (await deliver(server.port, { to, message, proxy: `PROXY TCP6 ${address} ::1 1 25\r\n` })).code;
    expect(await send("2001:db8:0:1::1")).toBe(250);
    expect(await send("2001:db8:0:1:ffff::9")).toBe(451);
    expect(await send("2001:db8:0:2::1")).toBe(250);
  });

  test("recipients of one message; the transaction goes on with those it has", async () => {
    await using server = await testListener({ maxRecipients: 2 });
    const client = await SmtpClient.connect(server.port);
    await client.play(`
      < 220
      > EHLO c.example
      < 250
      > MAIL FROM:<>
      < 250
      > RCPT TO:<bot@a.example>
      < 250 2.1.5
      > RCPT TO:<bot@b.example>
      < 250 2.1.5
      > RCPT TO:<bot@c.example>
      < 452 4.5.3
      > RCPT TO:<bot@a.example>
      < 250 2.1.5
      > DATA
      < 354
      > .
      < 250 2.0.0`);
    client.destroy();
    expect(server.received[0]!.envelope.rcptTo).toEqual(["bot@a.example", "bot@b.example"]);
  });

  test("the same recipient again and again", async () => {
    await using server = await testListener({ maxRecipients: 2 });
    const client = await SmtpClient.connect(server.port);
    const again = `> RCPT TO:<${to}>\n< 250 2.1.5\n`.repeat(4);
    await client.play(`
      < 220
      > EHLO c.example
      < 250
      > MAIL FROM:<>
      < 250
      ${again}
      > MAIL FROM:<>
      < 503
      > RSET
      < 250
      > MAIL FROM:<>
      < 250
      ${again}
      > RCPT TO:<${to}>
      < 421 4.7.0 Too many RCPT commands`);
    await client.closed;
    expect((await deliver(server.port, { to, message })).code).toBe(250);
  });

  test("guessed recipients", async () => {
    await using server = await testListener();
    const client = await SmtpClient.connect(server.port);
    await client.play("< 220\n> EHLO c.example\n< 250\n> MAIL FROM:<>\n< 250");
    const guess = (i: number) => `> RCPT TO:<guess${i}@e2a.example>\n`;
    await client.play(Array.from({ length: 19 }, (_, i) => `${guess(i)}< 550 5.1.1\n`).join(""));
    await client.play(`${guess(20)}< 421 4.7.0 Too many recipients were refused`);
    await client.closed;
  });

  test.each([
    ["parameters without end", `MAIL FROM:<a@b.example> ${"X=1 ".repeat(500)}`, "501"],
    ["unknown parameters", "MAIL FROM:<a@b.example> X=1", "555"],
    ["commands out of order", `RCPT TO:<${to}>`, "503"],
  ])("refused commands: %s", async (_, command, code) => {
    await using server = await testListener();
    const client = await SmtpClient.connect(server.port);
    await client.play("< 220\n> EHLO c.example\n< 250");
    await client.play(`${`> ${command}\n< ${code}\n`.repeat(20)}> ${command}\n< 421 4.7.0 Too many commands`);
    await client.closed;
    expect((await deliver(server.port, { to, message })).code).toBe(250);
  });

  test("a client that pipelines thousands of commands keeps no other waiting", async () => {
    await using server = await testListener();
    const flood = await SmtpClient.connect(server.port);
    const other = await SmtpClient.connect(server.port);
    for (const client of [flood, other]) await client.play("< 220\n> EHLO c.example\n< 250");
    const count = 2_000;
    flood.send("NOOP\r\n".repeat(count));
    let isOver = false;
    const over = (async () => {
      for (let i = 0; i < count; i++) await flood.expect("250");
      isOver = true;
    })();
    let served = 0;
    for (; !isOver; served++) await other.play("> NOOP\n< 250");
    await over;
    // Each answer takes a few turns of the event loop.
    expect(served).toBeGreaterThan(count / 10);
  });

  test("silence", async () => {
    // Longer than the library's greeting pause, so that a second greeting would show.
    await using server = await testListener({ idleTimeoutMs: 250 });
    const client = await SmtpClient.connect(server.port);
    await client.play("< 220\n> EHLO c.example\n< 250\n< 421 4.4.2");
    await client.closed;
  });

  test("silence in the middle of a message", async () => {
    await using server = await testListener({ idleTimeoutMs: 250 });
    const client = await SmtpClient.connect(server.port);
    await client.play(`< 220\n> EHLO c.example\n< 250\n> MAIL FROM:<>\n< 250\n> RCPT TO:<${to}>\n< 250\n> DATA\n< 354`);
    client.send("Subject: half");
    await client.expect("421 4.4.2");
    await client.closed;
    expect(server.received).toEqual([]);
  });

  test("silence does not count while the client waits for us", async () => {
    let store = () => {};
    const stored = new Promise<void>((resolve) => {
      store = resolve;
    });
    await using server = await testListener({
      idleTimeoutMs: 250,
      receive: () => stored.then(() => ({ id: "msg_late" })),
    });
    const reply = deliver(server.port, { to, message });
    const idle = await SmtpClient.connect(server.port);
    await idle.play("< 220\n< 421 4.4.2");
    store();
    expect((await reply).lines).toEqual(["250 2.0.0 Ok: queued as msg_late"]);
  });

  test("a session that never ends", async () => {
    await using server = await testListener({ sessionTimeoutMs: 60_000 });
    const client = await SmtpClient.connect(server.port);
    await client.play("< 220\n> EHLO c.example\n< 250");
    server.clock.advance(59_000);
    await client.play("> NOOP\n< 250");
    server.clock.advance(1_000);
    await client.expect("421 4.4.2 The session has lasted too long");
    await client.closed;
  });

  test("a session that ends in the middle of a message", async () => {
    await using server = await testListener({ sessionTimeoutMs: 60_000 });
    const client = await SmtpClient.connect(server.port);
    await client.play(`< 220\n> EHLO c.example\n< 250\n> MAIL FROM:<>\n< 250\n> RCPT TO:<${to}>\n< 250\n> DATA\n< 354`);
    server.clock.advance(60_000);
    await client.expect("421 4.4.2 The session has lasted too long");
    await client.closed;
    expect(server.received).toEqual([]);
  });

  test("a session that ends while a message is being stored gets its reply first", async () => {
    let server!: Awaited<ReturnType<typeof testListener>>;
    server = await testListener({
      sessionTimeoutMs: 60_000,
      receive: async () => {
        server.clock.advance(60_000);
        return { id: "msg_kept" };
      },
    });
    const client = await SmtpClient.connect(server.port);
    await client.play(`< 220\n> EHLO c.example\n< 250\n> MAIL FROM:<>\n< 250\n> RCPT TO:<${to}>\n< 250\n> DATA\n< 354`);
    await client.play("> .\n< 250 2.0.0 Ok: queued as msg_kept\n< 421 4.4.2");
    await client.closed;
    await server.listener.close(0);
  });
});

describe("the sliding minute", () => {
  const take = (rate: MinuteRate, times: number) =>
    Array.from({ length: times }, () => rate.take("a")).filter(Boolean).length;

  test("takes no more than its limit in any minute, and fades", () => {
    const clock = new TestClock(0);
    const rate = new MinuteRate(10, clock);
    expect(take(rate, 20)).toBe(10);
    clock.advance(59_999);
    expect(take(rate, 20)).toBe(0);
    clock.advance(30_001);
    expect(take(rate, 20)).toBe(5);
    clock.advance(600_000);
    expect(take(rate, 20)).toBe(10);
  });

  test("survives a clock that is set back", () => {
    const clock = new TestClock(1_000_000);
    const rate = new MinuteRate(1, clock);
    expect(take(rate, 2)).toBe(1);
    clock.step(-500_000);
    expect(take(rate, 2)).toBe(0);
    clock.advance(120_000);
    expect(take(rate, 2)).toBe(1);
  });

  test("forgets the oldest of too many addresses", () => {
    const rate = new MinuteRate(1, new TestClock(0));
    for (let i = 0; i < 50_000; i++) rate.take(`10.0.${i >> 8}.${i & 255}`);
    expect(rate.take("10.0.0.0")).toBe(false);
    rate.take("192.0.2.1");
    expect(rate.take("10.0.0.0")).toBe(true);
  });
});
