import { describe, expect, test } from "bun:test";
import { eq, sql } from "drizzle-orm";
import { addAgent, addMessage, addOutbound, later, noticeFor, watch } from "../../../test/store/rows.ts";
import { onEveryDatabase, type Subject } from "../../../test/store/stores.ts";
import { ask, type Verb } from "../engine/engine.ts";
import type { ConversationPosition, ConversationsPosition } from "./conversations.ts";

onEveryDatabase((it) => {
  /** A message received `ms` after noon, as a reply to `references`. */
  const received = (agent: string, ms: number, subject: string, references: string[] = [], from = "alice") =>
    addMessage(it.store, agent, {
      ...{ subject, snippet: `${subject}!`, references, receivedAt: later(ms) },
      from: [{ address: from === "" ? "" : `${from}@sender.example`, name: "" }],
    });
  const sent = (
    agent: string,
    ms: number,
    subject: string,
    references: string[] = [],
    recipients = ["bob@x.example"],
  ) =>
    addOutbound(it.store, agent, {
      ...{ message: { subject, snippet: `${subject}!` }, references, recipients, now: later(ms) },
    }).then(({ message }) => message);
  const idOf = (message: { emailMessageId: string | null }) => [message.emailMessageId ?? ""];

  describe("an agent's conversations", () => {
    test("are listed by their newest message of either direction", async () => {
      const { id: agent } = await addAgent(it.store);
      const question = await received(agent, 0, "Question");
      const offer = await sent(agent, 1_000, "Offer", [], ["carol@x.example", agent, "bob@x.example"]);
      const alone = await received(agent, 2_000, "Alone", [], "");
      const answer = await sent(agent, 3_000, "Re: Question", idOf(question), ["alice@sender.example"]);
      const second = await received(agent, 4_000, "Re: Offer", idOf(offer), "carol");
      const third = await received(agent, 5_000, "Re: Offer", idOf(second), "dave");
      await it.store.setReadStatus(agent, second.id, "read");

      const rows = await it.store.listConversations(agent, { limit: 10 });
      expect(rows.map(({ position: _, ...row }) => row)).toEqual([
        {
          id: offer.conversationId,
          subject: "Offer",
          participants: ["bob@x.example", "carol@sender.example", "carol@x.example", "dave@sender.example"],
          messageCount: 3,
          unreadCount: 1,
          last: {
            ...{ id: third.id, direction: "inbound", from: "dave@sender.example", snippet: "Re: Offer!" },
            verified: true,
            createdAt: later(5_000),
          },
        },
        {
          id: question.conversationId,
          subject: "Question",
          participants: ["alice@sender.example"],
          messageCount: 2,
          unreadCount: 1,
          last: {
            ...{ id: answer.id, direction: "outbound", from: agent, snippet: "Re: Question!" },
            verified: true,
            createdAt: later(3_000),
          },
        },
        {
          id: alone.conversationId,
          subject: "Alone",
          participants: [],
          messageCount: 1,
          unreadCount: 1,
          last: {
            ...{ id: alone.id, direction: "inbound", from: "", snippet: "Alone!" },
            verified: alone.verified,
            createdAt: later(2_000),
          },
        },
      ]);
    });

    test("come in pages, each once, whichever direction came last", async () => {
      const { id: agent } = await addAgent(it.store);
      const expected: string[] = [];
      for (let n = 0; n < 4; n++) {
        const ms = n * 10_000;
        const one = await received(agent, ms, `got ${n}`);
        await sent(agent, ms + 1, `answered ${n}`, idOf(one));
        const two = await sent(agent, ms + 2, `asked ${n}`);
        await received(agent, ms + 3, `heard ${n}`, idOf(two));
        // At the same time in both tables.
        const three = await received(agent, ms + 4, `tie ${n}`);
        await sent(agent, ms + 4, `tie ${n}`, idOf(three));
        expected.unshift(three.conversationId, two.conversationId, one.conversationId);
      }
      for (const limit of [1, 2, 5, 50]) expect(await allConversations(it, agent, limit)).toEqual(expected);
    });

    test("are found below what retention and busy conversations leave between them", async () => {
      const { id: agent } = await addAgent(it.store);
      const expected: string[] = [];
      for (const n of [0, 1, 2]) {
        expected.unshift((await received(agent, n * 1_000, `Topic ${n}`)).conversationId);
        await skip(it, agent, 30_000);
      }
      for (const limit of [1, 5]) expect(await allConversations(it, agent, limit)).toEqual(expected);
    });

    test("are gone with their messages, and are nobody else's", async () => {
      const [{ id: agent }, { id: other }] = [await addAgent(it.store), await addAgent(it.store)];
      const message = await received(agent, 0, "Short");
      expect(await it.store.listConversations(other, { limit: 5 })).toEqual([]);
      expect(await it.store.getConversation(other, message.conversationId, { limit: 5 })).toBeNull();
      await it.store.deleteMessage(agent, message.id);
      expect(await it.store.listConversations(agent, { limit: 5 })).toEqual([]);
      expect(await it.store.getConversation(agent, message.conversationId, { limit: 5 })).toBeNull();
    });

    test("have no mail to reviewers among them", async () => {
      const agent = await addAgent(it.store);
      await watch(it.store, agent.id);
      const held = await sent(agent.id, 0, "Held");
      await it.store.storeNotices([noticeFor(agent)], [held.id], later(1_000));
      expect(await allConversations(it, agent.id, 5)).toEqual([held.conversationId]);
    });

    test("name fifty people at most", async () => {
      const { id: agent } = await addAgent(it.store);
      const recipients = Array.from({ length: 60 }, (_, n) => `p${String(n).padStart(2, "0")}@x.example`);
      await sent(agent, 0, "To all", [], recipients);
      const [row] = await it.store.listConversations(agent, { limit: 5 });
      expect(row?.participants).toEqual(recipients.slice(0, 50));
    });
  });

  describe("one conversation", () => {
    test("is read oldest first, both directions, in pages", async () => {
      const { id: agent } = await addAgent(it.store);
      const first = await sent(agent, 0, "Topic", [], ["bob@x.example", "carol@x.example"]);
      const expected = [first.id];
      let last: { emailMessageId: string | null } = first;
      for (let n = 1; n <= 4; n++) {
        const got = await received(agent, n * 10, `Re: Topic ${n}`, idOf(last));
        const same = await sent(agent, n * 10 + 5, `again ${n}`, idOf(got));
        const twin = await sent(agent, n * 10 + 5, `twin ${n}`, idOf(got));
        expected.push(got.id, ...[same.id, twin.id].sort());
        last = got;
      }
      await received(agent, 1_000, "Another topic");
      for (const limit of [1, 2, 5, 50])
        expect(await allMessages(it, agent, first.conversationId, limit)).toEqual(expected);

      const found = await it.store.getConversation(agent, first.conversationId, { limit: 2 });
      expect(found?.subject).toBe("Topic");
      expect(found?.entries).toMatchObject([
        {
          direction: "outbound",
          outbound: { recipients: [{ address: "bob@x.example" }, { address: "carol@x.example" }] },
        },
        { direction: "inbound", message: { subject: "Re: Topic 1", labels: [] } },
      ]);
    });
  });
});

/** As if the agent had received `count` messages that were deleted since. */
function skip(it: Subject, agent: string, count: number): Promise<void> {
  return it.engine.write(function* (s): Verb<void> {
    const { agents } = s.t;
    yield* ask(
      s.db
        .update(agents)
        .set({ lastSeq: sql`${agents.lastSeq} + ${count}` })
        .where(eq(agents.id, agent)),
    );
  });
}

async function allConversations(it: Subject, agent: string, limit: number): Promise<string[]> {
  const all: string[] = [];
  for (let after: ConversationsPosition | undefined; ; ) {
    const rows = await it.store.listConversations(agent, { limit, ...(after ? { after } : {}) });
    all.push(...rows.map((row) => row.id));
    after = rows.at(-1)?.position;
    if (!after) return all;
  }
}

async function allMessages(it: Subject, agent: string, id: string, limit: number): Promise<string[]> {
  const all: string[] = [];
  for (let after: ConversationPosition | undefined; ; ) {
    const found = await it.store.getConversation(agent, id, { limit, ...(after ? { after } : {}) });
    const entries = found?.entries ?? [];
    all.push(...entries.map((entry) => (entry.direction === "inbound" ? entry.message.id : entry.outbound.message.id)));
    after = entries.at(-1)?.position;
    if (!after) return all;
  }
}
