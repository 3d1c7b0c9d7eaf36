/**
 * Checks the outbound queue and its holds against a model: after any sequence of operations, every answer and every row
 * match the model.
 */
import { expect, test } from "bun:test";
import fc from "fast-check";
import {
  command,
  isPaused,
  isPending,
  letGo,
  type QueuedMessage,
  type QueueModel,
  type QueueRow,
  type QueueWorld,
  queueOf,
  readyRows,
  refuse,
  statusOf,
  waiting,
} from "../../../test/store/outbound-model.ts";
import {
  addAccount,
  addAgent,
  addDomain,
  addOutbound,
  claimRecipients,
  decision,
  later,
  noon,
} from "../../../test/store/rows.ts";
import { onDatabases, unique } from "../../../test/store/stores.ts";
import { holds } from "../../../test/support/property.ts";
import type { RecipientOutcome } from "./queue.ts";

const LEASE_MS = 45_000;
/** How long a hold gets if it expired while its approval stood. */
const REOPENED_MS = 15 * 60_000;
const people = "ann@people.example";

/** Counted from the newest, which is usually the interesting one. */
const which = fc.oneof(fc.constant(0), fc.nat(3), fc.nat(20));
const chosen = <T>(list: T[], index: number): T | undefined => list.at(-1 - (index % Math.max(1, list.length)));
const lane = fc.nat(1);
const outcome = fc.constantFrom<RecipientOutcome["kind"]>("sent", "retry", "failed", "released");

const accept = command(
  "accept",
  fc.record({ agent: fc.nat(1), lanes: fc.array(lane, { minLength: 1, maxLength: 2 }), lease: fc.boolean() }),
  async ({ agent, lanes, lease }, model, { store, agents, lanes: names }) => {
    const { hitlEnabled, hitlTtlSeconds, undoSeconds } = model.agents[agent] as QueueModel["agents"][number];
    const now = later(model.now);
    const token = lease ? unique("lease") : null;
    const sent = await addOutbound(store, agents[agent] ?? "", {
      now,
      leaseUntil: later(model.now + LEASE_MS),
      recipients: lanes.map((n) => ({ lane: names[n] ?? "", lease: token })),
    });
    const isLeased = !hitlEnabled && !isPaused(model, agent) && undoSeconds === 0 && token !== null;
    const message: QueuedMessage = {
      ...{ id: sent.message.id, agent, decided: null },
      expiresAt: hitlEnabled ? now.getTime() + hitlTtlSeconds * 1000 : null,
      rows: lanes.map((n) => ({
        ...{ lane: names[n] ?? "", place: hitlEnabled ? "held" : "open", attempts: 0 },
        status: hitlEnabled ? "held" : isLeased ? "sending" : "queued",
        at: now.getTime() + (isLeased ? LEASE_MS : undoSeconds * 1000),
        lease: isLeased ? token : null,
      })),
    };
    model.messages.push(message);
    if (isLeased && token) for (const n of lanes.keys()) model.leases.push({ message, n, token });
  },
);

const claim = command("claim", fc.tuple(fc.nat(3), fc.nat(3)), async (free, model, { store, lanes }) => {
  const [now, token] = [later(model.now), unique("lease")];
  const wanted = lanes.flatMap((name, i) =>
    readyRows(model, name)
      .filter(({ row }) => row.at <= now.getTime())
      .slice(0, free[i]),
  );
  const claimed = await claimRecipients(store, {
    ...{ now, leaseUntil: later(model.now + LEASE_MS), leaseToken: token },
    lanes: lanes.map((name, i) => ({ lane: name, free: free[i] ?? 0 })),
  });
  expect(claimed.map(({ messageId, n }) => [messageId, n])).toEqual(wanted.map(({ message, n }) => [message.id, n]));
  for (const { message, row, n } of wanted) {
    Object.assign(row, { status: "sending", lease: token, at: now.getTime() + LEASE_MS });
    model.leases.push({ message, n, token });
  }
});

const finish = command("finish", fc.record({ which, outcome, ms: fc.nat(90_000) }), async (given, model, { store }) => {
  const lease = chosen(model.leases, given.which);
  if (!lease) return;
  const { message, n, token } = lease;
  const at = later(model.now + given.ms);
  const [reply, error] = ["250 or not", null];
  const outcomes: Record<RecipientOutcome["kind"], RecipientOutcome> = {
    sent: { kind: "sent", method: "smtp", status: "sent", reply },
    retry: { kind: "retry", at, reply, error },
    failed: { kind: "failed", reply, error, suppress: false },
    released: { kind: "released", at, error },
  };
  const leased = { messageId: message.id, n, leaseToken: token };
  const answer = await store.finishRecipient(leased, outcomes[given.outcome], later(model.now));
  const row = message.rows[n] as QueueRow;
  if (row.lease !== token) return expect(answer).toBeNull();
  row.lease = null;
  if (given.outcome !== "released") row.attempts++;
  if (given.outcome === "sent" || given.outcome === "failed")
    Object.assign(row, { place: "done", status: given.outcome });
  else Object.assign(row, { at: at.getTime(), status: waiting(row) });
  expect(answer as string).toBe(statusOf(message));
});

/** What a gate tightened meanwhile does with mail whose turn has come. */
const hold = command("hold", which, async (index, model, { store, agents }) => {
  const lease = chosen(model.leases, index);
  if (!lease) return;
  const { message, n, token } = lease;
  const settings = await store.getAgent(agents[message.agent] ?? "");
  if (!settings) throw new Error("the agent is gone");
  const row = message.rows[n] as QueueRow;
  const isMine = row.lease === token && queueOf(model, message, row) === "ready" && message.decided === null;
  const now = later(model.now);
  const gate = { hold: { rule: "approval" as const, reason: "Every message waits." }, settings };
  const recipient = { messageId: message.id, n, leaseToken: token };
  expect(await store.holdQueued({ recipient, gate, review: null, now })).toBe(isMine ? "held" : "gone");
  if (!isMine) return;
  if (!isPending(message)) message.expiresAt = now.getTime() + settings.hitlTtlSeconds * 1000;
  for (const one of message.rows)
    if (one === row || (one.place === "open" && one.lease === null && one.attempts === 0))
      Object.assign(one, { place: "held", status: "held", lease: null });
});

const renew = command("renew", fc.array(which, { maxLength: 3 }), async (given, model, { store }) => {
  const tokens = given.flatMap((index) => chosen(model.leases, index)?.token ?? []);
  const until = later(model.now + LEASE_MS);
  const rows = model.messages.flatMap((message) => message.rows).filter(({ lease }) => lease && tokens.includes(lease));
  expect(await store.renewLeases(tokens, until)).toBe(rows.length);
  for (const row of rows) row.at = until.getTime();
});

const advance = command("advance", fc.constantFrom(1, 1_000, 30_000, 60_000, 3_600_000), async (ms, model) => {
  model.now += ms;
});

const pause = command(
  "pause",
  fc.record({ what: fc.constantFrom(0, 1, "domain" as const, "account" as const), paused: fc.boolean() }),
  async ({ what, paused }, model, { store, userId, domain, agents }) => {
    if (what === "domain") await store.pauseDomain(userId, domain, paused);
    else if (what === "account") await store.pauseAccount(userId, paused);
    else await store.updateAgent(agents[what] ?? "", { paused }, later(model.now));
    if (typeof what === "string") model.paused[what] = paused;
    else Object.assign(model.agents[what] as object, { paused });
  },
);

const configure = command(
  "configure",
  fc.record({
    agent: fc.nat(1),
    hitlEnabled: fc.boolean(),
    hitlTtlSeconds: fc.constantFrom(60, 3_600),
    undoSeconds: fc.constantFrom(0, 10),
    approves: fc.boolean(),
  }),
  async ({ agent, approves, ...changes }, model, { store, agents }) => {
    const hitlExpirationAction = approves ? "approve" : "reject";
    await store.updateAgent(agents[agent] ?? "", { ...changes, hitlExpirationAction }, later(model.now));
    Object.assign(model.agents[agent] as object, { approves, ...changes });
  },
);

const cancel = command("cancel", which, async (index, model, { store, userId }) => {
  const message = chosen(model.messages, index);
  if (!message) return;
  const gone = message.rows.filter(({ place, lease }) => place !== "done" && lease === null);
  const answer = await store.cancelOutbound(userId, message.id, later(model.now));
  for (const row of gone) Object.assign(row, { place: "done", status: "cancelled" });
  expect([answer?.cancelled, answer?.message.status as string]).toEqual([gone.length, statusOf(message)]);
});

const decide = command(
  "decide",
  fc.record({ which, approves: fc.boolean() }),
  async (given, model, { store, userId }) => {
    const message = chosen(model.messages, given.which);
    if (!message) return;
    const now = later(model.now);
    const verdict = given.approves
      ? { kind: "approve" as const, edit: null }
      : { kind: "reject" as const, reason: "No." };
    const answer = await store.decideHold(decision(message.id, { userId, verdict, now, by: people }));
    const wasPending = isPending(message);
    if (wasPending && given.approves)
      letGo(message, "queued", people, now.getTime() + (model.agents[message.agent]?.undoSeconds ?? 0) * 1000);
    else if (wasPending) refuse(message, "rejected", people);
    expect(answer?.kind).toBe(wasPending ? "done" : "decided");
  },
);

const expire = command("expire", fc.integer({ min: 1, max: 3 }), async (limit, model, { store }) => {
  const now = noon.getTime() + model.now;
  const due = model.messages
    .filter((message) => isPending(message) && message.expiresAt !== null && message.expiresAt <= now)
    .sort((a, b) => (a.expiresAt ?? 0) - (b.expiresAt ?? 0) || (a.id < b.id ? -1 : 1))
    .slice(0, limit);
  expect(await store.expireHolds(later(model.now), limit)).toBe(due.length);
  for (const message of due)
    if (model.agents[message.agent]?.approves) letGo(message, "expired_approved", "expiry", now);
    else refuse(message, "expired_rejected", "expiry");
});

const withdraw = command("withdraw", which, async (index, model, { store, userId }) => {
  const message = chosen(model.messages, index);
  if (!message) return;
  const now = later(model.now);
  const answer = await store.withdrawApproval({ userId, id: message.id, by: people, how: "api", ip: null, now });
  const isUntried = message.rows.every(({ place, lease, attempts }) => place === "open" && !lease && attempts === 0);
  if (isPending(message)) return expect(answer?.kind).toBe("waiting");
  if (message.decided?.status !== "queued" || statusOf(message) === "cancelled")
    return expect(answer?.kind).toBe("not_approved");
  if (!isUntried) return expect(answer?.kind).toBe("leaving");
  expect(answer?.kind).toBe("done");
  message.decided = null;
  if ((message.expiresAt ?? 0) <= now.getTime()) message.expiresAt = now.getTime() + REOPENED_MS;
  for (const row of message.rows) Object.assign(row, { place: "held", status: "held", at: now.getTime() });
});

const takeOver = command("takeOver", fc.constant(null), async (_, model, { store }) => {
  await store.takeOver(later(model.now));
  for (const row of model.messages.flatMap((message) => message.rows))
    if (row.lease !== null) Object.assign(row, { lease: null, status: waiting(row), at: later(model.now).getTime() });
});

const steps = fc.commands(
  [
    ...[accept, accept, claim, claim, finish, finish, hold, renew, advance, pause, pause, pause, configure, cancel],
    ...[decide, decide, expire, withdraw, withdraw, takeOver],
  ],
  { maxCommands: 50, size: "max" },
);

onDatabases(
  ({ name }) => name !== "SQLite file",
  (it) => {
    test("the queue of mail out is as its model, whatever is asked of it", async () => {
      const { store } = it;
      const run = async (commands: Iterable<fc.AsyncCommand<QueueModel, QueueWorld>>) => {
        const { id: userId } = await addAccount(store);
        const domain = `${unique("agents")}.example`;
        await addDomain(store, userId, domain);
        const agents = await Promise.all(
          ["one", "two"].map(async (slug) => (await addAgent(store, { userId, address: `${slug}@${domain}` })).id),
        );
        const settings = { paused: false, hitlTtlSeconds: 60, undoSeconds: 0, approves: false };
        // One of them has a gate from the beginning.
        for (const [n, id] of agents.entries()) {
          const gate = { hitlEnabled: n === 1, hitlNotifyEmail: false };
          await store.updateAgent(id, { ...gate, hitlTtlSeconds: 60, hitlExpirationAction: "reject" }, noon);
        }
        const model: QueueModel = {
          ...{ now: 0, paused: { domain: false, account: false }, messages: [], leases: [] },
          agents: [false, true].map((hitlEnabled) => ({ ...settings, hitlEnabled })),
        };
        const real = { store, userId, domain, agents, lanes: [unique("lane"), unique("lane")] };
        try {
          await fc.asyncModelRun(() => ({ model, real }), commands);
        } finally {
          await store.deleteAccount(userId, later(model.now));
        }
      };
      await holds(fc.asyncProperty(steps, run), { share: it.place.dialect === "sqlite" ? 0.4 : 0.08 });
    });
  },
);
