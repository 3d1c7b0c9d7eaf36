import { expect, test } from "bun:test";
import {
  addAccount,
  addAgent,
  addDomain,
  addMessage,
  addOutbound,
  claimRecipients,
  later,
  noon,
  noticeFor,
  unlimited,
  watch,
} from "../../test/store/rows.ts";
import { onEveryDatabase, unique } from "../../test/store/stores.ts";
import { noteFailure } from "./events/endpoint-health.ts";

const DAY_MS = 86_400_000;
const nothing = { received: 0, sent: 0, failed: 0 };

onEveryDatabase((it) => {
  test("an account with nothing has nothing, on every day", async () => {
    const { id } = await addAccount(it.store);
    const found = await it.store.overview(id, { now: noon, days: 3 });
    expect(found).toEqual({
      agents: { total: 0, paused: 0 },
      unread: 0,
      pendingApproval: 0,
      deliveries: { pending: 0, failingEndpoints: [] },
      domains: { total: 0, verified: 0 },
      volume: ["2026-05-13", "2026-05-14", "2026-05-15"].map((day) => ({ day, ...nothing })),
    });
  });

  test("what an account has is counted, and nobody else's", async () => {
    const { store } = it;
    const { id: userId } = await addAccount(store);
    for (const owner of [userId, (await addAccount(store)).id]) {
      const domain = `${unique("d")}.example`;
      await addDomain(store, owner, domain);
      const claim = { userId: owner, verificationToken: "t", dkimKeys: [], domainsMax: 9, now: noon };
      await store.createDomain({ ...claim, domain: `${unique("d")}.example` });
      const bot = await addAgent(store, { userId: owner, address: `bot@${domain}`, mode: "cloud" });
      const held = await watch(store, (await addAgent(store, { userId: owner })).id);
      await addOutbound(store, held.id);
      await addOutbound(store, held.id);
      for (let i = 0; i < 3; i++) await addMessage(store, bot.id);
      const { id } = await addMessage(store, held.id);
      await store.setReadStatus(held.id, id, "read");
      await store.updateAgent(held.id, { paused: true }, noon);
      // The postmaster's mailbox is not an agent, but its mail belongs to the domain's owner.
      await addMessage(store, `postmaster@${domain}`);
    }
    expect(await store.overview(userId, { now: noon, days: 1 })).toEqual({
      agents: { total: 2, paused: 1 },
      unread: 4,
      pendingApproval: 2,
      deliveries: { pending: 3, failingEndpoints: [] },
      domains: { total: 2, verified: 1 },
      volume: [{ day: "2026-05-15", received: 5, sent: 0, failed: 0 }],
    });
  });

  test("endpoints that only fail are named, with what waits for each", async () => {
    const { store, engine } = it;
    const agent = await addAgent(store, { mode: "cloud" });
    const { userId } = agent;
    const url = "https://hooks.example/account";
    const webhook = await store.createWebhook({ userId, url, events: [], agents: [], description: "" }, noon);
    for (let i = 0; i < 2; i++) await addMessage(store, agent.id);
    await engine.write((s) => noteFailure(s, webhook.id, later(1), null));
    await engine.write((s) => noteFailure(s, agent.id, later(2), null));
    const { deliveries } = await store.overview(userId, { now: noon, days: 1 });
    expect(deliveries).toEqual({
      pending: 4,
      failingEndpoints: [
        { endpointId: agent.id, url: agent.webhookUrl, failingSince: later(2), waiting: 2 },
        { endpointId: webhook.id, url, failingSince: later(1), waiting: 2 },
      ],
    });
    // Switched off, it keeps what waits, and the event that says so.
    await engine.write((s) => noteFailure(s, webhook.id, later(3), { reason: "gone", notice: null }));
    expect((await store.overview(userId, { now: noon, days: 1 })).deliveries).toMatchObject({
      ...{ pending: 2, failingEndpoints: [{ waiting: 2 }, { endpointId: webhook.id, waiting: 3 }] },
    });
  });

  test("the volume goes by days of UTC, and by what became of each message", async () => {
    const { store } = it;
    const agent = await addAgent(store);
    const midnight = new Date("2026-05-15T00:00:00.000Z").getTime();
    for (const at of [midnight - 2 * DAY_MS - 1, midnight - 2 * DAY_MS, midnight - 1, midnight])
      await addMessage(store, agent.id, { receivedAt: new Date(at) });

    async function send(at: Date, end: "sent" | "delivered" | "failed" | "waiting") {
      const recipients = [{ lease: "mine" }];
      const { message } = await addOutbound(store, agent.id, { now: at, recipients });
      const row = { messageId: message.id, n: 0, leaseToken: "mine" };
      if (end === "failed")
        await store.finishRecipient(row, { kind: end, reply: "550", error: null, suppress: false }, at);
      if (end === "sent" || end === "delivered")
        await store.finishRecipient(row, { kind: "sent", method: "smtp", status: end, reply: "250" }, at);
    }
    await send(noon, "sent");
    await send(later(1), "delivered");
    await send(later(2), "failed");
    await send(later(3), "waiting");
    await send(later(-DAY_MS), "failed");
    // Mail that the server itself writes is not counted.
    const held = await addOutbound(
      store,
      (await watch(store, (await addAgent(store, { userId: agent.userId })).id)).id,
    );
    const notice = { ...noticeFor(agent), lane: "notices" };
    await store.storeNotices([notice], [held.message.id], unlimited, noon);
    const lanes = [{ lane: "notices", free: 9 }];
    const [claimed] = await claimRecipients(store, { now: noon, leaseUntil: later(1e6), leaseToken: "n", lanes });
    await store.finishRecipient(claimed!, { kind: "sent", method: "smtp", status: "sent", reply: "250" }, noon);

    const { volume } = await store.overview(agent.userId, { now: noon, days: 3 });
    expect(volume).toEqual([
      { day: "2026-05-13", received: 1, sent: 0, failed: 0 },
      { day: "2026-05-14", received: 1, sent: 0, failed: 1 },
      { day: "2026-05-15", received: 1, sent: 2, failed: 1 },
    ]);
  });
});
