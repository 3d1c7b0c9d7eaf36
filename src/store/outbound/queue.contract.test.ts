import { expect, test } from "bun:test";
import { addAgent, addOutbound, claimRecipients, later, noon, watch } from "../../../test/store/rows.ts";
import { freshSubject, onEveryDatabase, twoNodes, unique } from "../../../test/store/stores.ts";
import { eventsOf } from "../../../test/store/verbs.ts";
import type { OutboundStatus, RecipientStatus } from "../../mail.ts";
import type { Signal } from "../engine/engine.ts";
import type { RecipientRow } from "../schema.ts";
import type { Store } from "../store.ts";
import type { RecipientOutcome } from "./queue.ts";

const LEASE_MS = 45_000;

/** Claims as a worker does, unless told otherwise. */
function claim(store: Store, changes: Partial<Parameters<Store["claimDueRecipients"]>[0]> = {}) {
  const now = changes.now ?? noon;
  return claimRecipients(store, {
    now,
    leaseUntil: new Date(now.getTime() + LEASE_MS),
    leaseToken: "claimer",
    lanes: [{ lane: "upstream", free: 100 }],
    ...changes,
  });
}

const sent: RecipientOutcome = { kind: "sent", method: "smtp", status: "sent", reply: "250 2.0.0 OK" };
const retry = (ms: number): RecipientOutcome => ({ kind: "retry", at: later(ms), reply: "451 later", error: null });
const released = (ms: number): RecipientOutcome => ({ kind: "released", at: later(ms), error: "The upstream is down" });
const failed: RecipientOutcome = { kind: "failed", reply: "550 5.1.1 No such user", error: null, suppress: false };

/** The effect of each outcome on a recipient at its first try: the event written, and the message's status. */
const outcomes: {
  outcome: RecipientOutcome;
  row: Partial<RecipientRow> & { status: OutboundStatus & RecipientStatus };
  event: string | null;
  again: Date | null;
}[] = [
  {
    outcome: sent,
    row: { status: "sent", queue: "done", attempts: 1, method: "smtp", smtpReply: "250 2.0.0 OK", error: null },
    event: "message.sent",
    again: null,
  },
  {
    outcome: { kind: "sent", method: "relay", status: "delivered", reply: null },
    row: { status: "delivered", queue: "done", attempts: 1, method: "relay", smtpReply: null, error: null },
    event: "message.delivered",
    again: null,
  },
  {
    outcome: retry(500),
    row: { status: "deferred", queue: "ready", attempts: 1, method: null, smtpReply: "451 later", error: null },
    event: "message.deferred",
    again: later(500),
  },
  {
    outcome: { ...failed, reply: null, error: "It was tried for 3 days" },
    row: { status: "failed", queue: "done", attempts: 1, method: null, error: "It was tried for 3 days" },
    event: "message.failed",
    again: null,
  },
  {
    outcome: released(300),
    row: { status: "queued", queue: "ready", attempts: 0, smtpReply: null, error: "The upstream is down" },
    event: null,
    again: later(300),
  },
];

onEveryDatabase((it) => {
  test("a leased recipient may leave until its lease ends, its agent is paused, or either is deleted", async () => {
    await using fresh = await freshSubject(it);
    const { store } = fresh;
    const agent = await addAgent(store);
    await addOutbound(store, agent.id, { recipients: [{}] });
    const [taken] = await claim(store, { now: later(1) });
    if (!taken) throw new Error("nothing was due");
    expect(await store.leasedState(taken)).toMatchObject({
      ...{ status: "sending", reviewedAt: null, agent: { id: agent.id, paused: false } },
    });
    expect(await store.leasedState({ ...taken, leaseToken: "other" })).toBeNull();
    await store.updateAgent(agent.id, { paused: true }, later(2));
    expect(await store.leasedState(taken)).toBeNull();
    await store.updateAgent(agent.id, { paused: false }, later(3));
    expect(await store.leasedState(taken)).toMatchObject({ agent: { id: agent.id } });
    await store.finishRecipient(taken, released(300), later(4));
    expect(await store.leasedState(taken)).toBeNull();
    const [again] = await claim(store, { now: later(500), leaseToken: "again" });
    await store.deleteAgent(agent.id, later(501));
    expect(again && (await store.leasedState(again))).toBeNull();
  });

  test("a claim takes what is due in a lane, oldest first, as much as there is room; other lanes are not touched", async () => {
    await using fresh = await freshSubject(it);
    const { store } = fresh;
    const agent = await addAgent(store);
    const ids: string[] = [];
    for (const ms of [3, 1, 2, 500])
      ids.push((await addOutbound(store, agent.id, { now: later(ms), recipients: [{}, {}] })).message.id);
    const relayed = await addOutbound(store, agent.id, { now: later(1), recipients: [{ lane: "relay" }] });
    expect(await store.nextRecipientDue(["upstream", "relay"])).toEqual(later(1));
    expect(await store.nextRecipientDue(["elsewhere"])).toBeNull();
    expect(await claim(store, { now: later(0) })).toEqual([]);
    expect(await claim(store, { now: later(3), lanes: [] })).toEqual([]);
    const lanes = [
      { lane: "upstream", free: 3 },
      { lane: "relay", free: 0 },
    ];
    const first = await claim(store, { now: later(3), leaseToken: "mine", lanes });
    expect(first.map(({ messageId, n }) => [messageId, n])).toEqual([
      [ids[1]!, 0],
      [ids[1]!, 1],
      [ids[2]!, 0],
    ]);
    for (const row of first)
      expect(row).toMatchObject({
        status: "sending",
        leaseToken: "mine",
        nextAttemptAt: later(3 + LEASE_MS),
        attempts: 0,
      });
    expect((await store.getOutbound(agent.userId, ids[1]!))?.message.status).toBe("sending");
    expect((await store.getOutbound(agent.userId, ids[0]!))?.message.status).toBe("queued");
    const both = await claim(store, { now: later(3), lanes: lanes.map(({ lane }) => ({ lane, free: 9 })) });
    expect(both.map((row) => row.messageId)).toEqual([ids[2]!, ids[0]!, ids[0]!, relayed.message.id]);
    expect(await claim(store, { now: later(3) })).toEqual([]);
    expect(await store.nextRecipientDue(["upstream"])).toEqual(later(500));
    expect(await store.outboundState(later(3))).toEqual({
      waiting: [
        { lane: "relay", count: 1 },
        { lane: "upstream", count: 8 },
      ],
      oldestDueAt: null,
    });
    expect((await store.outboundState(later(600))).oldestDueAt).toEqual(later(500));
  });

  test("accounts take turns in a lane where more is due than it has room for", async () => {
    await using fresh = await freshSubject(it);
    const { store } = fresh;
    const [busy, quiet, third] = [await addAgent(store), await addAgent(store), await addAgent(store)];
    for (let i = 0; i < 5; i++) await addOutbound(store, busy!.id, { recipients: [{}, {}] });
    for (const ms of [1, 2]) await addOutbound(store, quiet!.id, { now: later(ms) });
    await addOutbound(store, third!.id, { now: later(500) });
    let after: string | undefined;
    const turns: string[] = [];
    const step = async (free: number) => {
      const lease = { leaseUntil: later(1e9), leaseToken: "claimer" };
      const lanes = [{ lane: "upstream", free, after }];
      const { claimed, after: next } = await store.claimDueRecipients({ now: later(2), ...lease, lanes });
      after = next.upstream;
      turns.push(...claimed.map(({ userId }) => (userId === busy!.userId ? "busy" : "quiet")));
      return claimed.map(({ messageId, n }) => `${messageId} ${n}`);
    };
    const found = [...(await step(1)), ...(await step(1)), ...(await step(2)), ...(await step(5)), ...(await step(9))];
    expect(turns.slice(0, 4).toSorted()).toEqual(["busy", "busy", "quiet", "quiet"]);
    expect(turns.slice(0, 2).toSorted()).toEqual(["busy", "quiet"]);
    expect(turns.slice(4)).toEqual(Array(8).fill("busy"));
    expect(new Set(found).size).toBe(12);
    expect(await claim(store, { now: later(2) })).toEqual([]);

    // In one claim as well; turns that an account does not use go to the others.
    await addOutbound(store, quiet!.id, { now: later(700) });
    for (let i = 0; i < 5; i++) await addOutbound(store, busy!.id, { now: later(600) });
    const rows = await claim(store, { now: later(700), lanes: [{ lane: "upstream", free: 5 }] });
    const count = (agent: typeof busy) => rows.filter(({ userId }) => userId === agent?.userId).length;
    expect([count(busy), count(quiet), count(third)]).toEqual([3, 1, 1]);
  });

  test("an account behind more accounts than one claim looks at has its turn all the same", async () => {
    await using fresh = await freshSubject(it);
    const { store } = fresh;
    const agents: { id: string; userId: string }[] = [];
    for (let i = 0; i < 80; i++) agents.push(await addAgent(store));
    // The first account floods the queue, the last has one mail; mail of the others is due much later.
    const byAccount = agents.toSorted((a, b) => (a.userId < b.userId ? -1 : 1));
    const [busy, quiet] = [byAccount[0]!, byAccount[79]!];
    for (let i = 0; i < 10; i++) await addOutbound(store, busy.id, { recipients: [{}, {}] });
    for (const { id } of byAccount.slice(1, 79)) await addOutbound(store, id, { now: later(1e6) });
    await addOutbound(store, quiet.id, { now: later(1) });
    const served: string[] = [];
    for (let after: string | undefined, i = 0; i < 4; i++) {
      const lanes = [{ lane: "upstream", free: 2, after }];
      const lease = { leaseUntil: later(1e9), leaseToken: "claimer" };
      const found = await store.claimDueRecipients({ now: later(2), ...lease, lanes });
      after = found.after.upstream;
      served.push(...found.claimed.map(({ userId }) => userId));
    }
    expect(served).toHaveLength(8);
    expect(served).toContain(quiet.userId);
  });

  test("eight claimers at once share the work of two lanes and never overlap, while others finish theirs", async () => {
    await using fresh = await freshSubject(it);
    const nodes = await twoNodes(fresh);
    const agent = await addAgent(fresh.store);
    const messages = 15;
    for (let i = 0; i < messages; i++)
      await addOutbound(fresh.store, agent.id, {
        recipients: Array.from({ length: 4 }, (_, n) => ({ lane: n % 2 ? "relay" : "upstream" })),
      });
    const taken = await Promise.all(
      Array.from({ length: 8 }, async (_, c) => {
        const mine: RecipientRow[] = [];
        const lanes = ["upstream", "relay"].map((lane) => ({ lane, free: 2 }));
        // On Postgres a claimer skips the rows that another one has locked, so an empty claim is not the end.
        for (let empty = 0; empty < 20; ) {
          const rows = await claim(nodes[c % 2]!.store, { lanes, leaseToken: `claimer ${c}` });
          if (rows.length === 0) empty++;
          mine.push(...rows);
          for (const row of rows) expect(await nodes[c % 2]!.store.finishRecipient(row, sent, later(1))).not.toBeNull();
        }
        return mine;
      }),
    );
    const keys = taken.flat().map(({ messageId, n }) => `${messageId} ${n}`);
    expect([keys.length, new Set(keys).size]).toEqual([messages * 4, messages * 4]);
    taken.forEach((rows, c) => {
      for (const row of rows) expect(row.leaseToken).toBe(`claimer ${c}`);
    });
    for (const { message } of await fresh.store.listOutbound(agent.userId, {}, { limit: 100 }))
      expect(message.status).toBe("sent");
    expect(await eventsOf(fresh, agent.userId)).toHaveLength(messages * 4);
  });

  test("a lease that ends gives its work back, and its old holder can record nothing any more", async () => {
    const { store } = it;
    const [agent, lane] = [await addAgent(store), unique("lane")];
    const lanes = [{ lane, free: 9 }];
    const { message } = await addOutbound(store, agent.id, { recipients: [{ lane }] });
    const [old] = await claim(store, { lanes, leaseToken: "old" });
    expect(await claim(store, { lanes, now: later(LEASE_MS - 1) })).toEqual([]);
    const [again] = await claim(store, { lanes, now: later(LEASE_MS), leaseToken: "new" });
    expect(again).toMatchObject({ messageId: message.id, n: 0, leaseToken: "new" });
    for (const { outcome } of outcomes) expect(await store.finishRecipient(old!, outcome, later(LEASE_MS))).toBeNull();
    expect(await eventsOf(it, agent.userId)).toEqual([]);
    expect((await store.getOutbound(agent.userId, message.id))?.recipients).toEqual([again!]);
    expect(await store.finishRecipient(again!, sent, later(LEASE_MS + 1))).toBe("sent");
    expect(await store.finishRecipient(again!, failed, later(LEASE_MS + 2))).toBeNull();
    expect(await claim(store, { lanes, now: later(10 * LEASE_MS) })).toEqual([]);
  });

  test("a lease that is renewed stays in hand; one that has passed to somebody else, or is done, does not come back", async () => {
    const { store } = it;
    const [agent, lane] = [await addAgent(store), unique("lane")];
    const [kept, passed, done] = [unique("kept"), unique("passed"), unique("done")];
    const lanes = [{ lane, free: 9 }];
    const made = await addOutbound(store, agent.id, {
      recipients: [kept, passed, done].map((lease) => ({ lane, lease })),
      leaseUntil: later(100),
    });
    await store.finishRecipient(made.recipients[2]!, retry(150), later(50));
    expect(await store.renewLeases([kept, kept], later(500))).toBe(1);
    const [other] = await claim(store, { lanes, now: later(120), leaseToken: unique("new") });
    expect(other).toMatchObject({ n: 1 });
    expect(await store.renewLeases([kept, passed, done], later(600))).toBe(1);
    const stillOurs = (i: number) => store.renewLease(made.recipients[i]!, later(600));
    expect([await stillOurs(0), await stillOurs(1), await stillOurs(2)]).toEqual([true, false, false]);
    expect((await claim(store, { lanes, now: later(599) })).map((row) => row.n)).toEqual([2]);
    expect(await store.finishRecipient(made.recipients[0]!, sent, later(599))).not.toBeNull();
    expect(await store.finishRecipient(made.recipients[1]!, sent, later(599))).toBeNull();
  });

  for (const { outcome, row, event, again } of outcomes)
    test(`a recipient that was ${"status" in outcome ? outcome.status : outcome.kind}: row, event and message`, async () => {
      const { store } = it;
      const [agent, lane] = [await addAgent(store), unique("lane")];
      const { message, recipients } = await addOutbound(store, agent.id, { recipients: [{ lane, lease: "mine" }] });
      const heard: Signal[] = [];
      store.onSignal((signal) => heard.push(signal));
      expect(await store.finishRecipient(recipients[0]!, outcome, later(7))).toBe(row.status);
      expect(heard).toContainEqual({ topic: "outcome", key: message.id });
      const after = await store.getOutbound(agent.userId, message.id);
      expect(after?.message.status).toBe(row.status);
      // A try that taught nothing changes nothing: readiness uses this time to tell since when mail waits.
      const updatedAt = outcome.kind === "released" ? noon : later(7);
      expect(after?.recipients[0]).toMatchObject({ ...row, leaseToken: null, updatedAt });
      expect(await store.nextRecipientDue([lane])).toEqual(again);
      expect(await eventsOf(it, agent.userId)).toEqual(
        event === null
          ? []
          : [
              {
                type: event,
                agentId: agent.id,
                data: {
                  ...{ message_id: message.id, agent_id: agent.id, conversation_id: message.conversationId },
                  ...{ email_message_id: message.emailMessageId, recipient: recipients[0]!.address },
                  ...{ status: row.status, method: row.method, attempts: 1, error: row.error },
                  smtp_reply: row.smtpReply ?? null,
                },
              },
            ],
      );
      expect(await store.listSuppressions(agent.userId, { limit: 1 })).toEqual([]);
    });

  test("each outcome is recorded as itself, in whatever order they come to one process", async () => {
    const { store } = it;
    const agent = await addAgent(store);
    for (const { outcome, row } of outcomes.toReversed()) {
      const { message, recipients } = await addOutbound(store, agent.id, { recipients: [{ lease: "mine" }] });
      await store.finishRecipient(recipients[0]!, outcome, later(1));
      expect((await store.getOutbound(agent.userId, message.id))?.recipients[0]).toMatchObject(row);
    }
  });

  test("what was tried stays deferred while its upstream is down; attempts count answers only", async () => {
    const { store } = it;
    const [agent, lane] = [await addAgent(store), unique("lane")];
    const lanes = [{ lane, free: 9 }];
    const { message } = await addOutbound(store, agent.id, { recipients: [{ lane }] });
    const [first] = await claim(store, { lanes });
    expect(await store.finishRecipient(first!, retry(10), later(1))).toBe("deferred");
    const [second] = await claim(store, { lanes, now: later(10) });
    expect(second).toMatchObject({ status: "sending", attempts: 1, smtpReply: "451 later" });
    expect((await store.getOutbound(agent.userId, message.id))?.message.status).toBe("sending");
    expect(await store.finishRecipient(second!, released(20), later(11))).toBe("deferred");
    const [third] = await claim(store, { lanes, now: later(20) });
    expect(third).toMatchObject({ attempts: 1, smtpReply: "451 later", error: "The upstream is down" });
    expect(await store.finishRecipient(third!, sent, later(21))).toBe("sent");
    const [row] = (await store.getOutbound(agent.userId, message.id))!.recipients;
    expect(row).toMatchObject({ attempts: 2, error: null, smtpReply: "250 2.0.0 OK" });
    expect((await eventsOf(it, agent.userId)).map(({ type }) => type)).toEqual(["message.deferred", "message.sent"]);
  });

  test("an address that does not exist is written to no more", async () => {
    const agent = await addAgent(it.store);
    const { message, recipients } = await addOutbound(it.store, agent.id, {
      recipients: [{ address: "gone@people.example", lease: "mine" }],
    });
    await it.store.finishRecipient(recipients[0]!, { ...failed, suppress: true } as RecipientOutcome, later(5));
    expect(await it.store.getSuppression(agent.userId, "gone@people.example")).toEqual({
      ...{ userId: agent.userId, address: "gone@people.example", reason: "bounce", detail: "550 5.1.1 No such user" },
      ...{ messageId: message.id, createdAt: later(5) },
    });
  });

  test("recipients of one message that are finished at once, on two nodes, leave the right status", async () => {
    const nodes = await twoNodes(it);
    const agent = await addAgent(it.store);
    const fates = [sent, failed, sent, failed, sent, failed];
    for (let round = 0; round < 5; round++) {
      const { message, recipients } = await addOutbound(it.store, agent.id, {
        recipients: fates.map(() => ({ lease: "mine" })),
      });
      const seen = await Promise.all(
        recipients.map((row, i) => nodes[i % 2]!.store.finishRecipient(row, fates[i]!, later(1))),
      );
      expect(seen.filter((status) => status === "sent")).toHaveLength(1);
      const after = await it.store.getOutbound(agent.userId, message.id);
      expect(after?.message.status).toBe("sent");
      expect(after?.recipients.map((row) => row.status)).toEqual(fates.map((f) => (f === sent ? "sent" : "failed")));
    }
  });

  test("leases of a dead process are given back at once, in hand while paused too", async () => {
    await using fresh = await freshSubject(it);
    const { store } = fresh;
    const agent = await addAgent(store);
    const fate = await addOutbound(store, agent.id, { recipients: ["a@x.example", "b@x.example", "c@x.example"] });
    const [a, b] = await claim(store, { lanes: [{ lane: "upstream", free: 2 }] });
    await store.finishRecipient(a!, retry(5), later(1));
    await claim(store, { now: later(5), lanes: [{ lane: "upstream", free: 2 }] });
    await store.updateAgent(agent.id, { paused: true }, later(6));
    await store.takeOver(later(7));
    const after = await store.getOutbound(agent.userId, fate.message.id);
    expect(after?.recipients.map(({ status, leaseToken }) => [status, leaseToken])).toEqual([
      ["deferred", null],
      ["queued", null],
      ["queued", null],
    ]);
    expect(after?.message.status).toBe("queued");
    expect(await store.finishRecipient(b!, sent, later(8))).toBeNull();
    await store.updateAgent(agent.id, { paused: false }, later(8));
    expect(await claim(store, { now: later(8) })).toHaveLength(3);
  });

  test("what nobody has in hand at a restart stays as it is: put off, with an undo time, held or paused", async () => {
    await using fresh = await freshSubject(it);
    const { store } = fresh;
    const agent = await addAgent(store);
    const putOff = await addOutbound(store, agent.id, { recipients: [{ lease: "mine" }, {}] });
    await store.finishRecipient(putOff.recipients[0]!, retry(500), later(1));
    await store.updateAgent(agent.id, { undoSeconds: 60 }, later(1));
    await addOutbound(store, agent.id, { now: later(1) });
    const paused = await addAgent(store, { userId: agent.userId });
    await store.updateAgent(paused.id, { paused: true }, later(1));
    await addOutbound(store, paused.id, { now: later(1) });
    await watch(store, agent.id);
    await addOutbound(store, agent.id, { now: later(1) });
    const before = await store.listOutbound(agent.userId, {}, { limit: 9 });
    const queues = before.flatMap(({ recipients }) => recipients.map(({ queue }) => queue));
    expect(queues.toSorted()).toEqual(["held", "paused", "ready", "ready", "ready"]);
    await store.takeOver(later(100));
    expect(await store.listOutbound(agent.userId, {}, { limit: 9 })).toEqual(before);
    expect((await claim(store, { now: later(499) })).map(({ messageId, n }) => [messageId, n])).toEqual([
      [putOff.message.id, 1],
    ]);
  });

  test("what waits in a lane that is gone goes by another one; what is done stays as it was", async () => {
    await using fresh = await freshSubject(it);
    const { store } = fresh;
    const agent = await addAgent(store);
    const lanes = ["old", "kept", "relay", "old"];
    const { message, recipients } = await addOutbound(store, agent.id, {
      recipients: lanes.map((lane, n) => ({ lane, lease: n === 3 ? "mine" : null })),
    });
    await store.finishRecipient(recipients[3]!, sent, later(1));
    expect(await store.adoptLanes(["kept", "relay"], "kept")).toBe(1);
    expect(await store.adoptLanes(["kept", "relay"], "kept")).toBe(0);
    const after = await store.getOutbound(agent.userId, message.id);
    expect(after?.recipients.map((row) => row.lane)).toEqual(["kept", "kept", "relay", "old"]);
    expect(await claim(store, { lanes: [{ lane: "kept", free: 9 }] })).toHaveLength(2);
  });

  test("pausing, un-pausing, claiming and cancelling at once lose nothing and end", async () => {
    await using fresh = await freshSubject(it);
    const nodes = await twoNodes(fresh);
    const agent = await addAgent(fresh.store);
    const ids: string[] = [];
    for (let i = 0; i < 8; i++)
      ids.push((await addOutbound(fresh.store, agent.id, { recipients: [{}, {}, {}] })).message.id);
    const work: Promise<unknown>[] = [];
    for (const [i, id] of ids.entries()) {
      const { store } = nodes[i % 2]!;
      work.push(store.updateAgent(agent.id, { paused: i % 2 === 0 }, noon));
      work.push(
        claim(nodes[(i + 1) % 2]!.store, { lanes: [{ lane: "upstream", free: 3 }] }).then((rows) =>
          Promise.all(rows.map((row) => store.finishRecipient(row, sent, later(1)))),
        ),
      );
      if (i % 4 === 0) work.push(store.cancelOutbound(agent.userId, id, later(1)));
    }
    await Promise.all(work);
    await fresh.store.updateAgent(agent.id, { paused: false }, later(2));
    for (const row of await claim(fresh.store, { now: later(2) }))
      await fresh.store.finishRecipient(row, sent, later(3));
    for (const { message, recipients } of await fresh.store.listOutbound(agent.userId, {}, { limit: 100 })) {
      // A message cancelled at the same time may have either outcome.
      const wasCancelled = message.status === "cancelled" && ids.indexOf(message.id) % 4 === 0;
      expect(wasCancelled ? "sent" : message.status).toBe("sent");
      for (const row of recipients) expect(row.queue).toBe("done");
    }
  });
});
