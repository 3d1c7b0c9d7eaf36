import { expect, test } from "bun:test";
import { addAccount, addAgent, addMessage, later, noon } from "../../../test/store/rows.ts";
import { freshSubject, onEveryDatabase } from "../../../test/store/stores.ts";
import { eventsOf, rejection } from "../../../test/store/verbs.ts";
import type { EventType } from "../../wire/event-types.ts";
import type { DeliveryRow, WebhookRow } from "../schema.ts";
import type { Store } from "../store.ts";
import { type Disabling, hasFailedTooLong, noteFailure, noteSuccess } from "./endpoint-health.ts";
import { getEndpoint } from "./endpoints.ts";
import { addEvent } from "./events.ts";

const HOUR_MS = 3_600_000;

function hook(store: Store, userId: string, changes: Partial<WebhookRow> = {}): Promise<WebhookRow> {
  const url = "https://hooks.example/account";
  return store.createWebhook({ userId, url, events: [], agents: [], description: "", ...changes }, noon);
}

async function deliveriesTo(store: Store, { id, userId }: WebhookRow): Promise<DeliveryRow[]> {
  const rows = await store.listDeliveries({ userId, agentId: null }, { endpointId: id, limit: 100 });
  return rows.map(({ delivery }) => delivery);
}

onEveryDatabase((it) => {
  test("each event is queued for every webhook that wants its type and its agent, and for no other", async () => {
    const { store } = it;
    const { id: userId } = await addAccount(store);
    const one = await addAgent(store, { userId });
    const two = await addAgent(store, { userId });
    const everything = await hook(store, userId);
    const ofOne = await hook(store, userId, { agents: [one.id] });
    const bounces = await hook(store, userId, { events: ["message.bounced"] });
    const received = await hook(store, userId, { events: ["message.received" as EventType, "message.held"] });
    const stranger = await hook(store, (await addAccount(store)).id);
    const messages = [await addMessage(store, one.id), await addMessage(store, two.id)];
    const told = { userId, agentId: null, type: "domain.verified" as const, data: { domain: "a.example" }, now: noon };
    const verified = await it.engine.write((s) => addEvent(s, told));

    const [first, second] = messages.map(({ eventId }) => eventId) as [string, string];
    const expected: [WebhookRow, string[]][] = [
      [everything, [verified, second, first]],
      [ofOne, [first]],
      [bounces, []],
      [received, [second, first]],
      [stranger, []],
    ];
    for (const [webhook, ids] of expected)
      expect((await deliveriesTo(store, webhook)).map(({ eventId }) => eventId)).toEqual(ids);
    expect((await deliveriesTo(store, ofOne))[0]).toMatchObject({
      ...{ userId, agentId: one.id, eventType: "message.received", messageId: null, status: "pending" },
    });
    const work = await store.deliveryWork((await deliveriesTo(store, ofOne))[0]!);
    expect(work).toMatchObject({
      endpoint: { id: ofOne.id, url: ofOne.url, webhookId: ofOne.id, agentId: null },
      content: { kind: "event", event: { id: first }, message: { id: messages[0]!.id } },
    });
    await store.deleteMessage(one.id, messages[0]!.id);
    const without = await store.deliveryWork((await deliveriesTo(store, ofOne))[0]!);
    expect(without?.content).toMatchObject({ kind: "event", event: { id: first }, message: null });
  });

  test("an account has at most 50", async () => {
    const { id: userId } = await addAccount(it.store);
    for (let i = 0; i < 50; i++) await hook(it.store, userId);
    expect(await rejection(hook(it.store, userId))).toMatchObject({ code: "conflict" });
    expect(await it.store.listWebhooks(userId)).toHaveLength(50);
  });

  test("what comes for one that is switched off waits, and is due when it is switched on or moved", async () => {
    const { store } = it;
    const agent = await addAgent(store);
    const { userId } = agent;
    const webhook = await hook(store, userId);
    await addMessage(store, agent.id);
    const off = await store.updateWebhook(userId, webhook.id, { isEnabled: false }, later(1));
    expect(off).toMatchObject({
      disabledAt: later(1),
      disabledReason: "Its owner switched it off.",
      updatedAt: later(1),
    });
    await addMessage(store, agent.id);
    const statuses = async () => (await deliveriesTo(store, webhook)).map(({ status }) => status);
    expect(await statuses()).toEqual(["paused", "paused"]);
    const [waiting] = await deliveriesTo(store, webhook);
    expect(await rejection(store.redeliver({ userId, agentId: null }, waiting!.id, later(2)))).toMatchObject({
      ...{ code: "conflict", details: { fix: expect.stringContaining("enabled") } },
    });
    await store.updateWebhook(userId, webhook.id, { description: "still off" }, later(2));
    expect(await statuses()).toEqual(["paused", "paused"]);
    const test = await store.testWebhook(userId, webhook.id, later(3));
    expect(test?.delivery).toMatchObject({ eventType: "webhook.test", status: "pending", endpointId: webhook.id });
    const url = "https://hooks.example/moved";
    expect(await store.updateWebhook(userId, webhook.id, { url }, later(4))).toMatchObject({ url, disabledAt: null });
    for (const row of (await deliveriesTo(store, webhook)).slice(1))
      expect(row).toMatchObject({ status: "pending", nextAttemptAt: later(4) });
    const stranger = await addAccount(store);
    expect(await store.updateWebhook(stranger.id, webhook.id, { isEnabled: false }, later(5))).toBeNull();
    expect(await store.testWebhook(stranger.id, webhook.id, later(5))).toBeNull();
    expect(await store.deleteWebhook(stranger.id, webhook.id)).toBe(false);
  });

  test("one that is deleted takes its deliveries with it", async () => {
    const { store } = it;
    const agent = await addAgent(store);
    const webhook = await hook(store, agent.userId);
    for (let i = 0; i < 3; i++) await addMessage(store, agent.id);
    const [delivery] = await deliveriesTo(store, webhook);
    expect(await store.deleteWebhook(agent.userId, webhook.id)).toBe(true);
    expect(await deliveriesTo(store, webhook)).toEqual([]);
    expect(await store.deliveryWork(delivery!)).toBeNull();
  });

  test("one that is switched off keeps what waits as long as finished deliveries are kept", async () => {
    await using fresh = await freshSubject(it);
    const { store } = fresh;
    const agent = await addAgent(store);
    const webhook = await hook(store, agent.userId);
    await store.updateWebhook(agent.userId, webhook.id, { isEnabled: false }, noon);
    await addMessage(store, agent.id);
    const sweep = (before: Date) =>
      store.sweep({ now: noon, messagesBefore: null, deliveriesBefore: before, idempotencyBefore: noon });
    await sweep(noon);
    expect(await deliveriesTo(store, webhook)).toHaveLength(1);
    await sweep(later(1));
    expect(await deliveriesTo(store, webhook)).toEqual([]);
    expect((await eventsOf(fresh, agent.userId)).length).toBe(0);
  });

  for (const kind of ["account's", "agent's"] as const)
    test(`an ${kind} endpoint that has only failed for five days is switched off, with an event`, async () => {
      const { store } = it;
      const agent = await addAgent(store, { mode: "cloud" });
      const webhook = await hook(store, agent.userId, { events: ["domain.verified"] });
      const id = kind === "agent's" ? agent.id : webhook.id;
      const reason = "Every attempt has failed for five days.";
      const fail = async (hours: number) => {
        const at = later(hours * HOUR_MS);
        const endpoint = await it.engine.read((s) => getEndpoint(s, id));
        const disable: Disabling | null = hasFailedTooLong(endpoint!, at) ? { reason, notice: null } : null;
        await it.engine.write((s) => noteFailure(s, id, at, disable));
      };
      const state = async () => {
        const row = await store.getWebhook(agent.userId, webhook.id);
        const own = await store.getAgent(agent.id);
        return kind === "agent's"
          ? { since: own?.webhookFailingSince, at: own?.webhookDisabledAt, reason: own?.webhookDisabledReason }
          : { since: row?.failingSince, at: row?.disabledAt, reason: row?.disabledReason };
      };
      for (const hours of [0, 24, 48]) await fail(hours);
      expect(await state()).toEqual({ since: noon, at: null, reason: null });
      // Without an attempt for two days, failure is not proven continuous, and counting starts again.
      for (const hours of [97, 130, 160, 190, 216]) await fail(hours);
      expect(await state()).toEqual({ since: later(97 * HOUR_MS), at: null, reason: null });
      await fail(217);
      expect(await state()).toEqual({ since: later(97 * HOUR_MS), at: later(217 * HOUR_MS), reason });
      await fail(218);
      expect(await eventsOf(it, agent.userId)).toEqual([
        {
          type: "webhook.disabled",
          agentId: kind === "agent's" ? agent.id : null,
          data: {
            ...{ endpoint_id: id, webhook_id: kind === "agent's" ? null : id, reason },
            ...{ agent_id: kind === "agent's" ? id : null, failing_since: later(97 * HOUR_MS).toISOString() },
            url: kind === "agent's" ? agent.webhookUrl : webhook.url,
          },
        },
      ]);
    });

  test("the endpoints of which the last attempt failed are known", async () => {
    await using fresh = await freshSubject(it);
    const { store, engine } = fresh;
    const agent = await addAgent(store, { mode: "cloud" });
    const other = await hook(store, agent.userId);
    await hook(store, agent.userId);
    for (const { id } of [agent, other]) await engine.write((s) => noteFailure(s, id, noon, null));
    expect((await store.failingEndpoints()).sort()).toEqual([agent.id, other.id].sort());
    await engine.write((s) => noteSuccess(s, agent.id));
    expect(await store.failingEndpoints()).toEqual([other.id]);
  });

  test("an endpoint that asks for no more is switched off at once", async () => {
    const agent = await addAgent(it.store, { mode: "cloud" });
    const message = await addMessage(it.store, agent.id);
    await it.engine.write((s) => noteFailure(s, agent.id, later(1), { reason: "It asked for it.", notice: null }));
    expect((await it.store.deliveriesOf(message.id))[0]?.status).toBe("paused");
    expect(await it.store.getAgent(agent.id)).toMatchObject({
      ...{ webhookDisabledAt: later(1), webhookDisabledReason: "It asked for it." },
    });
  });
});
