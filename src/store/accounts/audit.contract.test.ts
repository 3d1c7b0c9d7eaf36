import { expect, test } from "bun:test";
import { eq } from "drizzle-orm";
import { addAccount, addAgent, addOutbound, decision, later, watch } from "../../../test/store/rows.ts";
import { countRows, freshSubject, onEveryDatabase, type Subject } from "../../../test/store/stores.ts";
import { rejection } from "../../../test/store/verbs.ts";
import { ask, type Verb } from "../engine/engine.ts";

/** Decides `count` messages of a new agent of the account. */
async function decisions(it: Subject, userId: string, count: number) {
  const agent = await watch(it.store, (await addAgent(it.store, { userId })).id);
  for (let i = 0; i < count; i++) {
    const { message } = await addOutbound(it.store, agent.id);
    await it.store.decideHold(decision(message.id, { now: later(i) }));
  }
  return agent;
}

onEveryDatabase((it) => {
  test("an account's decisions are listed newest first, page by page, and nobody else's", async () => {
    const [user, other] = [await addAccount(it.store), await addAccount(it.store)];
    await decisions(it, other.id, 1);
    await decisions(it, user.id, 5);
    const pages: number[][] = [];
    for (let after: string | undefined; pages.length < 4; ) {
      const page = await it.store.listAudit(user.id, { limit: 2, ...(after ? { after } : {}) });
      pages.push(page.map(({ createdAt }) => createdAt.getTime() - later(0).getTime()));
      after = page.at(-1)?.id ?? after;
    }
    expect(pages).toEqual([[4, 3], [2, 1], [0], []]);
  });

  test("what is written stays as it is", async () => {
    const user = await addAccount(it.store);
    await decisions(it, user.id, 1);
    const before = await it.store.listAudit(user.id, { limit: 9 });
    const forge = it.engine.write(function* (s): Verb<void> {
      yield* ask(s.db.update(s.t.audit).set({ decidedBy: "eve@people.example" }).where(eq(s.t.audit.userId, user.id)));
    });
    expect(Bun.inspect(await rejection(forge))).toContain("the audit list is append-only");
    expect(await it.store.listAudit(user.id, { limit: 9 })).toEqual(before);
  });

  test("it outlives its agents and its messages, and goes with the account", async () => {
    await using fresh = await freshSubject(it);
    const user = await addAccount(fresh.store);
    const agent = await decisions(fresh, user.id, 2);
    await fresh.store.deleteAgent(agent.id, new Date());
    expect(await fresh.store.listAudit(user.id, { limit: 9 })).toHaveLength(2);
    await fresh.store.deleteAccount(user.id, new Date());
    expect(await countRows(fresh, ["audit"])).toEqual({ audit: 0 });
  });
});
