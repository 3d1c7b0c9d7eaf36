import { Database } from "bun:sqlite";
import { expect, test } from "bun:test";
import { SQL } from "bun";
import { addAccount, addAgent, addMessage, later, noon } from "../../../test/store/rows.ts";
import { freshSubject, onDatabases, onEveryDatabase, type Subject, unique } from "../../../test/store/stores.ts";
import { newId } from "../../util/id.ts";
import type { EventType } from "../../wire/event-types.ts";
import { ask, type Verb } from "../engine/engine.ts";
import type { EventRow } from "../schema.ts";
import { type EventOwner, type EventPosition, logEvent, readEvents } from "./events.ts";

const ofAccount = (userId: string): EventOwner => ({ userId, agentId: null });

/** Adds events of an account, each in its own transaction. */
async function tell(it: Subject, userId: string, count: number, agentId: string | null = null): Promise<string[]> {
  const ids: string[] = [];
  for (let i = 0; i < count; i++) {
    const domain = `${i}.example`;
    const event = { userId, agentId, type: "domain.verified" as const, data: { domain }, now: noon };
    ids.push((await it.engine.write((s) => logEvent(s, event))).id);
  }
  return ids;
}

const idsOf = (rows: EventRow[]) => rows.map(({ id }) => id);
const everything = { after: null, sort: "asc", types: [] as EventType[], limit: 1_000 } as const;

onEveryDatabase((it) => {
  test("a received message is an event, and the log is read page by page in both directions", async () => {
    const agent = await addAgent(it.store);
    const message = await addMessage(it.store, agent.id);
    const ids = [message.eventId, ...(await tell(it, agent.userId, 4))];
    const owner = ofAccount(agent.userId);
    const { rows } = await it.store.readEvents(owner, everything);
    expect(idsOf(rows)).toEqual(ids);
    expect(rows[0]).toMatchObject({
      ...{ type: "message.received", agentId: agent.id, createdAt: noon },
      data: {
        ...{ message_id: message.id, agent_id: agent.id, conversation_id: message.conversationId },
        ...{ from: "alice@sender.example", subject: "Greeting", verified: true, received_at: noon.toISOString() },
      },
    });
    const from = async (after: EventPosition | null, sort: "asc" | "desc") =>
      idsOf((await it.store.readEvents(owner, { ...everything, after, sort, limit: 2 })).rows);
    expect(await from(null, "asc")).toEqual(ids.slice(0, 2));
    expect(await from(rows[1]!, "asc")).toEqual(ids.slice(2, 4));
    expect(await from(rows[4]!, "asc")).toEqual([]);
    expect(await from(null, "desc")).toEqual([ids[4]!, ids[3]!]);
    expect(await from(rows[1]!, "desc")).toEqual([ids[0]!]);
    expect((await it.store.lastPosition(owner))?.seq).toBe(rows[4]!.seq);
    expect(await it.store.lastPosition(ofAccount((await addAccount(it.store)).id))).toBeNull();
  });

  test("an agent's log has what is about it alone, and nothing of an earlier owner of its address", async () => {
    const { id: userId } = await addAccount(it.store);
    const address = `${unique("bot")}@agents.example`;
    const mine = await tell(it, userId, 2, address);
    await tell(it, userId, 2);
    await tell(it, (await addAccount(it.store)).id, 2, address);
    expect(idsOf((await it.store.readEvents({ userId, agentId: address }, everything)).rows)).toEqual(mine);
  });

  test("wanted types are found however many others lie between, in steps", async () => {
    const agent = await addAgent(it.store);
    const { eventId } = await addMessage(it.store, agent.id);
    await it.engine.write(function* (s): Verb<void> {
      const rows = Array.from({ length: 2_500 }, () => ({
        ...{ id: newId("evt"), userId: agent.userId, agentId: null, type: "domain.verified" as const },
        ...{ data: { domain: "a.example" }, createdAt: noon },
      }));
      for (let i = 0; i < rows.length; i += 500) yield* ask(s.db.insert(s.t.events).values(rows.slice(i, i + 500)));
    });
    const last = await addMessage(it.store, agent.id);
    const owner = ofAccount(agent.userId);
    const query = { ...everything, types: ["message.received" as const] };
    const first = await it.store.readEvents(owner, query);
    expect(idsOf(first.rows)).toEqual([eventId]);
    expect(first.scannedTo).not.toBeNull();
    const second = await it.store.readEvents(owner, { ...query, after: first.scannedTo });
    expect([idsOf(second.rows), second.scannedTo]).toEqual([[last.eventId], null]);
  });

  test("a sweep takes old events, but not what still waits for an endpoint", async () => {
    await using fresh = await freshSubject(it);
    const { id: userId } = await addAccount(fresh.store);
    const webhook = { userId, url: "https://hooks.example/in", events: [], agents: [], description: "" };
    await fresh.store.createWebhook(webhook, noon);
    const agent = await addAgent(fresh.store, { userId });
    const { eventId } = await addMessage(fresh.store, agent.id);
    await tell(fresh, userId, 1);
    const old = { now: noon, messagesBefore: null, deliveriesBefore: later(1), idempotencyBefore: noon };
    await fresh.store.sweep(old);
    expect(idsOf((await fresh.store.readEvents(ofAccount(userId), everything)).rows)).toEqual([eventId]);
  });
});

onDatabases(
  ({ name }) => name === "SQLite file",
  (it) => {
    test("every read of the log is in the order of an index", async () => {
      using file = new Database(it.place.location);
      const position = { xid: 0, seq: 7 };
      for (const [agentId, index] of [
        [null, "events_user (user_id=? AND seq>?)"],
        ["bot@agents.example", "events_agent (agent_id=? AND seq>?)"],
      ] as const) {
        const statement = await it.engine.read(function* (s): Verb<string> {
          const verb = readEvents(s, { userId: "usr_1", agentId }, { ...everything, after: position });
          const query = verb.next().value as unknown as { toSQL(): { sql: string } };
          yield* ask(s.db.select().from(s.t.meta));
          return query.toSQL().sql;
        });
        const plan = file.query(`EXPLAIN QUERY PLAN ${statement}`).all() as { detail: string }[];
        expect(plan.map((row) => row.detail)).toEqual([`SEARCH events USING INDEX ${index}`]);
      }
    });
  },
);

onDatabases(
  ({ dialect }) => dialect === "postgres",
  (it) => {
    /** An event that another connection has written but not committed. */
    async function begun(userId: string) {
      const sql = await new SQL(it.place.location, { max: 1 }).reserve();
      const id = newId("evt");
      await sql`BEGIN`;
      await sql`INSERT INTO events (id, user_id, type, data, created_at)
        VALUES (${id}, ${userId}, 'domain.verified', '{"domain":"slow.example"}', ${noon})`;
      return {
        id,
        async commit() {
          await sql`COMMIT`;
          sql.release();
        },
      };
    }

    test("an event that is committed late still comes before those that a reader has not seen", async () => {
      const { id: userId } = await addAccount(it.store);
      const owner = ofAccount(userId);
      const [seen] = await tell(it, userId, 1);
      const slow = await begun(userId);
      const [quick] = await tell(it, userId, 1);
      const before = await it.store.readEvents(owner, everything);
      expect([idsOf(before.rows), before.isBehind]).toEqual([[seen!], true]);
      await slow.commit();
      // Other tests' transactions may be running too; this account's have ended.
      for (;;) {
        const after = await it.store.readEvents(owner, { ...everything, after: before.rows[0]! });
        if (after.isBehind) continue;
        expect(idsOf(after.rows)).toEqual([slow.id, quick!]);
        break;
      }
    });

    test("a log that came from another server by a dump is read in its order, and goes on", async () => {
      await using fresh = await freshSubject(it);
      const { id: userId } = await addAccount(fresh.store);
      const old = await tell(fresh, userId, 3);
      await fresh.engine.write(function* (s): Verb<void> {
        yield* ask(s.db.update(s.t.events).set({ xid: 2 ** 40 }));
      });
      expect((await fresh.store.readEvents(ofAccount(userId), everything)).rows).toEqual([]);
      await fresh.store.takeOver(noon);
      const fresher = await tell(fresh, userId, 1);
      expect(idsOf((await fresh.store.readEvents(ofAccount(userId), everything)).rows)).toEqual([...old, ...fresher]);
    });
  },
);
