import { expect, test } from "bun:test";
import { join } from "node:path";
import { scriptedSmtp } from "../../test/smtp/scripted-smtp.ts";
import { claimRecipients } from "../../test/store/rows.ts";
import { startTestApp } from "../../test/support/app.ts";
import { cuttableLine } from "../../test/support/line.ts";
import { testPostgres } from "../../test/support/postgres.ts";
import { until } from "../../test/support/until.ts";
import { TestClock } from "../util/clock.ts";
import { Failure } from "../util/errors.ts";
import { type Log, silentLog } from "../util/log.ts";

/** Collects the log's events, and lets a test wait for one. */
function watchedLog() {
  const seen: string[] = [];
  let wake = () => {};
  const note = (event: string) => {
    seen.push(event);
    wake();
  };
  const log: Log = { ...silentLog, info: note, warn: note, error: note };
  return {
    log,
    seen,
    async until(event: string, count = 1) {
      while (seen.filter((one) => one === event).length < count) {
        // After this event dispatch does nothing more about the outcome.
        if (seen.includes("outbound.run_failed")) throw new Error("an outcome was given up");
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    },
  };
}

/** Mail in hand at an upstream that withholds its last reply, on a Postgres whose connection can be cut. */
async function inHandOnPostgres(clock: TestClock) {
  const postgres = await testPostgres();
  const line = await cuttableLine(postgres.url);
  const mail = await inHand(clock, { "database.url": line.urlOf(postgres.url) });
  return {
    ...mail,
    line,
    async [Symbol.asyncDispose]() {
      line.mend();
      await mail[Symbol.asyncDispose]();
      await line[Symbol.asyncDispose]();
      await postgres.drop();
    },
  };
}

/** Mail in hand at an upstream that withholds its last reply. */
async function inHand(clock: TestClock, set: Record<string, unknown> = {}) {
  const reached = Promise.withResolvers<void>();
  const released = Promise.withResolvers<void>();
  const smtp = await scriptedSmtp({
    async on(stage) {
      if (stage !== "message") return undefined;
      reached.resolve();
      await released.promise;
      return undefined;
    },
  });
  const watched = watchedLog();
  const it = await startTestApp({
    set: {
      ...set,
      "outbound_smtp.host": smtp.host,
      "outbound_smtp.port": smtp.port,
      "outbound_smtp.tls": "off",
    },
    seams: { clock, log: watched.log },
  });
  await it.api("POST", "/api/v1/agents", { slug: "bot", agent_mode: "local" });
  const mail = { to: ["ann@outside.example"], subject: "Once", body: "Hello" };
  const { body } = await it.api("POST", "/api/v1/send", mail, { prefer: "respond-async" });
  await reached.promise;
  return {
    ...{ it, smtp, watched },
    id: body.message_id as string,
    answer: () => released.resolve(),
    async [Symbol.asyncDispose]() {
      await it[Symbol.asyncDispose]();
      await smtp[Symbol.asyncDispose]();
    },
  };
}

test("a database that is away for minutes while the upstream takes a message: the outcome is recorded, and it leaves once", async () => {
  const clock = new TestClock();
  await using mail = await inHandOnPostgres(clock);
  const { it, line, smtp, watched } = mail;
  line.cut();
  mail.answer();
  // Past the lease, and past the minute after which an outcome was once given up.
  for (let tries = 1; tries <= 65; tries++) {
    await watched.until("outbound.record_failed", tries);
    clock.advance(1_000);
  }
  line.mend();
  while (!watched.seen.includes("outbound.sent")) {
    expect(watched.seen).not.toContain("outbound.run_failed");
    clock.advance(1_000);
    await new Promise((resolve) => setImmediate(resolve));
  }
  clock.advance(5 * 60_000);
  await it.app.drain();
  expect(smtp.messages).toHaveLength(1);
  expect((await it.api("GET", `/api/v1/messages/${mail.id}`)).body.status).toBe("sent");
}, 60_000);

test("an outcome that could not be recorded until the server ended is read again at the next start", async () => {
  const clock = new TestClock();
  await using mail = await inHandOnPostgres(clock);
  const { it, line, smtp, watched } = mail;
  line.cut();
  mail.answer();
  await watched.until("outbound.record_failed");
  expect(await Bun.file(join(it.dataDir, "outcomes.journal")).text()).toContain(mail.id);
  const closing = it.app.close();
  line.mend();
  clock.advance(1_000);
  await closing;
  await it.restart();
  clock.advance(5 * 60_000);
  await it.app.drain();
  expect(smtp.messages).toHaveLength(1);
  expect((await it.api("GET", `/api/v1/messages/${mail.id}`)).body.status).toBe("sent");
}, 60_000);

const turn = () => new Promise((resolve) => setImmediate(resolve));

test("a database that answers nothing any more: the outcome is in the journal, readiness says so, and the mail leaves once", async () => {
  const clock = new TestClock();
  await using mail = await inHandOnPostgres(clock);
  const { it, line, smtp } = mail;
  line.freeze();
  mail.answer();
  while (smtp.messages.length === 0) await turn();
  const journal = join(it.dataDir, "outcomes.journal");
  // At once: a process killed the next moment leaves nothing else.
  while (!(await Bun.file(journal).text()).includes(mail.id)) await turn();
  expect(mail.watched.seen).not.toContain("outbound.record_failed");
  const ready = fetch(`${it.app.httpUrl}/api/ready`);
  let isAnswered = false;
  void ready.finally(() => {
    isAnswered = true;
  });
  while (!isAnswered) {
    clock.advance(1_000);
    await turn();
  }
  expect((await ready).status).toBe(503);
  line.cut();
  const closing = it.app.close();
  line.mend();
  clock.advance(1_000);
  await closing;
  await it.restart();
  clock.advance(5 * 60_000);
  await it.app.drain();
  expect(smtp.messages).toHaveLength(1);
  expect((await it.api("GET", `/api/v1/messages/${mail.id}`)).body.status).toBe("sent");
}, 60_000);

test("a server that stops while its database answers nothing ends all the same, and the mail leaves once", async () => {
  const clock = new TestClock();
  await using mail = await inHandOnPostgres(clock);
  const { it, line, smtp } = mail;
  line.freeze();
  mail.answer();
  while (smtp.messages.length === 0) await turn();
  // Dispatch looks for due work, and waits for the store.
  clock.advance(20_000);
  const unanswered = fetch(`${it.app.httpUrl}/api/v1/agents`, {
    headers: { authorization: `Bearer e2a_${"0".repeat(64)}` },
  }).catch((error) => error);
  const closing = it.app.close();
  let isClosed = false;
  void closing.finally(() => {
    isClosed = true;
  });
  while (!isClosed) {
    clock.advance(1_000);
    await turn();
  }
  await unanswered;
  line.cut();
  line.mend();
  await it.restart();
  clock.advance(5 * 60_000);
  await it.app.drain();
  expect(smtp.messages).toHaveLength(1);
  expect((await it.api("GET", `/api/v1/messages/${mail.id}`)).body.status).toBe("sent");
}, 60_000);

test("a clock that jumps past the lease, as after a suspend: mail in hand is not claimed once more", async () => {
  const inner = new TestClock();
  let jumpedMs = 0;
  const clock = {
    now: () => inner.now() + jumpedMs,
    elapsed: () => inner.elapsed() + jumpedMs,
    after: inner.after.bind(inner),
  };
  await using mail = await inHand(clock as TestClock);
  const { it, smtp } = mail;
  jumpedMs = 10 * 60_000;
  // A signal makes the queue claim before any timer is due.
  for (const paused of [true, false]) await it.api("PUT", "/api/v1/agents/bot@e2a.localhost", { paused });
  const second = { to: ["bob@outside.example"], subject: "Next", body: "Hello" };
  await it.api("POST", "/api/v1/send", second, { prefer: "respond-async" });
  mail.answer();
  await mail.watched.until("outbound.sent", 2);
  await it.app.drain();
  expect(smtp.messages.map(({ to }) => to[0]).toSorted()).toEqual(["ann@outside.example", "bob@outside.example"]);
  expect(mail.watched.seen).not.toContain("outbound.lease_lost");
}, 30_000);

test("an outcome whose lease has passed to another node is not logged as sent", async () => {
  const clock = new TestClock();
  await using mail = await inHand(clock);
  const { it, watched } = mail;
  const late = new Date(clock.now() + 10 * 60_000);
  const lanes = [{ lane: "upstream", free: 10 }];
  const stolen = await claimRecipients(it.app.store, { now: late, leaseUntil: late, leaseToken: "another", lanes });
  expect(stolen.map(({ messageId }) => messageId)).toEqual([mail.id]);
  mail.answer();
  await watched.until("outbound.lease_lost");
  expect(watched.seen).not.toContain("outbound.sent");
}, 30_000);

/** Two mails in hand: the first has left and its outcome cannot be recorded; the second waits for that. */
async function heldByOutcome(clock: TestClock) {
  const mail = await inHand(clock);
  const { store } = mail.it.app;
  const { finishRecipient, renewLease } = store;
  let renewals = 0;
  store.finishRecipient = () => Promise.reject(new Failure("unavailable", "The disk is full."));
  store.renewLease = (...asked) => {
    renewals++;
    return renewLease(...asked);
  };
  mail.answer();
  await mail.watched.until("outbound.record_failed");
  const second = { to: ["bob@outside.example"], subject: "Next", body: "Hello" };
  await mail.it.api("POST", "/api/v1/send", second, { prefer: "respond-async" });
  const isOver = () => mail.smtp.messages.length > 1;
  await until("the second mail waits", () => renewals > 0 || isOver());
  return {
    ...mail,
    recover() {
      store.finishRecipient = finishRecipient;
    },
    recipients: () => mail.smtp.messages.flatMap(({ to }) => to),
  };
}

test("while an outcome cannot be recorded, no other mail is handed over", async () => {
  const clock = new TestClock();
  await using mail = await heldByOutcome(clock);
  clock.advance(1_000);
  await mail.watched.until("outbound.record_failed", 2);
  expect(mail.recipients()).toEqual(["ann@outside.example"]);
  mail.recover();
  while (mail.watched.seen.filter((event) => event === "outbound.sent").length < 2) {
    clock.advance(1_000);
    await turn();
  }
  expect(mail.recipients()).toEqual(["ann@outside.example", "bob@outside.example"]);
}, 30_000);

test("mail whose lease passed to another node while it waited is not handed over", async () => {
  const clock = new TestClock();
  await using mail = await heldByOutcome(clock);
  const late = new Date(clock.now() + 10 * 60_000);
  const lanes = [{ lane: "upstream", free: 10 }];
  const claim = { now: late, leaseUntil: late, leaseToken: "another", lanes };
  expect(await claimRecipients(mail.it.app.store, claim)).toHaveLength(2);
  mail.recover();
  clock.advance(1_000);
  await mail.watched.until("outbound.lease_lost");
  await mail.it.app.drain();
  expect(mail.recipients()).toEqual(["ann@outside.example"]);
}, 30_000);
