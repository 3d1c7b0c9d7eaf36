import { expect, test } from "bun:test";
import { join } from "node:path";
import { schemaComplaints } from "../../../test/api/openapi-check.ts";
import {
  addAgent,
  addDomain,
  addMessage,
  addOutbound,
  decision,
  later,
  noon,
  unlimited,
  watch,
} from "../../../test/store/rows.ts";
import { freshSubject, onEveryDatabase, type Subject } from "../../../test/store/stores.ts";
import { eventBody } from "../../notify/webhook.ts";
import { eventTypes } from "../../wire/event-types.ts";
import { eventSchemas } from "../../wire/events.ts";
import type { RecipientOutcome } from "../outbound/queue.ts";
import { noteFailure } from "./endpoint-health.ts";

const HOUR_MS = 3_600_000;
const path = join(import.meta.dir, "event-goldens.json");

/** An agent whose account has had every type of event. */
async function livelyAgent({ store, engine }: Subject) {
  const { id: agentId, userId } = await addAgent(store, { address: "bot@agents.example" });
  await addMessage(store, agentId, {
    emailMessageId: "<greeting@sender.example>",
    inReplyTo: "<question@agents.example>",
  });

  async function send(address: string, outcome: RecipientOutcome) {
    const { message } = await addOutbound(store, agentId, { recipients: [{ address, lease: "mine" }] });
    await store.finishRecipient({ messageId: message.id, n: 0, leaseToken: "mine" }, outcome, later(1));
    return message.id;
  }
  const sent = { kind: "sent", method: "smtp", status: "sent", reply: "250 2.0.0 queued as 4711" } as const;
  const messageId = await send("bob@people.example", sent);
  const report = { messageId, n: 0, suppress: false, addresses: [], now: later(2) };
  await store.recordReport({ ...report, status: "delivered", detail: "delivered to mailbox" });
  await store.recordReport({ ...report, status: "bounced", detail: "550 5.1.1 no such user" });
  await store.recordReport({ ...report, status: "complained", detail: "abuse" });
  await send("eve@people.example", { kind: "retry", at: later(9), reply: "451 4.7.1 try later", error: null });
  await send("joe@people.example", { kind: "failed", reply: "554 5.7.1 refused", error: null, suppress: false });

  await watch(store, agentId, { hitlTtlSeconds: 60 });
  const held = async () => (await addOutbound(store, agentId, { recipients: ["ann@people.example"] })).message.id;
  await store.decideHold(decision(await held()));
  const verdict = { kind: "reject", reason: "Not like this." } as const;
  await store.decideHold(decision(await held(), { verdict }));
  await held();
  await store.expireHolds(later(61_000), 10);
  await store.updateAgent(agentId, { hitlEnabled: false }, noon);
  const again = { conversationId: "conv_loop", recipients: ["loop@people.example"] };
  for (let i = 0; i < 2; i++)
    await addOutbound(store, agentId, { ...again, limits: { ...unlimited, loopMessages: 1 } });

  const domain = await addDomain(store, userId, "mail.example");
  await store.recordDomainCheck(domain.id, { found: ["mx"], problems: [] }, later(1));
  const gone = { found: [], problems: [{ record: "mx", status: "missing" as const }] };
  for (const ms of [2, 3]) await store.recordDomainCheck(domain.id, gone, later(ms));

  const url = "https://hooks.example/in";
  const webhook = await store.createWebhook({ userId, url, events: [], agents: [], description: "" }, noon);
  await store.testWebhook(userId, webhook.id, noon);
  await engine.write((s) => noteFailure(s, webhook.id, noon, null));
  const disable = { reason: "Every attempt has failed for five days.", notice: null };
  await engine.write((s) => noteFailure(s, webhook.id, later(24 * HOUR_MS), disable));
  return userId;
}

/** Replaces what differs from run to run: ids, and Message-IDs made by this server. */
function steady(json: string): string {
  return json
    .replace(/(msg|evt|conv|whk)_[0-9a-f]{32}/g, "$1_0")
    .replace(/<id-[0-9a-f]+@agents\.example>/g, "<id@agents.example>");
}

onEveryDatabase((it) => {
  test("every type of event looks as it always did, and as its schema says", async () => {
    await using fresh = await freshSubject(it);
    const userId = await livelyAgent(fresh);
    const log = { after: null, sort: "asc", types: [], limit: 100 } as const;
    const { rows } = await fresh.store.readEvents({ userId, agentId: null }, { ...log, types: [] });
    const events = rows.map(eventBody);
    expect(new Set(events.map(({ type }) => type))).toEqual(new Set(eventTypes));
    for (const event of events)
      expect(schemaComplaints(eventSchemas[event.type], JSON.parse(JSON.stringify(event)))).toEqual([]);
    // An event stored before this member existed is shown with it.
    const old = rows.find(({ type }) => type === "message.received") as (typeof rows)[number];
    const { in_reply_to: _, ...before } = old.data as { in_reply_to: unknown };
    const shown = eventBody({ ...old, data: before } as typeof old);
    expect(schemaComplaints(eventSchemas["message.received"], JSON.parse(JSON.stringify(shown)))).toEqual([]);
    // One of each type is enough; E2A_GOLDENS=write rewrites the file.
    const firsts = eventTypes.map((type) => events.find((event) => event.type === type));
    const text = `${steady(JSON.stringify(firsts, null, 2))}\n`;
    if (process.env.E2A_GOLDENS === "write") await Bun.write(path, text);
    expect(JSON.parse(text)).toEqual(await Bun.file(path).json());
  });
});
