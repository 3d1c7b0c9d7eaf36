import { expect, test } from "bun:test";
import {
  addAccount,
  addAgent,
  addDomain,
  addMessage,
  later,
  mailFor,
  noon,
  recipient,
} from "../../../test/store/rows.ts";
import { countRows, freshSubject, noRows, onEveryDatabase, twoNodes } from "../../../test/store/stores.ts";
import { ask, type Verb } from "../engine/engine.ts";
import type { MessageFilter } from "./messages.ts";

onEveryDatabase((it) => {
  test("pages follow each other without gap or double, in both directions, while mail comes in", async () => {
    const agent = await addAgent(it.store);
    const all: string[] = [];
    for (let i = 0; i < 25; i++) all.push((await addMessage(it.store, agent.id)).id);
    for (const sort of ["asc", "desc"] as const) {
      const seen: string[] = [];
      let after: number | undefined;
      for (;;) {
        const page = await it.store.listMessages(agent.id, {}, { sort, after, limit: 7 });
        seen.push(...page.map((row) => row.id));
        if (page.length < 7) break;
        after = page.at(-1)!.seq;
        const more = await addMessage(it.store, agent.id);
        if (sort === "asc") all.push(more.id);
        else all.unshift(more.id);
      }
      const first = sort === "asc" ? all : all.filter((id) => seen.includes(id)).reverse();
      expect(seen).toEqual(sort === "asc" ? first : [...seen].sort().reverse());
      expect(new Set(seen).size).toBe(seen.length);
      expect(seen.length).toBeGreaterThanOrEqual(25);
      all.sort();
    }
  });

  test("filters, alone and together", async () => {
    const agent = await addAgent(it.store);
    const bob = [{ address: "bob@sender.example", name: "Bob" }];
    const first = await addMessage(it.store, agent.id, { from: bob, emailMessageId: `<1-${agent.id}>` });
    const rows = {
      first: first.id,
      reply: (await addMessage(it.store, agent.id, { references: [`<1-${agent.id}>`], receivedAt: later(1_000) })).id,
      late: (await addMessage(it.store, agent.id, { from: bob, receivedAt: later(2_000) })).id,
      read: (await addMessage(it.store, agent.id, { receivedAt: later(3_000) })).id,
    };
    await addMessage(it.store, (await addAgent(it.store)).id, { from: bob });
    await it.store.setReadStatus(agent.id, rows.read, "read");
    await it.store.updateMessage(agent.id, rows.late, { addLabels: ["urgent"], removeLabels: [] });
    const cases: [MessageFilter, (keyof typeof rows)[]][] = [
      [{}, ["first", "reply", "late", "read"]],
      [{ status: "unread" }, ["first", "reply", "late"]],
      [{ status: "read" }, ["read"]],
      [{ from: "bob@sender.example" }, ["first", "late"]],
      [{ conversationId: first.conversationId }, ["first", "reply"]],
      [{ label: "urgent" }, ["late"]],
      [{ label: "URGENT" }, []],
      [{ since: later(1_000) }, ["reply", "late", "read"]],
      [{ until: later(1_000) }, ["first"]],
      [{ since: later(1_000), until: later(3_000), from: "bob@sender.example", status: "unread" }, ["late"]],
      [{ from: "bob@sender.example", status: "read" }, []],
    ];
    const names = new Map(Object.entries(rows).map(([name, id]) => [id, name]));
    for (const [filter, expected] of cases) {
      const found = await it.store.listMessages(agent.id, filter, { sort: "asc", limit: 50 });
      expect(found.map((row) => names.get(row.id))).toEqual(expected);
    }
    expect(await it.store.countMessages(agent.id)).toEqual({ total: 4, unread: 3 });
    const unread = await it.store.messagesAfter(agent.id, first.seq, { unreadOnly: true, limit: 1 });
    expect(unread.map((row) => row.id)).toEqual([rows.reply]);
  });

  test("labels: set and taken off in one step, once each, in one order everywhere", async () => {
    const agent = await addAgent(it.store);
    const { id } = await addMessage(it.store, agent.id);
    const update = (addLabels: string[], removeLabels: string[] = []) =>
      it.store.updateMessage(agent.id, id, { addLabels, removeLabels });
    const added = await update(["b", "Z", "a", "ä", "b", "_x", "-y", "😀"]);
    expect(added?.labels).toEqual(["-y", "Z", "_x", "a", "b", "ä", "😀"]);
    expect((await update(["a", "new"], ["b", "unknown", "a"]))?.labels).toEqual([
      "-y",
      "Z",
      "_x",
      "a",
      "new",
      "ä",
      "😀",
    ]);
    const listed = await it.store.listMessages(agent.id, { label: "new" }, { sort: "asc", limit: 5 });
    expect(listed.map((row) => row.labels.length)).toEqual([7]);
    const read = await it.store.updateMessage(agent.id, id, { status: "read", addLabels: [], removeLabels: ["new"] });
    expect([read?.status, read?.labels.length]).toEqual(["read", 6]);
    expect((await it.store.getMessage(agent.id, id))?.message).toEqual(read!);
  });

  test("a message has at most 100 labels; one with more can be read and loses some, but takes no other", async () => {
    const agent = await addAgent(it.store);
    const { id } = await addMessage(it.store, agent.id);
    const named = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => `label ${from + i}`);
    const update = (addLabels: string[], removeLabels: string[] = []) =>
      it.store.updateMessage(agent.id, id, { addLabels, removeLabels });
    const count = async () => (await it.store.getMessage(agent.id, id))?.message.labels.length;
    const tooMany = { code: "invalid_request", details: { errors: [{ field: "add_labels" }] } };
    await update(named(0, 50));
    const further = [named(50, 90), named(60, 100), named(70, 101), named(101, 151)];
    const together = await Promise.allSettled(further.map((labels) => update(labels)));
    expect(together.filter(({ status }) => status === "rejected").length).toBeGreaterThan(0);
    expect(await count()).toBeLessThanOrEqual(100);

    await update([], named(0, 50));
    await update([], named(50, 100));
    await update([], named(100, 151));
    await update(named(0, 50));
    expect((await update(named(50, 100)))?.labels).toHaveLength(100);
    await expect(update(["one more"])).rejects.toMatchObject(tooMany);
    await expect(update(["one", "two"], ["label 0"])).rejects.toMatchObject(tooMany);
    expect(await count()).toBe(100);
    expect((await update(["one", "label 7"], ["label 0"]))?.labels).toHaveLength(100);

    await it.engine.write(function* (s): Verb<void> {
      yield* ask(s.db.insert(s.t.messageLabels).values(named(200, 220).map((label) => ({ messageId: id, label }))));
    });
    expect(await count()).toBe(120);
    await expect(update(["one more"])).rejects.toMatchObject(tooMany);
    expect((await update(["one"], ["label 7"]))?.labels).toHaveLength(119);
    expect((await update(["one more"], named(200, 220)))?.labels).toHaveLength(100);
  });

  test("a message is the agent's own: another one cannot see, change or delete it", async () => {
    const [agent, other] = [await addAgent(it.store), await addAgent(it.store)];
    const { id } = await addMessage(it.store, agent.id);
    expect(await it.store.getMessage(other.id, id)).toBeNull();
    expect(await it.store.setReadStatus(other.id, id, "read")).toBeNull();
    for (const status of [undefined, "read" as const])
      expect(await it.store.updateMessage(other.id, id, { status, addLabels: ["x"], removeLabels: [] })).toBeNull();
    expect(await it.store.deleteMessage(other.id, id)).toBe(false);
    expect((await it.store.getMessage(agent.id, id))?.message).toMatchObject({ status: "unread", labels: [] });
  });

  test("messages of several agents are marked read together, each only by its own agent", async () => {
    const [agent, other] = [await addAgent(it.store), await addAgent(it.store)];
    const [a, b] = [await addMessage(it.store, agent.id), await addMessage(it.store, agent.id)];
    const d = await addMessage(it.store, other.id);
    await it.store.markRead([
      { agentId: agent.id, messageIds: [a.id, a.id, d.id, "msg_unknown"] },
      { agentId: other.id, messageIds: [b.id] },
    ]);
    const statusOf = async (agentId: string, id: string) => (await it.store.getMessage(agentId, id))?.message.status;
    expect([await statusOf(agent.id, a.id), await statusOf(agent.id, b.id), await statusOf(other.id, d.id)]).toEqual([
      "read",
      "unread",
      "unread",
    ]);
    await it.store.markRead([
      { agentId: other.id, messageIds: [d.id] },
      { agentId: agent.id, messageIds: [b.id] },
    ]);
    expect([await statusOf(agent.id, b.id), await statusOf(other.id, d.id)]).toEqual(["read", "read"]);
  });

  test("bytes stay until the last message that has them is deleted", async () => {
    await using fresh = await freshSubject(it);
    const { store } = fresh;
    const [a, b, c] = [await addAgent(store, { mode: "cloud" }), await addAgent(store), await addAgent(store)];
    const accepted = await store.acceptInbound(mailFor([a.id, b.id, c.id]));
    const idOf = (agentId: string) => accepted.find(({ message }) => message.agentId === agentId)!.message.id;
    await store.updateMessage(a.id, idOf(a.id), { addLabels: ["x"], removeLabels: [] });
    expect(await countRows(fresh)).toMatchObject({ messages: 3, raw_mail: 1, message_search: 3, deliveries: 1 });

    expect(await store.deleteMessage(a.id, idOf(a.id))).toBe(true);
    expect(await store.deleteMessage(a.id, idOf(a.id))).toBe(false);
    expect(await countRows(fresh)).toEqual({
      ...{ ...noRows, agents: 3, messages: 2, raw_mail: 1, message_search: 2 },
      // Each agent still knows the sender.
      correspondents: 3,
    });
    await store.deleteAgent(b.id, new Date());
    expect((await store.getMessage(c.id, idOf(c.id)))?.raw.length).toBeGreaterThan(0);
    await store.deleteMessage(c.id, idOf(c.id));
    await store.deleteAgent(a.id, new Date());
    await store.deleteAgent(c.id, new Date());
    expect(await countRows(fresh)).toEqual(noRows);
  });

  test("bytes that a repeated offer brought, or that reached nobody, are not kept", async () => {
    await using fresh = await freshSubject(it);
    const agent = await addAgent(fresh.store);
    const offer = { dedupeKey: "key" };
    await fresh.store.acceptInbound(mailFor(agent.id, offer));
    await fresh.store.acceptInbound(mailFor(agent.id, offer));
    await fresh.store.acceptInbound(mailFor("nobody@agents.example"));
    expect(await countRows(fresh)).toMatchObject({ messages: 1, raw_mail: 1 });
  });

  test("recipients who delete their copies at the same moment leave nothing behind", async () => {
    await using fresh = await freshSubject(it);
    const nodes = await twoNodes(fresh);
    const [a, b] = [await addAgent(fresh.store), await addAgent(fresh.store)];
    for (let round = 0; round < 20; round++) {
      const accepted = await fresh.store.acceptInbound(mailFor([a.id, b.id]));
      const gone = await Promise.all(
        accepted.map(({ message }, i) => nodes[i % 2]!.store.deleteMessage(message.agentId, message.id)),
      );
      expect(gone).toEqual([true, true]);
    }
    expect(await countRows(fresh)).toEqual({ ...noRows, agents: 2, correspondents: 2 });
  });

  test("bytes that come in again while their last message is deleted belong to the new one", async () => {
    await using fresh = await freshSubject(it);
    const nodes = await twoNodes(fresh);
    const agent = await addAgent(fresh.store);
    const bytes = Buffer.from("the same again");
    for (let round = 0; round < 20; round++) {
      const { id } = await addMessage(fresh.store, agent.id, { bytes });
      const [again] = await Promise.all([
        addMessage(nodes[0].store, agent.id, { bytes }),
        nodes[1].store.deleteMessage(agent.id, id),
      ]);
      expect((await fresh.store.getMessage(agent.id, again.id))?.raw).toEqual(bytes);
      await fresh.store.deleteMessage(agent.id, again.id);
    }
    expect(await countRows(fresh)).toEqual({ ...noRows, agents: 1, correspondents: 1 });
  });

  test("mail that comes in while its agent is deleted goes with it", async () => {
    await using fresh = await freshSubject(it);
    const nodes = await twoNodes(fresh);
    for (let round = 0; round < 10; round++) {
      const agent = await addAgent(fresh.store, { mode: "cloud" });
      await addMessage(fresh.store, agent.id);
      await Promise.all([
        ...Array.from({ length: 5 }, () => nodes[0].store.acceptInbound(mailFor(agent.id))),
        nodes[1].store.deleteAgent(agent.id, new Date()),
      ]);
    }
    expect(await countRows(fresh)).toEqual(noRows);
  });

  test("a deleted agent's keys no longer open anything, and everyone hears of it", async () => {
    const agent = await addAgent(it.store);
    const heard: unknown[] = [];
    const unsubscribe = it.engine.onSignal((signal) => heard.push(signal));
    expect(await it.store.deleteAgent(agent.id, new Date())).toBe(true);
    expect(await it.store.deleteAgent(agent.id, new Date())).toBe(false);
    unsubscribe();
    expect(heard).toContainEqual({ topic: "agent", key: agent.id });
    expect(await it.store.getAgent(agent.id)).toBeNull();
  });

  test("a deleted domain takes its role mailbox and that one's mail with it", async () => {
    await using fresh = await freshSubject(it);
    const owner = await addAccount(fresh.store);
    await addDomain(fresh.store, owner.id, "roles.example");
    await fresh.store.acceptInbound(mailFor([], { recipients: [recipient("postmaster@roles.example")] }));
    expect(await fresh.store.deleteDomain(owner.id, "roles.example")).toBe(true);
    expect(await countRows(fresh)).toEqual(noRows);
  });

  test("a sweep deletes old mail in as many steps as it takes, and only old mail", async () => {
    await using fresh = await freshSubject(it);
    const { store } = fresh;
    const agents = await Promise.all(Array.from({ length: 30 }, () => addAgent(store, { mode: "cloud" })));
    const ids = agents.map((agent) => agent.id);
    // 20 messages to 30 agents: more rows than one step deletes.
    await Promise.all(
      Array.from({ length: 20 }, (_, i) => store.acceptInbound(mailFor(ids, { receivedAt: later(i) }))),
    );
    const before = { deliveriesBefore: noon, idempotencyBefore: noon, now: noon };
    await store.sweep({ ...before, messagesBefore: null });
    expect(await countRows(fresh)).toMatchObject({ messages: 600, raw_mail: 20 });
    await store.sweep({ ...before, messagesBefore: later(18) });
    const left = {
      ...noRows,
      agents: 30,
      messages: 60,
      raw_mail: 2,
      message_search: 60,
      deliveries: 60,
      correspondents: 30,
    };
    expect(await countRows(fresh)).toEqual(left);
    const kept = await store.messagesAfter(ids[0]!, 0, { unreadOnly: false, limit: 5 });
    expect(kept.map((row) => row.createdAt.getTime()).sort()).toEqual([18, 19].map((ms) => later(ms).getTime()));
  }, 20_000);
});
