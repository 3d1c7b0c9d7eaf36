import { describe, expect, test } from "bun:test";
import { SmtpClient } from "../../test/smtp/smtp-client.ts";
import { type TestListener, testListener } from "../../test/smtp/smtp-listener.ts";
import { until } from "../../test/support/until.ts";
import { TestClock } from "../util/clock.ts";
import { ByteBudget, IntakeScheduler, MessageBuffer } from "./message-buffer.ts";

const clock = new TestClock();
const plenty = new ByteBudget(1e9, clock);

const ready = `
  < 220
  > EHLO client.example
  < 250
  > MAIL FROM:<a@client.example>
  < 250
  > RCPT TO:<bot@e2a.example>
  < 250
  > DATA
  < 354`;

describe("line endings", () => {
  const cases: [text: string, fits: boolean][] = [
    ["", true],
    ["no line ending at all", true],
    ["a\r\n", true],
    ["a\r\n\r\nb\r\n", true],
    ["\r\n\r\n", true],
    ["a\nb\r\n", false],
    ["\na\r\n", false],
    ["a\rb\r\n", false],
    ["a\r\r\n", false],
    ["a\r\n\n", false],
    ["a\r\n\r", false],
    ["a\n", false],
    ["a\r", false],
    ["\n\r", false],
  ];
  test.each(cases)("%j, cut into pieces at every place", (text, fits) => {
    const bytes = Buffer.from(text);
    for (let first = 0; first <= bytes.length; first++)
      for (let second = first; second <= bytes.length; second++) {
        const buffer = new MessageBuffer(100, plenty, "a");
        for (const piece of [bytes.subarray(0, first), bytes.subarray(first, second), bytes.subarray(second)])
          buffer.append(piece);
        if (fits) expect(Buffer.concat(buffer.finish()).toString()).toBe(text);
        else expect(() => buffer.finish()).toThrow(/CR or a LF alone/);
      }
  });

  test("a very long line is taken, an absurd one is not", () => {
    const tries = [900_000, 1_048_576, 1_048_577].map((length) => {
      const buffer = new MessageBuffer(4_000_000, plenty, "a");
      for (const piece of ["x\r\n", "y".repeat(length - 10), "y".repeat(10), "\r\nz\r\n"])
        buffer.append(Buffer.from(piece));
      return () => Buffer.concat(buffer.finish()).length;
    });
    expect(tries[0]!()).toBe(900_008);
    expect(tries[1]!()).toBe(1_048_584);
    expect(tries[2]!).toThrow(/line is longer than 1048576 bytes/);
  });
});

describe("smuggling: what one server takes for an end of data and another does not", () => {
  const hidden = "MAIL FROM:<evil@client.example>\r\nRCPT TO:<bot@e2a.example>\r\nDATA\r\nSubject: evil\r\n";
  const falseEnds = [
    "\n.\n",
    "\n.\r\n",
    "\r.\r",
    "\r.\r\n",
    "\r\n.\n",
    "\r\n.\r",
    "\n.\r",
    "\r.\n",
    "\n\n.\r\n",
    "\r\r\n.\r\r\n",
  ];
  test.each(falseEnds)("%j hides no second message, and the first is refused", async (falseEnd) => {
    await using server = await testListener();
    for (const pieces of [1, Number.POSITIVE_INFINITY]) {
      const client = await SmtpClient.connect(server.port);
      await client.play(ready);
      const sent = `Subject: first\r\n\r\ntext${falseEnd}${hidden}\r\n.\r\n`;
      if (pieces === 1) client.send(sent);
      else for (const byte of Buffer.from(sent)) await client.sendSlowly(Uint8Array.of(byte));
      await client.expect("554 5.6.0 Lines must end with CR LF");
      await client.play("> NOOP\n< 250 2.0.0 OK\n> QUIT\n< 221");
    }
    expect(server.received).toEqual([]);
  });

  test("at the very start of DATA too", async () => {
    await using server = await testListener();
    const client = await SmtpClient.connect(server.port);
    await client.play(ready);
    client.send(`.\n${hidden}.\r\n`);
    await client.play("< 554 5.6.0\n> NOOP\n< 250 2.0.0 OK");
    client.destroy();
    expect(server.received).toEqual([]);
  });

  test("a dot that is not alone on its line is text", async () => {
    await using server = await testListener();
    const client = await SmtpClient.connect(server.port);
    await client.play(ready);
    client.send("a\r\n\0.\r\n. \r\n..\r\n...\r\n.\r\n");
    await client.expect("250 2.0.0");
    client.destroy();
    expect(Buffer.from(server.received[0]!.raw).toString()).toBe("a\r\n\0.\r\n. \r\n.\r\n..\r\n");
  });
});

describe("size", () => {
  test("is exact, whatever was declared", () => {
    for (const declared of [0, 1, 50_000, 10 ** 20])
      for (const [size, fits] of [
        [99_999, true],
        [100_000, true],
        [100_001, false],
      ] as const) {
        const buffer = new MessageBuffer(100_000, plenty, "a", declared);
        for (let at = 0; at < size; at += 1000) buffer.append(Buffer.alloc(Math.min(1000, size - at), "x"));
        if (fits) expect(Buffer.concat(buffer.finish()).length).toBe(size);
        else expect(() => buffer.finish()).toThrow(/larger than 100000 bytes/);
      }
  });

  test("a message of 50 MB against a limit of 1 MB is read to its end, kept nowhere, and refused", async () => {
    await using server = await testListener();
    const client = await SmtpClient.connect(server.port);
    await client.play(ready);
    const block = Buffer.from(`${"x".repeat(998)}\r\n`.repeat(64));
    for (let i = 0; i < 80; i++) await client.sendSlowly(block);
    Bun.gc(true);
    const before = process.memoryUsage().rss;
    for (let i = 0; i < 720; i++) await client.sendSlowly(block);
    Bun.gc(true);
    expect(process.memoryUsage().rss - before).toBeLessThan(20_000_000);
    client.send(".\r\n");
    await client.play("< 552 5.3.4 The message is larger than 1048576 bytes\n> NOOP\n< 250");
    client.destroy();
    expect(server.received).toEqual([]);
  });
});

test("more mail at once than memory is meant for: 452 for what does not fit, room again when the rest is through", async () => {
  await using server = await testListener({ maxBytesInHand: 1_200_000 });
  const [first, second] = [await SmtpClient.connect(server.port), await SmtpClient.connect(server.port)];
  const line = `${"x".repeat(998)}\r\n`;
  // A declared size is set aside at DATA.
  await first.play(ready.replace("client.example>", "client.example> SIZE=500000"));
  await second.play(ready);
  second.send(`${line.repeat(400)}.\r\n`);
  await second.expect("452 4.3.1 ");
  first.send(`${line.repeat(400)}.\r\n`);
  await first.expect("250 2.0.0");
  await second.play(`
    > MAIL FROM:<a@client.example>
    < 250
    > RCPT TO:<bot@e2a.example>
    < 250
    > DATA
    < 354`);
  second.send(`${line.repeat(400)}.\r\n`);
  await second.expect("250 2.0.0");
  expect(server.received.map(({ raw }) => raw.length)).toEqual([400_000, 400_000]);
  first.destroy();
  second.destroy();
});

test("a declared size that finds no room is refused before it is sent", async () => {
  await using server = await testListener({ maxBytesInHand: 1_000_000 });
  const [first, second] = [await SmtpClient.connect(server.port), await SmtpClient.connect(server.port)];
  await first.play(ready.replace("client.example>", "client.example> SIZE=400000"));
  await second.play("< 220\n> EHLO client.example\n< 250\n> MAIL FROM:<a@client.example> SIZE=400000\n< 452 4.3.1");
  first.send(".\r\n");
  await first.expect("250 2.0.0");
  await second.play("> MAIL FROM:<a@client.example> SIZE=400000\n< 250 2.1.0");
  first.destroy();
  second.destroy();
});

test("a message that was cut off gives its room back", async () => {
  await using server = await testListener({ maxBytesInHand: 1_000_000 });
  const gone = await SmtpClient.connect(server.port);
  await gone.play(ready.replace("client.example>", "client.example> SIZE=400000"));
  gone.destroy();
  await until("the server has noticed", () => server.listener.connections() === 0);
  const next = await SmtpClient.connect(server.port);
  await next.play("< 220\n> EHLO client.example\n< 250\n> MAIL FROM:<a@client.example> SIZE=400000\n< 250 2.1.0");
  next.destroy();
});

test("the largest message that is allowed comes in alone, whatever memory is meant for mail", () => {
  const budget = new ByteBudget(1_000_000, clock);
  const large = new MessageBuffer(5_000_000, budget, "a");
  for (let i = 0; i < 5; i++) large.append(Buffer.alloc(1_000_000, "x\r\n".repeat(7)));
  const small = new MessageBuffer(5_000_000, budget, "b");
  small.append(Buffer.from("x\r\n"));
  expect(() => small.finish()).toThrow(/Too much mail/);
  expect(budget.hasRoom(1, "b")).toBe(false);
  large.release();
  expect(budget.hasRoom(1, "b")).toBe(true);
  new MessageBuffer(5_000_000, budget, "a").append(Buffer.from("x\r\n"));
});

test("each byte in hand counts for the message as it came and as it is stored", () => {
  const budget = new ByteBudget(100_000_000, clock);
  const buffers = Array.from({ length: 10 }, (_, i) => new MessageBuffer(20_000_000, budget, `client ${i}`));
  const chunk = Buffer.from(`${"x".repeat(998)}\r\n`.repeat(1000));
  for (const buffer of buffers) for (let i = 0; i < 10; i++) buffer.append(chunk);
  const kept = buffers.filter((buffer) => {
    try {
      return buffer.finish().length > 0;
    } catch {
      return false;
    }
  });
  // 10 MB each, twice, in pieces of 1 MiB.
  expect(kept).toHaveLength(4);
  for (const buffer of buffers) buffer.release();
  expect(budget.hasRoom(50_000_000, "a")).toBe(true);
});

describe("clients share the memory", () => {
  /** A connection of a client with this address, up to the 354. */
  async function sending(server: TestListener, address: string, size = 0): Promise<SmtpClient> {
    const first = `PROXY TCP4 ${address} 192.0.2.99 1024 25\r\n`;
    const client = await SmtpClient.connect(server.port, { first });
    await client.play(size === 0 ? ready : ready.replace("client.example>", `client.example> SIZE=${size}`));
    return client;
  }
  const listen = () => testListener({ maxBytesInHand: 1_200_000, proxyTrusted: ["127.0.0.1"] });
  const mail = `${`${"x".repeat(998)}\r\n`.repeat(100)}.\r\n`;

  test("one that sends many messages and ends none leaves room for the mail of others", async () => {
    await using server = await listen();
    const hostile = await sending(server, "192.0.2.1", 290_000);
    const again = await SmtpClient.connect(server.port, { first: "PROXY TCP4 192.0.2.1 192.0.2.99 1024 25\r\n" });
    await again.play("< 220\n> EHLO client.example\n< 250\n> MAIL FROM:<a@client.example> SIZE=200000\n< 452 4.3.1");
    const other = await sending(server, "192.0.2.2", 200_000);
    other.send(mail);
    await other.expect("250 2.0.0");
    for (const client of [hostile, again, other]) client.destroy();
  });

  test("messages that crawl give up their room to others, and their senders try again later", async () => {
    await using server = await listen();
    const hostile = [await sending(server, "192.0.2.1", 290_000), await sending(server, "192.0.2.2", 290_000)];
    const other = await SmtpClient.connect(server.port, { first: "PROXY TCP4 192.0.2.3 192.0.2.99 1024 25\r\n" });
    await other.play("< 220\n> EHLO client.example\n< 250\n> MAIL FROM:<a@client.example> SIZE=250000\n< 452 4.3.1");
    server.clock.advance(10_000);
    await other.play("> MAIL FROM:<a@client.example> SIZE=250000\n< 250");
    for (const client of hostile) client.send(".\r\n");
    const replies = await Promise.all(hostile.map((client) => client.reply()));
    expect(replies.map(({ code }) => code).sort()).toEqual([250, 452]);
    for (const client of [...hostile, other]) client.destroy();
  });

  test("a message that keeps coming keeps its room, one that no longer does loses it, one that is here never", () => {
    const time = new TestClock();
    const budget = new ByteBudget(4_000_000, time);
    const arrived = new MessageBuffer(1_000_000, budget, "b", 100_000);
    const pieces = arrived.finish();
    const steady = new MessageBuffer(1_000_000, budget, "a");
    for (let second = 0; second < 10; second++) {
      steady.append(Buffer.alloc(66_000, "x\r\n"));
      time.advance(1_000);
    }
    expect(budget.hasRoom(1_000_000, "c")).toBe(false);
    for (let second = 0; second < 10; second++) {
      steady.append(Buffer.from("x\r\n"));
      time.advance(1_000);
    }
    expect(budget.hasRoom(1_000_000, "c")).toBe(true);
    expect(() => steady.finish()).toThrow(/Too much mail/);
    expect(pieces).toEqual(arrived.finish());
  });
});

/** Hands over as long as nobody tells it to wait. */
class EagerSender {
  handed = 0;
  private isPaused = false;

  constructor(
    private readonly turns: IntakeScheduler,
    private readonly chunk: number,
  ) {}

  pause(): void {
    this.isPaused = true;
  }

  resume(): void {
    this.isPaused = false;
    while (!this.isPaused) {
      this.handed += this.chunk;
      this.turns.took(this.chunk, this);
    }
  }
}

test("many senders hand over little more than a megabyte in one turn of the event loop, and all have their turn", async () => {
  const [turns, chunk] = [new IntakeScheduler(), 64 * 1024];
  const senders = Array.from({ length: 50 }, () => new EagerSender(turns, chunk));
  const handed = () => senders.reduce((sum, sender) => sum + sender.handed, 0);
  for (const sender of senders) sender.resume();
  for (let turn = 0; turn < 100; turn++) {
    const before = handed();
    await new Promise(setImmediate);
    expect(handed() - before).toBeLessThanOrEqual(1024 * 1024 + 3 * chunk);
  }
  const counts = senders.map((sender) => sender.handed / chunk);
  expect(Math.min(...counts)).toBeGreaterThan(4);
});
