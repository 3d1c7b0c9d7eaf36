/**
 * Checks an agent's mailbox against a model: its lists, pages, filters and counts match what was stored and changed.
 */
import { expect, test } from "bun:test";
import fc from "fast-check";
import { addAccount, addAgent, later, mailFor } from "../../../test/store/rows.ts";
import { onDatabases, unique } from "../../../test/store/stores.ts";
import { holds, step } from "../../../test/support/property.ts";
import type { Store } from "../store.ts";
import type { MessageFilter } from "./messages.ts";

interface Message {
  id: string;
  agent: number;
  seq: number;
  mail: number;
  status: "unread" | "read";
  labels: Set<string>;
  conversationId: string;
}
/** A received mail: for one agent or both, and perhaps offered again. */
interface Mail {
  emailMessageId: string;
  references: string[];
  bytes: Buffer;
  from: string;
  words: string[];
  at: number;
}
interface Model {
  mails: Mail[];
  messages: Message[];
  /** The last sequence number of each agent. */
  seqs: [number, number];
}
interface World {
  store: Store;
  agents: string[];
}

const words = ["apple", "apples", "banana", "straße", "日本"];
const labels = ["a", "B", "ä", "todo"];
/** Counted from the newest, which is usually the interesting one. */
const which = fc.oneof(fc.constant(0), fc.nat(3), fc.nat(20));
const chosen = <T>(list: readonly T[], index: number): T | undefined =>
  list.at(-1 - (index % Math.max(1, list.length)));
const agentOf = ({ agents }: World, { agent }: Pick<Message, "agent">) => agents[agent] ?? "";

/** The model's first messages that match the filter. */
function wanted(model: Model, agent: number, filter: MessageFilter & { word?: string }): Message[] {
  return model.messages.filter((message) => {
    const mail = model.mails[message.mail] as Mail;
    return (
      message.agent === agent &&
      (!filter.status || message.status === filter.status) &&
      (!filter.from || mail.from === filter.from) &&
      (!filter.label || message.labels.has(filter.label)) &&
      (!filter.conversationId || message.conversationId === filter.conversationId) &&
      (!filter.since || later(mail.at) >= filter.since) &&
      (!filter.until || later(mail.at) < filter.until) &&
      (!filter.word || mail.words.some((word) => word.startsWith(filter.word as string)))
    );
  });
}

const shown = ({ id, seq, status, labels, conversationId }: Message) => ({
  id,
  seq,
  status,
  labels: [...labels].sort(),
  conversationId,
});

const accept = step<
  Model,
  World,
  { to: number[]; from: string; about: string[]; at: number; answers: number[]; again: number | null }
>(
  "accept",
  fc.record({
    to: fc.subarray([0, 1], { minLength: 1 }),
    from: fc.constantFrom("ann@people.example", "bob@people.example"),
    about: fc.subarray(words, { maxLength: 3 }),
    at: fc.nat(5),
    answers: fc.array(which, { maxLength: 2 }),
    again: fc.option(which, { freq: 4 }),
  }),
  async ({ to, from, about, at, answers, again }, model, world) => {
    const earlier = again === null ? undefined : chosen(model.mails, again);
    const references = answers.flatMap((index) => chosen(model.mails, index)?.emailMessageId ?? []);
    const fresh: Mail = {
      emailMessageId: `<${unique("id")}@people.example>`,
      references,
      bytes: Buffer.from(unique("bytes")),
      from,
      words: about,
      at,
    };
    const mail = earlier ?? fresh;
    if (!earlier) model.mails.push(mail);
    const index = model.mails.indexOf(mail);
    const accepted = await world.store.acceptInbound(
      mailFor(
        to.map((agent) => world.agents[agent] ?? ""),
        {
          ...{
            emailMessageId: mail.emailMessageId,
            dedupeKey: mail.emailMessageId,
            references: mail.references,
            bytes: mail.bytes,
          },
          from: [{ address: mail.from, name: "" }],
          subject: mail.words[0] ?? "",
          content: { text: mail.words.join(" ") },
          receivedAt: later(mail.at),
        },
      ),
    );
    expect(accepted.map(({ message }) => message.agentId)).toEqual(to.map((agent) => world.agents[agent] ?? "").sort());
    for (const { message, fresh: isFresh } of accepted) {
      const agent = world.agents.indexOf(message.agentId);
      const known = model.messages.find((one) => one.agent === agent && one.mail === index);
      expect([isFresh, known?.id ?? message.id]).toEqual([known === undefined, message.id]);
      if (known) continue;
      // The newest of the messages it replies to determines its conversation.
      const answered = model.messages.filter(
        (one) => one.agent === agent && mail.references.includes(model.mails[one.mail]?.emailMessageId ?? ""),
      );
      const conversationId = answered.toSorted((a, b) => b.seq - a.seq)[0]?.conversationId;
      if (conversationId) expect(message.conversationId).toBe(conversationId);
      else expect(model.messages.map((one) => one.conversationId)).not.toContain(message.conversationId);
      expect(message.seq).toBeGreaterThan(model.seqs[agent] ?? 0);
      model.seqs[agent] = message.seq;
      const { id, seq } = message;
      model.messages.push({
        id,
        agent,
        seq,
        mail: index,
        status: "unread",
        labels: new Set(),
        conversationId: message.conversationId,
      });
    }
  },
);

const change = step<Model, World, { which: number; status: "read" | "unread" | null; add: string[]; remove: string[] }>(
  "change",
  fc.record({
    which,
    status: fc.constantFrom("read" as const, "unread" as const, null),
    add: fc.subarray(labels),
    remove: fc.subarray(labels),
  }),
  async ({ which: index, status, add, remove }, model, world) => {
    const message = chosen(model.messages, index);
    if (!message) return;
    const changes = { ...(status ? { status } : {}), addLabels: add, removeLabels: remove };
    // The other agent does not have it.
    const other = world.agents[1 - message.agent] ?? "";
    expect(await world.store.updateMessage(other, message.id, changes)).toBeNull();
    const answer = await world.store.updateMessage(agentOf(world, message), message.id, changes);
    if (status) message.status = status;
    message.labels = new Set([...message.labels].filter((label) => !remove.includes(label)).concat(add));
    expect(answer && shown({ ...message, ...answer, labels: new Set(answer.labels) })).toEqual(shown(message));
  },
);

const remove = step<Model, World, number>("remove", which, async (index, model, world) => {
  const message = chosen(model.messages, index);
  if (!message) return;
  expect(await world.store.deleteMessage(world.agents[1 - message.agent] ?? "", message.id)).toBe(false);
  expect(await world.store.deleteMessage(agentOf(world, message), message.id)).toBe(true);
  expect(await world.store.deleteMessage(agentOf(world, message), message.id)).toBe(false);
  model.messages = model.messages.filter((one) => one !== message);
});

const read = step<Model, World, number>("read", which, async (index, model, world) => {
  const message = chosen(model.messages, index);
  if (!message) return;
  const found = await world.store.getMessage(agentOf(world, message), message.id);
  expect(found?.raw).toEqual(model.mails[message.mail]?.bytes as Buffer);
  expect(found && shown({ ...message, ...found.message, labels: new Set(found.message.labels) })).toEqual(
    shown(message),
  );
});

const list = step<
  Model,
  World,
  {
    agent: number;
    page: number;
    sort: "asc" | "desc";
    filter: MessageFilter;
    word: string | undefined;
    inOf: number | null;
  }
>(
  "list",
  fc.record({
    agent: fc.nat(1),
    page: fc.integer({ min: 1, max: 4 }),
    sort: fc.constantFrom("asc" as const, "desc" as const),
    word: fc.option(fc.constantFrom(...words.flatMap((word) => [word, word.slice(0, 2)])), { nil: undefined, freq: 2 }),
    inOf: fc.option(which, { freq: 3 }),
    filter: fc.record(
      {
        status: fc.constantFrom("read" as const, "unread" as const),
        from: fc.constantFrom("ann@people.example", "bob@people.example"),
        label: fc.constantFrom(...labels),
        since: fc.nat(5).map(later),
        until: fc.nat(6).map(later),
      },
      { requiredKeys: [] },
    ),
  }),
  async ({ agent, page, sort, filter: some, word, inOf }, model, world) => {
    const conversationId = inOf === null ? undefined : chosen(model.messages, inOf)?.conversationId;
    const filter = { ...some, ...(conversationId ? { conversationId } : {}) };
    const id = world.agents[agent] ?? "";
    const found: unknown[] = [];
    for (let after: number | undefined; ; ) {
      const rows = await world.store.listMessages(id, word ? { ...filter, q: word } : filter, {
        ...{ sort, limit: page },
        ...(after === undefined ? {} : { after }),
      });
      found.push(...rows.map((row) => shown({ ...row, agent, mail: 0, labels: new Set(row.labels) })));
      after = rows.at(-1)?.seq;
      // A page that repeats would never end.
      if (rows.length < page || found.length > model.messages.length) break;
    }
    const all = wanted(model, agent, word ? { ...filter, word } : filter).toSorted((a, b) => a.seq - b.seq);
    expect(found).toEqual((sort === "asc" ? all : all.reverse()).map(shown));
    expect(await world.store.countMessages(id)).toEqual({
      total: wanted(model, agent, {}).length,
      unread: wanted(model, agent, { status: "unread" }).length,
    });
    const news = await world.store.messagesAfter(id, 0, { unreadOnly: true, limit: 1_000 });
    expect(news.map(({ id }) => id)).toEqual(
      wanted(model, agent, { status: "unread" })
        .toSorted((a, b) => a.seq - b.seq)
        .map(({ id }) => id),
    );
  },
);

const steps = fc.commands([accept, accept, change, change, remove, read, list, list, list], {
  maxCommands: 40,
  size: "max",
});

onDatabases(
  ({ name }) => name !== "SQLite file",
  (it) => {
    test("a mailbox is as its model, whatever is done with it", async () => {
      const { store } = it;
      const run = async (commands: Iterable<fc.AsyncCommand<Model, World>>) => {
        const { id: userId } = await addAccount(store);
        const agents = [await addAgent(store, { userId }), await addAgent(store, { userId })].map(({ id }) => id);
        const model: Model = { mails: [], messages: [], seqs: [0, 0] };
        await fc.asyncModelRun(() => ({ model, real: { store, agents } }), commands);
      };
      await holds(fc.asyncProperty(steps, run), { share: it.place.dialect === "sqlite" ? 0.3 : 0.1 });
    });
  },
);
