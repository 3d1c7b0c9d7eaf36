import { expect, test } from "bun:test";
import { addAccount, addAgent, addMessage, later, noon } from "../../../test/store/rows.ts";
import { onEveryDatabase, unique } from "../../../test/store/stores.ts";
import type { InboxCursor, InboxFilter } from "./inbox.ts";

onEveryDatabase((it) => {
  test("an inbox has what all mailboxes of the account got, by time, page by page, while mail comes in", async () => {
    const { id: userId } = await addAccount(it.store);
    const domain = `${unique("d")}.example`;
    const agents = [
      (await addAgent(it.store, { userId })).id,
      (await addAgent(it.store, { userId, address: `bot@${domain}` })).id,
    ];
    await addMessage(it.store, (await addAgent(it.store)).id);
    const all: string[] = [];
    // Several arrive in the same millisecond, and mail may be stored in a different order from its arrival.
    for (let i = 0; i < 24; i++)
      all.push((await addMessage(it.store, agents[i % 2]!, { receivedAt: later(Math.floor(i / 3)) })).id);
    const early = await addMessage(it.store, agents[0]!, { receivedAt: later(-1) });
    all.unshift(early.id);
    let ms = 1_000;
    for (const sort of ["desc", "asc"] as const) {
      const seen: string[] = [];
      let after: InboxCursor | undefined;
      for (;;) {
        const page = await it.store.listInbox(userId, {}, { sort, limit: 7, ...(after ? { after } : {}) });
        seen.push(...page.map((row) => row.id));
        const last = page.at(-1);
        if (!last || page.length < 7) break;
        after = { createdAt: last.createdAt, id: last.id };
        const more = await addMessage(it.store, agents[0]!, { receivedAt: later(ms++) });
        all.push(more.id);
      }
      const expected = sort === "asc" ? all : all.slice(0, 25).reverse();
      expect(seen).toEqual(expected);
    }
  });

  test("filters, alone and together", async () => {
    const { id: userId } = await addAccount(it.store);
    const [one, other] = [await addAgent(it.store, { userId }), await addAgent(it.store, { userId })];
    const bob = [{ address: "bob@sender.example", name: "Bob" }];
    const word = unique("word").replace("-", "");
    const rows = {
      first: (await addMessage(it.store, one.id, { from: bob, subject: word })).id,
      second: (await addMessage(it.store, other.id, { receivedAt: later(1_000), content: { text: `so ${word}s` } })).id,
      late: (await addMessage(it.store, one.id, { from: bob, receivedAt: later(2_000) })).id,
      read: (await addMessage(it.store, other.id, { receivedAt: later(3_000) })).id,
    };
    await addMessage(it.store, (await addAgent(it.store)).id, { from: bob, subject: word });
    await it.store.setReadStatus(other.id, rows.read, "read");
    await it.store.updateMessage(one.id, rows.late, { addLabels: ["urgent"], removeLabels: [] });
    const cases: [InboxFilter, (keyof typeof rows)[]][] = [
      [{}, ["first", "second", "late", "read"]],
      [{ status: "unread" }, ["first", "second", "late"]],
      [{ status: "read" }, ["read"]],
      [{ from: "bob@sender.example" }, ["first", "late"]],
      [{ label: "urgent" }, ["late"]],
      [{ q: word }, ["first", "second"]],
      [{ q: `${word} so` }, ["second"]],
      [{ q: "!?" }, []],
      [{ since: later(1_000) }, ["second", "late", "read"]],
      [{ until: later(1_000) }, ["first"]],
      [{ since: noon, until: later(3_000), from: "bob@sender.example", status: "unread", q: word }, ["first"]],
    ];
    const names = new Map(Object.entries(rows).map(([name, id]) => [id, name]));
    for (const [filter, expected] of cases) {
      const found = await it.store.listInbox(userId, filter, { sort: "asc", limit: 50 });
      expect(found.map((row) => names.get(row.id))).toEqual(expected);
    }
    const [late] = await it.store.listInbox(userId, { label: "urgent" }, { sort: "desc", limit: 1 });
    expect(late).toMatchObject({ agentId: one.id, labels: ["urgent"] });
  });
});
