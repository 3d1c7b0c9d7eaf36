import { Database } from "bun:sqlite";
import { expect, test } from "bun:test";
import {
  addAgent,
  addMessage,
  addOutbound,
  decision,
  later,
  noon,
  outboundFor,
  unlimited,
  watch,
} from "../../test/store/rows.ts";
import { type Node, onDatabases } from "../../test/store/stores.ts";
import { updateAgent } from "./accounts/agents.ts";
import { decisionAbout } from "./accounts/audit.ts";
import { pauseAccount } from "./accounts/pauses.ts";
import { type Engine, Run, type Scope, type Verb } from "./engine/engine.ts";
import { claimDueDeliveries, nextDeliveryDue } from "./events/delivery-queue.ts";
import { gateFacts, seenTexts } from "./mail/gate-facts.ts";
import { listInbox } from "./mail/inbox.ts";
import { decideHold, expireHolds, nextHoldDue, releaseLoop } from "./outbound/holds.ts";
import { claimNotices, storeNotices } from "./outbound/notices.ts";
import { acceptOutbound, cancelOutbound, getOutbound } from "./outbound/outbound.ts";
import { claimDueRecipients, finishRecipient, nextRecipientDue, renewLeases } from "./outbound/queue.ts";
import { overview } from "./overview.ts";

interface Compiled {
  toSQL?(): { sql: string };
  getQuery?(): { sql: string };
}

/** Runs a verb and returns its statements. */
function statementsOf(engine: Engine, verb: (s: Scope) => Verb<unknown>): Promise<string[]> {
  return engine.write(function* (s): Verb<string[]> {
    const found: string[] = [];
    const steps = verb(s);
    for (let step = steps.next(); !step.done; step = steps.next(yield step.value)) {
      const query = (step.value instanceof Run ? step.value.query : step.value) as Compiled;
      found.push(query.toSQL?.().sql ?? query.getQuery?.().sql ?? "");
    }
    return found;
  });
}

/** SQLite's query plan for a statement. */
function planOf(file: Database, statement: string): string[] {
  const rows = file.query(`EXPLAIN QUERY PLAN ${statement}`).all() as { detail: string }[];
  return rows.map((row) => row.detail);
}

/** Indexes that hold only waiting rows, so a walk of one is short. */
const waitingOnly = /USING (COVERING )?INDEX (deliveries_due|outbound_(messages_(expiry|notice)|recipients_due))\b/;
/** A walk from account to account looks at its own steps, one row each. */
const steps = /^SCAN (steps|CONSTANT ROW)$/;
/** An account or agent can have any number of rows, so an index on the account or agent alone is not enough. */
const tooWide = /USING INDEX (audit|outbound_messages)_(user|agent|user_status|pace) \((user_id|agent_id)=\?\)/;

onDatabases(
  (database) => database.name === "SQLite file",
  (it) => {
    async function figures({ store }: Node) {
      const agent = await addAgent(store);
      const { message } = await addOutbound(store, agent.id);
      await addMessage(store, agent.id);
      return { agent, id: message.id, conversationId: message.conversationId };
    }

    test("no statement that mail waits for walks a table, also in a database opened again while it had little", async () => {
      const { agent, id, conversationId } = await figures(it);
      const held = await watch(it.store, (await addAgent(it.store)).id);
      const waiting = (await addOutbound(it.store, held.id)).message.id;
      const other = (await addOutbound(it.store, held.id)).message.id;
      const { engine } = await it.place.open();
      const lanes = [{ lane: "upstream", free: 1, after: "usr" }];
      const limits = { perMinutePerAgent: 9, burstPerAgent: 9, perMinutePerAccount: 9, loopMessages: 9 };
      const input = outboundFor(agent.id, { limits, conversationId, references: ["<a@b>"] });
      const row = { messageId: id, n: 0, leaseToken: "mine" };
      const outcome = { kind: "sent", method: "smtp", status: "sent", reply: null } as const;
      const lease = { now: noon, leaseUntil: later(1e6) };
      const by = { by: "ann@people.example", how: "api", ip: null, now: noon } as const;
      const facts = {
        agentId: agent.id,
        conversations: [conversationId, "conv_x"],
        addresses: ["a@b.example", "b@b.example"],
      };
      const slots = { of: new Map(), others: 1, failing: new Set<string>(), failingMax: 0 };
      const claim = { ...lease, leaseToken: "mine", limit: 1, busy: ["dead"], slots, after: "m", fullAccount: "usr" };
      const verbs: Record<string, (s: Scope) => Verb<unknown>> = {
        acceptOutbound: (s) => acceptOutbound(s, input),
        claimDueRecipients: (s) => claimDueRecipients(s, { ...lease, leaseToken: "mine", lanes }),
        renewLeases: (s) => renewLeases(s, ["mine"], later(1e6)),
        finishRecipient: (s) => finishRecipient(s, row, outcome, noon),
        nextRecipientDue: (s) => nextRecipientDue(s, ["upstream"]),
        getOutbound: (s) => getOutbound(s, agent.userId, id),
        cancelOutbound: (s) => cancelOutbound(s, agent.userId, id, noon),
        claimNotices: (s) => claimNotices(s, { ...lease, perMinute: 5, limit: 100 }),
        storeNotices: (s) => storeNotices(s, [], [waiting], unlimited, noon),
        claimDueDeliveries: (s) => claimDueDeliveries(s, claim),
        nextDeliveryDue: (s) => nextDeliveryDue(s, ["dead"]),
        nextHoldDue,
        decisionAbout: (s) => decisionAbout(s, { id, userId: agent.userId }),
        decideHold: (s) => decideHold(s, decision(waiting)),
        releaseLoop: (s) => releaseLoop(s, { userId: agent.userId, id, ...by }),
        expireHolds: (s) => expireHolds(s, later(1e12), 9),
        gateFacts: (s) => gateFacts(s, facts),
        seenTexts: (s) => seenTexts(s, { ...facts, conversationId }),
        updateAgent: (s) => updateAgent(s, held.id, { paused: true }, noon),
        pauseAccount: (s) => pauseAccount(s, held.userId, true),
      };
      const wrong: string[] = [];
      using file = new Database(it.place.location);
      for (const [name, verb] of Object.entries(verbs)) {
        const statements = await statementsOf(engine, verb);
        expect({ name, unread: statements.filter((text) => text === "") }).toEqual({ name, unread: [] });
        const plans = statements.flatMap((statement) => planOf(file, statement));
        for (const plan of plans)
          if ((plan.startsWith("SCAN") && !waitingOnly.test(plan) && !steps.test(plan)) || tooWide.test(plan))
            wrong.push(`${name}: ${plan}`);
      }
      expect(wrong).toEqual([]);
      expect((await it.store.heldMessage(other))?.message.status).toBe("expired_rejected");
    });

    test("what the gate asks in each recipient's turn is two statements, however much the message refers to", async () => {
      const { agent } = await figures(it);
      const conversations = Array.from({ length: 200 }, (_, i) => `conv_${i}`);
      const addresses = Array.from({ length: 50 }, (_, i) => `p${i}@people.example`);
      const facts = { agentId: agent.id, conversations, addresses };
      expect(await statementsOf(it.engine, (s) => gateFacts(s, facts))).toHaveLength(2);
    });

    test("what the dashboard asks is found by indexes that were made for it, however much mail there is", async () => {
      const { agent } = await figures(it);
      const { engine } = await it.place.open();
      const after = { createdAt: noon, id: "msg" };
      const page = { sort: "desc", limit: 51 } as const;
      const own = "(user_id=?)";
      const asked: [verb: (s: Scope) => Verb<unknown>, plans: string[]][] = [
        [(s) => listInbox(s, agent.userId, {}, page), [`INDEX messages_inbox ${own}`]],
        [
          (s) => listInbox(s, agent.userId, {}, { ...page, after }),
          ["INDEX messages_inbox (user_id=? AND (created_at,id)<(?,?))"],
        ],
        [(s) => listInbox(s, agent.userId, { status: "unread" }, page), [`INDEX messages_inbox_unread ${own}`]],
        [
          (s) => listInbox(s, agent.userId, { status: "unread" }, { ...page, sort: "asc", after }),
          ["INDEX messages_inbox_unread (user_id=? AND (created_at,id)>(?,?))"],
        ],
        [
          (s) => listInbox(s, agent.userId, { since: noon }, page),
          ["INDEX messages_inbox (user_id=? AND created_at>?)"],
        ],
        [
          (s) => overview(s, agent.userId, { now: noon, days: 30 }),
          [
            ...["INDEX agents_user (user_id=?)", "INDEX agents_user (user_id=?)"],
            `COVERING INDEX messages_inbox_unread ${own}`,
            "COVERING INDEX outbound_messages_user_status (user_id=? AND status=?)",
            // A bounded number of waiting deliveries of the account's endpoints; then the failing endpoints.
            ...["COVERING INDEX deliveries_endpoint (endpoint_id=? AND status=?)", "INDEX agents_user (user_id=?)"],
            ...["COVERING INDEX webhooks_user (user_id=?)", "SCAN some"],
            ...["INDEX agents_user (user_id=?)", "INDEX webhooks_user (user_id=?)"],
            ...["COVERING INDEX domains_claim (user_id=?)", "INDEX domains_claim (user_id=?)"],
            "COVERING INDEX messages_inbox (user_id=? AND created_at>?)",
            "COVERING INDEX outbound_messages_went (user_id=? AND created_at>?)",
            "COVERING INDEX outbound_messages_lost (user_id=? AND created_at>?)",
          ],
        ],
      ];
      using file = new Database(it.place.location);
      for (const [verb, plans] of asked) {
        const found = (await statementsOf(engine, verb)).flatMap((statement) => planOf(file, statement));
        const searches = found.filter((plan) => /^(SEARCH|SCAN) (?!message_labels)/.test(plan));
        expect(searches.map((plan) => plan.replace(/^SEARCH \w+ USING /, ""))).toEqual(plans);
        expect(found.filter((plan) => plan.includes("TEMP B-TREE FOR ORDER BY"))).toEqual([]);
      }
    });

    test("statistics are never gathered, and those that others gathered are dropped", async () => {
      using file = new Database(it.place.location);
      const gathered = () =>
        (["sqlite_stat1", "sqlite_stat4"] as const).flatMap((table) =>
          file.query("SELECT 1 FROM sqlite_schema WHERE name = ?").get(table)
            ? file.query(`SELECT * FROM ${table}`).all()
            : [],
        );
      await figures(it);
      const second = await it.place.open();
      await figures(second);
      await second.engine.close();
      expect(gathered()).toEqual([]);
      file.exec("ANALYZE");
      expect(gathered()).not.toEqual([]);
      await it.place.open();
      expect(gathered()).toEqual([]);
    });
  },
);
