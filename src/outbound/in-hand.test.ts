/** How much mail is in hand at once, for how long, and what happens to it when the server stops. */
import { expect, test } from "bun:test";
import { join } from "node:path";
import { type ScriptedOptions, scriptedSmtp } from "../../test/smtp/scripted-smtp.ts";
import { addAgent, addOutbound, outboundFor } from "../../test/store/rows.ts";
import { startTestApp, type TestApp } from "../../test/support/app.ts";
import { until } from "../../test/support/until.ts";
import { outbound, withUpstream } from "../../test/support/upstream-app.ts";
import { createGatekeeper } from "../approval/gatekeeper.ts";
import { searchOutgoing } from "../approval/search.ts";
import { readAttachments } from "../message/read.ts";
import { createReturnPaths } from "../return-path.ts";
import type { OutboundRow } from "../store/schema.ts";
import type { Store } from "../store/store.ts";
import { systemClock, TestClock } from "../util/clock.ts";
import { silentLog } from "../util/log.ts";
import { createVault, loadOrCreateKeyFile } from "../vault.ts";
import { type DispatchOptions, startDispatch } from "./dispatch.ts";
import { openOutcomeJournal } from "./outcome-journal.ts";
import { captureLane, createRoutes } from "./routes.ts";
import { createSigningKeys } from "./signing-keys.ts";

const minuteMs = 60_000;

/** An app with an agent and a clock that stands still, and a patient upstream that answers as scripted. */
async function withPatientUpstream(on: ScriptedOptions["on"], connections = 10) {
  const clock = new TestClock();
  const set = { "outbound_smtp.timeout": "60s", "outbound_smtp.connections": connections };
  const world = await withUpstream(on ? { on } : {}, { set, seams: { clock } });
  const { it } = world;
  return {
    ...{ ...world, clock },
    /** Submits a mail without waiting; returns its id. */
    async send(to: string): Promise<string> {
      const mail = { to: [to], subject: "Hello", body: "Hi there" };
      return (await it.api("POST", "/api/v1/send", mail, { prefer: "respond-async" })).body.message_id;
    },
  };
}

/** An upstream that does not answer for the first recipients; `reached` resolves at the first of them. */
function hangingUpstream() {
  const reached = Promise.withResolvers<void>();
  const it = {
    hangs: true,
    reached: reached.promise,
    on: ((stage) => {
      if (stage !== "rcpt" || !it.hangs) return undefined;
      reached.resolve();
      return { do: "hang" };
    }) as ScriptedOptions["on"],
  };
  return it;
}

/** Starts a dispatch beside the app's: it works on what the test leases for it, and on lanes only it knows. */
async function ownDispatch(it: TestApp, more: Partial<Pick<DispatchOptions, "store" | "clock" | "routes">> = {}) {
  const { store, config } = it.app;
  const vault = createVault(await loadOrCreateKeyFile(join(it.dataDir, "encryption.key")));
  const journal = openOutcomeJournal(join(it.dataDir, "own.journal"), silentLog);
  const dispatch = startDispatch({
    ...{ store, clock: systemClock, log: silentLog, routes: createRoutes(config, null), journal },
    ...{ sharedDomain: config.sharedDomain, hostname: config.smtp.domain, fromDomain: null },
    receive: () => Promise.reject(new Error("There is no mail to mailboxes here.")),
    returnPaths: createReturnPaths(Buffer.alloc(32), config.sharedDomain),
    gatekeeper: createGatekeeper({
      ...{
        store,
        clock: systemClock,
        sharedDomain: config.sharedDomain,
        search: (_, request) => searchOutgoing(request),
      },
      attachments: (_, raw) => readAttachments(raw, config.inbound),
    }),
    signingKeys: createSigningKeys({ store, vault, clock: systemClock }),
    isPublished: async () => true,
    sevenBit: async () => null,
    ...more,
  });
  const agent = await addAgent(store, { userId: it.userId });
  return {
    dispatch,
    agent,
    /** Stores a mail under a lease and passes it on with `raw` as its bytes. */
    async take(lane: string, raw: Buffer, lease: string | null, change: Partial<OutboundRow> = {}) {
      const now = new Date();
      const mail = outboundFor(agent.id, {
        recipients: [{ lane, lease }],
        leaseUntil: dispatch.leaseUntil(),
        raw,
        now,
      });
      // The stored bytes are small all the same.
      const sent = await store.acceptOutbound({ ...mail, raw: raw.subarray(0, 1_000) });
      const [recipient] = sent?.recipients ?? [];
      if (!sent || recipient?.leaseToken !== lease) throw new Error("it was not leased");
      dispatch.take(recipient, { message: { ...sent.message, ...change }, agent, raw });
      return sent.message.id;
    },
    async [Symbol.asyncDispose]() {
      await dispatch.close(1_000);
      journal.close();
    },
  };
}

test("mail waits for its try in memory up to 64 MiB in all, and gives back what it took", async () => {
  await using it = await startTestApp();
  await using own = await ownDispatch(it);
  const { dispatch } = own;
  const mib = 1024 * 1024;
  expect(dispatch.reserve(captureLane, 63 * mib)).toBeString();
  expect(dispatch.reserve(captureLane, 2 * mib)).toBeNull();
  expect(dispatch.reserve(captureLane, mib)).toBeString();
  dispatch.unreserve(captureLane, mib);
  dispatch.unreserve(captureLane, 63 * mib);
  for (let n = 0; n < 2; n++) {
    const lease = dispatch.reserve(captureLane, 64 * mib);
    expect([n, lease]).toEqual([n, expect.any(String)]);
    const id = await own.take(captureLane, Buffer.alloc(64 * mib), lease);
    await dispatch.drain();
    expect(await outbound(it, id)).toMatchObject({ status: "sent" });
  }
});

/** Recipients of 20 MB each: three have room at once, and four connections have eight messages in hand. */
const large = Array.from({ length: 8 }, (_, n) => `large-${n}@outside.example`);

/** An upstream that holds large messages back until they are released, with a large one for each of `large`. */
async function withLarge() {
  const named = new Map<number, string>();
  const held = new Map<string, () => void>();
  const it = { holds: true };
  const world = await withPatientUpstream(async (stage, argument, connection) => {
    if (stage === "rcpt") named.set(connection, argument);
    const to = named.get(connection) ?? "";
    if (stage !== "message" || !it.holds || !large.includes(to)) return undefined;
    await new Promise<void>((resolve) => held.set(to, resolve));
    return undefined;
  }, 4);
  const { store } = world.it.app;
  const raw = Buffer.concat([
    Buffer.from("From: bot@e2a.localhost\r\n\r\n"),
    Buffer.alloc(20_000_000, "Hello you\r\n"),
  ]);
  const now = new Date(world.clock.now());
  const sent = await addOutbound(store, "bot@e2a.localhost", { recipients: large, raw, now });
  await until("three are in hand", () => held.size >= 3);
  return {
    ...{ world, held, id: sent.message.id },
    release() {
      const [[to, resolve] = ["", () => {}]] = held;
      held.delete(to);
      resolve();
    },
    releaseAll() {
      it.holds = false;
      for (const resolve of held.values()) resolve();
    },
    [Symbol.asyncDispose]: () => world[Symbol.asyncDispose](),
  };
}

test("of large mail a few messages are in hand at once, and small mail does not wait for it", async () => {
  await using it = await withLarge();
  for (let left = large.length; left > 0; left--) {
    await until("as many are in hand as may be", () => it.held.size >= Math.min(left, 3));
    const small = `small-${left}@outside.example`;
    const raw = Buffer.from("From: bot@e2a.localhost\r\n\r\nHello\r\n");
    // It is queued, and not tried at once, as large mail is.
    const now = new Date(it.world.clock.now());
    await addOutbound(it.world.it.app.store, "bot@e2a.localhost", { recipients: [small], raw, now });
    await until("the small one is there", () => it.world.smtp.messages.some(({ to }) => to.includes(small)));
    expect(it.held.size).toBe(Math.min(left, 3));
    it.release();
  }
  await it.world.it.app.drain();
  expect(
    it.world.smtp.messages
      .flatMap(({ to }) => to)
      .filter((to) => large.includes(to))
      .toSorted(),
  ).toEqual(large);
}, 120_000);

const decisions: [name: string, decided: Partial<OutboundRow>, reply: string][] = [
  ["removed the recipient", { status: "sending" }, "Removed by a reviewer"],
  ["rejected the message", { status: "rejected" }, "Rejected by a reviewer"],
  ["let the message expire", { status: "expired_rejected" }, "Rejected by a reviewer"],
];
test.each(decisions)("mail in hand does not leave after a reviewer %s", async (_name, decided, reply) => {
  await using it = await startTestApp();
  await using own = await ownDispatch(it);
  const { dispatch } = own;
  const raw = Buffer.from("From: a@agents.example\r\n\r\nHi\r\n");
  const other = [{ address: "kept@outside.example", name: "" }];
  const from = { address: own.agent.id, name: "" };
  const said = { replyTo: [], inReplyTo: null, references: [], headers: [], text: "", html: null, attachments: [] };
  const [before, content] = [[], other].map((to) => ({ from, to, cc: [], bcc: [], ...said }));
  const edit = decided.status === "sending" ? { original: { subject: "", ...before }, content } : {};
  const change = { ...decided, ...edit, reviewedAt: new Date() } as Partial<OutboundRow>;
  const id = await own.take(captureLane, raw, dispatch.reserve(captureLane, raw.length), change);
  await dispatch.drain();
  const { recipients } = await outbound(it, id);
  expect(recipients).toMatchObject([{ status: "failed", smtp_reply: expect.stringContaining(reply) }]);
});

test("large mail that waits and is paused meanwhile stays here until it is released", async () => {
  await using it = await withLarge();
  const agent = "/api/v1/agents/bot@e2a.localhost";
  expect((await it.world.it.api("PATCH", agent, { paused: true })).status).toBe(200);
  const inHand = it.held.size;
  it.releaseAll();
  await it.world.it.app.drain();
  expect([inHand, it.world.smtp.messages.length]).toEqual([3, 3]);
  expect((await it.world.it.api("PATCH", agent, { paused: false })).status).toBe(200);
  await it.world.it.app.drain();
  expect(it.world.smtp.messages.flatMap(({ to }) => to).toSorted()).toEqual(large);
}, 120_000);

test("a server that stops breaks off what hangs, and it is queued again", async () => {
  const upstream = hangingUpstream();
  await using world = await withPatientUpstream(upstream.on);
  await using own = await ownDispatch(world.it);
  const raw = Buffer.from("From: a@agents.example\r\n\r\nHi\r\n");
  const id = await own.take("upstream", raw, own.dispatch.reserve("upstream", raw.length));
  await upstream.reached;
  await own.dispatch.close(1_500);
  const [recipient] = (await world.it.app.store.getOutbound(world.it.userId, id))?.recipients ?? [];
  // Recorded by the end of the grace period; when the connection itself times out is too late.
  expect(recipient).toMatchObject({ leaseToken: null, status: "deferred" });
  expect(recipient?.smtpReply).toContain("the caller stopped waiting");
});

test("what comes while all hands are full leaves in its order, as soon as there is room", async () => {
  let permits = 0;
  let wake = () => {};
  const permit = (count: number) => {
    permits += count;
    wake();
  };
  await using world = await withPatientUpstream(async (stage) => {
    if (stage !== "message") return undefined;
    while (permits === 0)
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    permits--;
    return undefined;
  }, 1);
  const ids: string[] = [];
  const status = async (n: number) => (await outbound(world.it, ids[n - 1] ?? "")).status;
  // One connection has at most ten in hand; the eleventh queues.
  for (let n = 1; n <= 11; n++) ids.push(await world.send(`person-${n}@outside.example`));
  permit(1);
  const isSent = async (id: string) => (await outbound(world.it, id)).status === "sent";
  while (!(await Promise.all(ids.map(isSent))).includes(true));
  // There is room again, but the eleventh came first.
  ids.push(await world.send("person-12@outside.example"));
  permit(8);
  // The clock stands still, so no timer triggers a claim.
  await until("the eleventh is in hand", async () => (await status(11)) !== "queued");
  expect([await status(11), await status(12)]).toEqual(["sending", "queued"]);
  permit(3);
  await until("all have left", () => world.smtp.messages.length >= 12);
  const order = world.smtp.messages.flatMap(({ to }) => to);
  expect([order.length, ...order.slice(-2)]).toEqual([12, "person-11@outside.example", "person-12@outside.example"]);
});

test("what is queued while a claim is on its way leaves as soon as there is room, and nothing overtakes it", async () => {
  const [hung, released] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  await using smtp = await scriptedSmtp({
    async on(stage) {
      if (stage !== "message") return undefined;
      hung.resolve();
      await released.promise;
      return undefined;
    },
  });
  await using it = await startTestApp();
  const { store, config } = it.app;
  const [asked, answered] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const slow: Store = {
    ...store,
    async claimDueRecipients(input) {
      const claimed = await store.claimDueRecipients(input);
      asked.resolve();
      await answered.promise;
      return claimed;
    },
  };
  const upstream = { ...config.outboundSmtp, host: smtp.host, port: smtp.port, tls: "off" as const, connections: 1 };
  const clock = new TestClock();
  const routes = createRoutes({ ...config, outboundSmtp: upstream }, null);
  await using own = await ownDispatch(it, { store: slow, clock, routes });
  const raw = Buffer.from("From: a@agents.example\r\n\r\nHi\r\n");
  // The claim has found no mail; now all room is taken, and one more message is queued.
  await asked.promise;
  for (let n = 0; n < 2; n++) await own.take("upstream", raw, own.dispatch.reserve("upstream", raw.length));
  const now = new Date(clock.now());
  const queued = await addOutbound(store, own.agent.id, { recipients: [{ lane: "upstream" }], raw, now });
  expect(own.dispatch.reserve("upstream", raw.length)).toBeNull();
  answered.resolve();
  await hung.promise;
  released.resolve();
  // The clock stands still, so no timer triggers a claim.
  const status = async () => (await store.getOutbound(it.userId, queued.message.id))?.message.status;
  await until("it is sent", async () => (await status()) === "sent");
});

test("an upstream that went away with mail in hand is tried again when its outage may be over", async () => {
  const [reached, released] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  let isAway = true;
  await using world = await withPatientUpstream(async (stage) => {
    if (stage !== "greeting" || !isAway) return undefined;
    reached.resolve();
    await released.promise;
    return { do: "reset" };
  }, 1);
  const ids: string[] = [];
  // More than can be in hand, so that some wait in the queue.
  for (let n = 1; n <= 12; n++) ids.push(await world.send(`person-${n}@outside.example`));
  await reached.promise;
  released.resolve();
  const { app, userId } = world.it;
  const recipients = () => Promise.all(ids.map(async (id) => (await app.store.getOutbound(userId, id))?.recipients[0]));
  // A try that ends after the clock has moved would count as another failure.
  await until("the outage is known and nothing is in hand", async () => {
    const all = await recipients();
    return all.some((one) => one?.error != null) && all.every((one) => one?.status !== "sending");
  });
  isAway = false;
  // Well before the timer alone would trigger a claim.
  world.clock.advance(8_000);
  await until("a message leaves", () => world.smtp.messages.length > 0);
});

test("a try that goes on and on ends after a quarter of an hour, and comes again", async () => {
  const upstream = hangingUpstream();
  await using world = await withPatientUpstream(upstream.on);
  const { it, clock, smtp } = world;
  const id = await world.send("alice@outside.example");
  await upstream.reached;
  const recipient = async () => (await outbound(it, id)).recipients[0];
  const status = async () => (await recipient()).status;
  // During a try, the next one is not known; its lease is internal.
  expect(await recipient()).toMatchObject({ status: "sending", attempts: 0 });
  expect((await recipient()).next_attempt_at).toBeUndefined();
  clock.advance(15 * minuteMs - 1_000);
  for (let n = 0; n < 20; n++) expect(await status()).toBe("sending");
  clock.advance(1_000);
  await until("the try ends", async () => (await status()) !== "sending");
  expect([await status(), smtp.connections.open]).toEqual(["deferred", 0]);
  expect(Date.parse((await recipient()).next_attempt_at)).toBeGreaterThan(clock.now());
  upstream.hangs = false;
  clock.advance(6 * minuteMs);
  await it.app.drain();
  expect(await status()).toBe("sent");
});
