import { expect, test } from "bun:test";
import {
  addAccount,
  addAgent,
  addDomain,
  addMessage,
  addOutbound,
  later,
  mailFor,
  noon,
  recipient,
} from "../../../test/store/rows.ts";
import { freshSubject, onEveryDatabase, twoNodes, unique } from "../../../test/store/stores.ts";
import type { Mailbox } from "../../mail.ts";
import type { Signal } from "../engine/engine.ts";

const everything = { unreadOnly: false, limit: 1_000 };

onEveryDatabase((it) => {
  const inbox = (agentId: string) => it.store.messagesAfter(agentId, 0, everything);

  test("a message is stored for each of its recipients, with the id it was given, sharing the bytes", async () => {
    const [a, b] = [await addAgent(it.store), await addAgent(it.store)];
    const mail = mailFor([a.id, b.id]);
    const accepted = await it.store.acceptInbound(mail);
    expect(accepted.map(({ fresh }) => fresh)).toEqual([true, true]);
    expect(accepted.map(({ message }) => message.id).sort()).toEqual(mail.recipients.map((r) => r.messageId).sort());
    for (const { message } of accepted) {
      const stored = await it.store.getMessage(message.agentId, message.id);
      expect(stored?.message).toEqual({ ...message, labels: [] });
      expect(stored?.raw).toEqual(Buffer.from(mail.raw.bytes));
      expect(stored?.content).toEqual(mail.content);
      expect(message).toMatchObject({ status: "unread", seq: 1, recipient: message.agentId, verified: true });
    }
  });

  test("mail that is read anew keeps the author that was found at first, if there was one", async () => {
    const agent = await addAgent(it.store);
    const author = (name: string, title = "") => ({ address: `${name}@sender.example`, name: title });
    const [ann, eve] = [author("ann"), author("eve")];
    const cases: [stored: Mailbox[], read: Mailbox[], kept: Mailbox[]][] = [
      [[ann], [eve], [ann]],
      [[ann], [ann, eve], [ann]],
      [[ann], [], [ann]],
      [[ann], [author("ann", "Ann")], [author("ann", "Ann")]],
      [[], [eve], [eve]],
    ];
    for (const [from, read, kept] of cases) {
      const { id, rawSha256 } = await addMessage(it.store, agent.id, { from });
      await it.store.renewContent(rawSha256, mailFor(agent.id, { from: read, subject: "Read anew" }));
      const after = await it.store.getMessage(agent.id, id);
      expect(after?.message).toMatchObject({ from: kept, fromAddress: kept[0]?.address, subject: "Read anew" });
    }
  });

  test("all recipients or none: when one cannot be stored, nothing of the message is there", async () => {
    const [a, b] = [await addAgent(it.store), await addAgent(it.store)];
    const mail = mailFor([a.id, b.id], { receivedAt: later(1) });
    // Rows are written in order of mailbox; the second recipient's row cannot be written.
    const last = mail.recipients.sort((x, y) => (x.mailbox < y.mailbox ? -1 : 1))[1]!;
    const broken = { ...mail, recipients: [mail.recipients[0]!, { ...last, messageId: null as unknown as string }] };
    const heard: Signal[] = [];
    const unsubscribe = it.engine.onSignal((signal) => {
      if (signal.key === a.id || signal.key === b.id) heard.push(signal);
    });
    await expect(it.store.acceptInbound(broken)).rejects.toThrow();
    await it.store.probeWrite(noon);
    unsubscribe();
    expect([await inbox(a.id), await inbox(b.id), heard]).toEqual([[], [], []]);
    await it.store.acceptInbound(mail);
    expect([await inbox(a.id), await inbox(b.id)].map((rows) => rows.map((row) => row.seq))).toEqual([[1], [1]]);
  });

  test("sub-addresses of one mailbox make one message", async () => {
    const agent = await addAgent(it.store);
    const tagged = (tag: string) => recipient(agent.id, agent.id.replace("@", `+${tag}@`).toUpperCase());
    const accepted = await it.store.acceptInbound(mailFor([], { recipients: ["a", "b", "c"].map(tagged) }));
    expect(accepted).toHaveLength(1);
    expect(accepted[0]!.message.recipient).toMatch(/^bot-[0-9a-f]+\+[abc]@agents\.example$/);
  });

  test("a mailbox that vanished is left out; the others get their mail", async () => {
    const [a, b] = [await addAgent(it.store), await addAgent(it.store)];
    await it.store.deleteAgent(b.id, new Date());
    const accepted = await it.store.acceptInbound(mailFor([a.id, b.id]));
    expect(accepted.map(({ message }) => message.agentId)).toEqual([a.id]);
    expect(await it.store.acceptInbound(mailFor([b.id]))).toEqual([]);
  });

  test("an event is written with the message, and a delivery for an agent with a webhook only", async () => {
    const [cloud, local] = [await addAgent(it.store, { mode: "cloud" }), await addAgent(it.store)];
    const heard: Signal[] = [];
    const unsubscribe = it.engine.onSignal((signal) => heard.push(signal));
    const accepted = await it.store.acceptInbound(mailFor([cloud.id, local.id]));
    unsubscribe();
    expect(heard).toContainEqual({ topic: "mail", key: cloud.id });
    expect(heard).toContainEqual({ topic: "mail", key: local.id });
    expect(heard).toContainEqual({ topic: "deliveries", key: cloud.id });
    for (const { message } of accepted) {
      const deliveries = await it.store.deliveriesOf(message.id);
      expect(deliveries).toHaveLength(message.agentId === cloud.id ? 1 : 0);
      if (deliveries[0])
        expect(deliveries[0]).toMatchObject({
          eventId: message.eventId,
          endpointId: cloud.id,
          status: "pending",
          attempts: 0,
          nextAttemptAt: noon,
          leaseToken: null,
          finishedAt: null,
          tries: [],
        });
    }
  });

  test("an event has at most 1,000 characters of a subject that its message has whole", async () => {
    const agent = await addAgent(it.store);
    // Half a surrogate pair is not valid Unicode: strict JSON parsers reject it.
    for (const [end, kept] of [
      ["bc", "b"],
      ["😀", "\ufffd"],
    ]) {
      const subject = `${"a".repeat(999)}${end}`;
      const [accepted] = await it.store.acceptInbound(mailFor(agent.id, { subject }));
      expect((await it.store.getMessage(agent.id, accepted!.message.id))?.message.subject).toBe(subject);
      const event = await it.store.getEvent(accepted!.message.eventId);
      expect(event?.data).toHaveProperty("subject", `${"a".repeat(999)}${kept}`);
    }
  });

  test("the same message offered again is found, not stored again", async () => {
    const agent = await addAgent(it.store, { mode: "cloud" });
    const offer = { dedupeKey: unique("key") };
    const [first] = await it.store.acceptInbound(mailFor(agent.id, offer));
    // A retry has an additional Received field, so its bytes differ.
    const [again] = await it.store.acceptInbound(mailFor(agent.id, offer));
    expect(first?.fresh).toBe(true);
    expect(again?.fresh).toBe(false);
    expect(again?.message).toEqual(first!.message);
    expect(await inbox(agent.id)).toHaveLength(1);
    expect(await it.store.deliveriesOf(first!.message.id)).toHaveLength(1);
  });

  test("twenty equal offers at once make one message", async () => {
    const agent = await addAgent(it.store);
    const nodes = await twoNodes(it);
    const dedupeKey = unique("key");
    const all = await Promise.all(
      Array.from({ length: 20 }, (_, i) => nodes[i % 2]!.store.acceptInbound(mailFor(agent.id, { dedupeKey }))),
    );
    expect(all.flat().filter(({ fresh }) => fresh)).toHaveLength(1);
    expect(new Set(all.flat().map(({ message }) => message.id)).size).toBe(1);
    expect(await inbox(agent.id)).toHaveLength(1);
  });

  test("a message offered again reaches a recipient who has not got it yet", async () => {
    // Addresses are stored in order: the first and the last one have the message already.
    const name = unique("bot");
    const [a, b, c] = await Promise.all(
      ["a", "b", "c"].map((letter) => addAgent(it.store, { address: `${letter}${name}@agents.example` })),
    );
    const dedupeKey = unique("key");
    await it.store.acceptInbound(mailFor(a!.id, { dedupeKey }));
    await it.store.acceptInbound(mailFor(c!.id, { dedupeKey }));
    const accepted = await it.store.acceptInbound(mailFor([a!.id, b!.id, c!.id], { dedupeKey }));
    expect(accepted.map(({ message, fresh }) => [message.agentId, fresh])).toEqual([
      [a!.id, false],
      [b!.id, true],
      [c!.id, false],
    ]);
    for (const agent of [a, b, c]) expect(await inbox(agent!.id)).toHaveLength(1);
    const late = await it.store.acceptInbound(mailFor([b!.id, `z${name}@agents.example`], { dedupeKey }));
    expect(late.map(({ fresh }) => fresh)).toEqual([false]);
  });

  test("messages without a key are never taken for each other", async () => {
    const agent = await addAgent(it.store);
    await Promise.all(Array.from({ length: 5 }, () => addMessage(it.store, agent.id, { emailMessageId: null })));
    expect(await inbox(agent.id)).toHaveLength(5);
  });

  test("a conversation goes on through References, is the newest one named, and is the agent's own", async () => {
    const [agent, other] = [await addAgent(it.store), await addAgent(it.store)];
    const id = (name: string) => `<${name}-${agent.id}>`;
    const conversation = async (agentId: string, emailMessageId: string, references: string[] = []) =>
      (await addMessage(it.store, agentId, { emailMessageId, references })).conversationId;

    const first = await conversation(agent.id, id("1"));
    const second = await conversation(agent.id, id("2"));
    expect(first).not.toBe(second);
    expect(await conversation(agent.id, id("3"), [id("unknown"), id("1")])).toBe(first);
    // A reply to the reply; only the last reference is known.
    expect(await conversation(agent.id, id("4"), [id("3")])).toBe(first);
    expect(await conversation(agent.id, id("5"), [id("2"), id("1")])).toBe(second);
    expect(await conversation(agent.id, id("6"), [id("unknown")])).not.toBeOneOf([first, second]);
    expect(await conversation(other.id, id("7"), [id("1")])).not.toBe(first);
    // However long the chain is, the newest references are the last ones.
    const chain = [...Array.from({ length: 2_000 }, (_, i) => id(`far-${i}`)), id("4")];
    expect(await conversation(agent.id, id("8"), chain)).toBe(first);
  });

  test("an id is that of the message that had it first, and the agent's own ids of its own mail", async () => {
    const agent = await addAgent(it.store);
    const arrival = (emailMessageId: string, references: string[] = []) =>
      addMessage(it.store, agent.id, { emailMessageId, references });
    const offer = (await addOutbound(it.store, agent.id)).message;
    const question = await arrival(`<question-${agent.id}>`);
    // From a sender who has seen both ids.
    const thief = await arrival(offer.emailMessageId);
    const again = await arrival(question.emailMessageId ?? "");
    expect(new Set([offer, question, thief, again].map(({ conversationId }) => conversationId)).size).toBe(4);
    const follow = async (...ids: string[]) => (await arrival(`<${crypto.randomUUID()}@x>`, ids)).conversationId;
    expect(await follow(offer.emailMessageId)).toBe(offer.conversationId);
    expect(await follow(question.emailMessageId ?? "")).toBe(question.conversationId);
    const both = [question.emailMessageId ?? "", offer.emailMessageId];
    expect(await follow(...both)).toBe(offer.conversationId);
    expect(await it.store.conversationsOf(agent.id, both)).toEqual([offer.conversationId, question.conversationId]);
  });

  test("the oldest known reference decides, however many there are, unless the agent answered elsewhere", async () => {
    const agent = await addAgent(it.store);
    const sent = async () => (await addOutbound(it.store, agent.id)).message;
    const [root, branch] = [await sent(), await sent()];
    const unknown = Array.from({ length: 1_200 }, (_, i) => `<u${i}@${agent.id}>`);
    const answer = (references: string[], inReplyTo: string | null = null) =>
      addMessage(it.store, agent.id, { references, inReplyTo });
    const chain = [root.emailMessageId, ...unknown, branch.emailMessageId];
    expect((await answer(chain)).conversationId).toBe(root.conversationId);
    expect((await answer([...unknown, root.emailMessageId])).conversationId).toBe(root.conversationId);
    // Looking up each would keep the writer busy for as long as a stranger likes.
    const middle = [...unknown.slice(0, 600), root.emailMessageId, ...unknown.slice(600)];
    expect((await answer(middle)).conversationId).not.toBe(root.conversationId);
    expect((await answer(chain, branch.emailMessageId)).conversationId).toBe(branch.conversationId);
  });

  test("an id that the upstream gave finds the conversation, a guessable one only for its recipient", async () => {
    const [agent, other] = [await addAgent(it.store), await addAgent(it.store)];
    const sent = async (providerId: string) => {
      const lease = unique("lease");
      const recipients = [{ address: "bob@outside.example", lease }];
      const { message } = await addOutbound(it.store, agent.id, { recipients });
      const outcome = { kind: "sent", method: "smtp", status: "sent", reply: "250 OK", providerId } as const;
      await it.store.finishRecipient({ messageId: message.id, n: 0, leaseToken: lease }, outcome, later(1_000));
      return message.conversationId;
    };
    const conversation = async (id: string, from = "ann@elsewhere.example", agentId = agent.id) =>
      (await addMessage(it.store, agentId, { references: [id], from: [{ address: from, name: "" }] })).conversationId;
    const ses = `0100018f2a3b4c5d-${crypto.randomUUID()}-000000`;
    const outlook = `DB7PR04MB5563${crypto.randomUUID().replaceAll("-", "").toUpperCase()}@DB7PR04MB5563.eurprd04.prod.outlook.com`;
    const rows: [providerId: string, id: string][] = [
      [ses, `<${ses}@email.amazonses.com>`],
      [ses, `<${ses}@eu-west-1.amazonses.com>`],
      [outlook, `<${outlook}>`],
    ];
    for (const [providerId, id] of rows) {
      const expected = await sent(providerId);
      expect(await conversation(id)).toBe(expected);
      expect(await conversation(id, "ann@elsewhere.example", other.id)).not.toBe(expected);
    }
    for (const weak of ["202501011234.12345678901@smtp-relay.mailin.fr", "4XyZ12AbCd"]) {
      const id = `<${weak}${weak.includes("@") ? "" : "@eu-west-1.amazonses.com"}>`;
      const expected = await sent(weak);
      expect(await conversation(id, "bob@outside.example")).toBe(expected);
      expect(await conversation(id)).not.toBe(expected);
      expect(await conversation("<4XyZ12AbCd@elsewhere.example>", "bob@outside.example")).not.toBe(expected);
    }
  });

  test("who foresaw an id does not get the answers to what the agent wrote in another conversation", async () => {
    const agent = await addAgent(it.store);
    const order = `<order-1235-${agent.id}>`;
    const arrival = (emailMessageId: string, references: string[] = []) =>
      addMessage(it.store, agent.id, { emailMessageId, references });
    const thief = await arrival(order);
    const customer = await arrival(order);
    expect(customer.conversationId).not.toBe(thief.conversationId);
    const { conversationId } = customer;
    const reply = (await addOutbound(it.store, agent.id, { conversationId })).message;
    const answer = await arrival(`<second-${agent.id}>`, [order, reply.emailMessageId]);
    expect(answer.conversationId).toBe(conversationId);
  });

  test("role mailboxes: made by their first mail, owned by the domain's owner, not listed as agents", async () => {
    const owner = await addAccount(it.store);
    const domain = `${unique("roles")}.example`;
    await addDomain(it.store, owner.id, domain);
    const found = await it.store.findMailbox(`Abuse@${domain.toUpperCase()}`, "agents.example");
    expect(found).toEqual({ kind: "mailbox", id: `postmaster@${domain}` });
    const nodes = await twoNodes(it);
    await Promise.all(
      Array.from({ length: 8 }, (_, i) =>
        nodes[i % 2]!.store.acceptInbound(
          mailFor([], { recipients: [recipient(`postmaster@${domain}`, `abuse@${domain}`)] }),
        ),
      ),
    );
    const rows = await inbox(`postmaster@${domain}`);
    expect(rows.map((row) => row.seq)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    const stored = await it.store.getMessage(`postmaster@${domain}`, rows[0]!.id);
    expect(stored?.message).toMatchObject({ userId: owner.id, recipient: `abuse@${domain}` });
    expect(await it.store.listAgents(owner.id)).toEqual([]);
    // A role mailbox of an unhosted domain does not exist, and neither does one with another local part.
    for (const gone of [`postmaster@${unique("nobody")}.example`, `hostmaster@${domain}`])
      expect(await it.store.acceptInbound(mailFor(gone))).toEqual([]);
  });

  test("numbers follow the commits: a reader that goes on from the last one misses nothing and sees nothing twice", async () => {
    const agent = await addAgent(it.store);
    const nodes = await twoNodes(it);
    const [writers, each] = [20, 10];
    const offers = new Map<string, number>();
    const writing = Array.from({ length: writers }, async (_, w) => {
      for (let m = 0; m < each; m++) {
        // Every fifth message is a repetition, which uses up a sequence number without storing a message.
        const dedupeKey = m % 5 === 4 ? `${agent.id}-${w}-${m - 1}` : `${agent.id}-${w}-${m}`;
        const [accepted] = await nodes[w % 2]!.store.acceptInbound(mailFor(agent.id, { dedupeKey }));
        offers.set(accepted!.message.id, accepted!.message.seq);
      }
    });
    const reader = nodes[1]!;
    const seen: { id: string; seq: number }[] = [];
    let done = false;
    const finished = Promise.all(writing).then(() => {
      done = true;
    });
    for (let last = false; ; ) {
      const rows = await reader.store.messagesAfter(agent.id, seen.at(-1)?.seq ?? 0, { unreadOnly: true, limit: 7 });
      seen.push(...rows);
      if (rows.length > 0) continue;
      if (last) break;
      last = done;
      // Lets the writers continue: in memory all promises would settle in one turn.
      await new Promise((resolve) => setImmediate(resolve));
    }
    await finished;
    expect(seen.map((row) => row.id).sort()).toEqual([...offers.keys()].sort());
    expect(seen).toHaveLength(writers * each * 0.8);
    expect(seen.map((row) => row.seq)).toEqual(seen.map((row) => row.seq).sort((x, y) => x - y));
  });

  test("messages to overlapping sets of agents at once do not block each other for good", async () => {
    const agents = await Promise.all(Array.from({ length: 6 }, () => addAgent(it.store)));
    const nodes = await twoNodes(it);
    const some = (i: number) => [0, 1, 2].map((k) => agents[(i * 5 + k * (i % 4) + k) % 6]!.id);
    await Promise.all(Array.from({ length: 40 }, (_, i) => nodes[i % 2]!.store.acceptInbound(mailFor(some(i)))));
    for (const agent of agents) {
      const seqs = (await inbox(agent.id)).map((row) => row.seq);
      expect(seqs).toEqual(seqs.map((_, i) => i + 1));
    }
  });
});

onEveryDatabase((it) => {
  test("the shared domain's role mail goes to the first account; without one there is no mailbox yet", async () => {
    await using fresh = await freshSubject(it);
    const { store } = fresh;
    await store.ensureSharedDomain({ domain: "agents.example", now: noon });
    const find = (address: string) => store.findMailbox(address, "agents.example");
    expect(await find("postmaster@agents.example")).toEqual({ kind: "unowned" });
    expect(await store.acceptInbound(mailFor("postmaster@agents.example"))).toEqual([]);
    const owner = await addAccount(store);
    await addAccount(store, later(-1_000)).then((older) => expect(older.createdAt < owner.createdAt).toBe(true));
    const first = await store.firstUser();
    // RFC 5321 4.5.1: "postmaster" without a domain, in any case, is an address.
    for (const address of [
      "postmaster@agents.example",
      "Postmaster",
      "abuse@agents.example",
      "postmaster+x@agents.example",
    ])
      expect(await find(address)).toEqual({ kind: "mailbox", id: "postmaster@agents.example" });
    const [accepted] = await store.acceptInbound(mailFor("postmaster@agents.example"));
    expect(accepted?.message.userId).toBe(first!.id);
  });
});
