import { expect, test } from "bun:test";
import { addAgent, addOutbound, claimRecipients, decision, later, unlimited, watch } from "../../../test/store/rows.ts";
import { onEveryDatabase, twoNodes, unique } from "../../../test/store/stores.ts";
import { eventsOf } from "../../../test/store/verbs.ts";
import type { RecipientRow } from "../schema.ts";
import type { Store } from "../store.ts";
import type { Edit } from "./holds.ts";
import type { Outbound } from "./outbound.ts";

const hold = { rule: "outside", reason: "It goes to an address outside this account." } as const;

onEveryDatabase((it) => {
  /** A message submitted before its agent's gate was switched on, with this many of its recipients claimed. */
  async function waiting(claimed: number): Promise<{ sent: Outbound; mine: RecipientRow[]; gate: Gate }> {
    const agent = await addAgent(it.store);
    const lane = unique("lane");
    const recipients = ["ann", "bob", "carol"].map((name) => ({ address: `${name}@people.example`, lane }));
    const sent = await addOutbound(it.store, agent.id, { recipients });
    const mine = await claim(it.store, lane, claimed);
    const settings = await watch(it.store, agent.id);
    return { sent, mine, gate: { hold, settings } };
  }
  type Gate = Parameters<Store["holdQueued"]>[0]["gate"];
  const claim = (store: Store, lane: string, free: number) => {
    const lease = { leaseUntil: later(9e6), leaseToken: unique("lease") };
    return claimRecipients(store, { ...lease, now: later(1), lanes: [{ lane, free }] });
  };
  const statuses = async ({ message }: Outbound) => {
    const after = await it.store.getOutbound(message.userId, message.id);
    return { is: after?.message.status, recipients: after?.recipients.map(({ status }) => status) };
  };
  const on = (recipient: RecipientRow, gate: Gate) => ({ recipient, gate, review: null, now: later(2) });

  test("held at its turn: recipients that wait are held with it, reviewers are to be told, and it is said once", async () => {
    const { sent, mine, gate } = await waiting(1);
    expect(await it.store.holdQueued(on(mine[0]!, gate))).toBe("held");
    expect(await statuses(sent)).toEqual({ is: "pending_approval", recipients: ["held", "held", "held"] });
    const after = await it.store.heldMessage(sent.message.id);
    expect(after?.message).toMatchObject({ hold, approvalExpiresAt: later(2 + 604_800_000), noticeDueAt: later(2) });
    expect(after?.recipients.map(({ leaseToken, queue }) => [leaseToken, queue])).toEqual(
      Array.from({ length: 3 }, () => [null, "held"]),
    );
    expect((await eventsOf(it, sent.message.userId)).map(({ type }) => type)).toEqual(["message.held"]);
    expect(
      await it.store.finishRecipient(mine[0]!, { kind: "released", at: later(3), error: null }, later(3)),
    ).toBeNull();
  });

  test("a recipient whose server has refused the message does not keep the others from their decision", async () => {
    const { sent, mine, gate } = await waiting(2);
    const refused = { kind: "failed", reply: "550 5.1.1 no", error: null, suppress: true } as const;
    await it.store.finishRecipient(mine[0]!, refused, later(2));
    expect(await it.store.holdQueued(on(mine[1]!, gate))).toBe("held");
    expect(await it.store.decideHold(decision(sent.message.id, { now: later(3) }))).toMatchObject({ kind: "done" });
    expect((await statuses(sent)).recipients).toEqual(["failed", "queued", "queued"]);
  });

  test("held by two at once: both find it held, and it is said once", async () => {
    const { sent, mine, gate } = await waiting(2);
    const [one, other] = await twoNodes(it);
    expect(
      await Promise.all([one.store.holdQueued(on(mine[0]!, gate)), other.store.holdQueued(on(mine[1]!, gate))]),
    ).toEqual(["held", "held"]);
    expect(await statuses(sent)).toEqual({ is: "pending_approval", recipients: ["held", "held", "held"] });
    expect((await eventsOf(it, sent.message.userId)).map(({ type }) => type)).toEqual(["message.held"]);
  });

  test("not held: with a lease that has passed on, by settings that have changed, or after a decision", async () => {
    const { sent, mine, gate } = await waiting(1);
    const other = { ...mine[0]!, leaseToken: "another" };
    expect(await it.store.holdQueued(on(other, gate))).toBe("gone");
    await it.store.updateAgent(sent.message.agentId, { hitlRules: { attachments: true } }, later(1));
    expect(await it.store.holdQueued(on(mine[0]!, gate))).toBe("changed");
    expect(await statuses(sent)).toEqual({ is: "sending", recipients: ["sending", "queued", "queued"] });
  });

  test("what is in another hand or was tried is not taken from there, and an edit writes to nobody twice", async () => {
    const { sent, mine, gate } = await waiting(2);
    expect(await it.store.holdQueued(on(mine[0]!, gate))).toBe("held");
    expect(await statuses(sent)).toEqual({ is: "pending_approval", recipients: ["held", "sending", "held"] });
    const left = { kind: "sent", method: "smtp", status: "sent", reply: "250 ok" } as const;
    expect(await it.store.finishRecipient(mine[1]!, left, later(3))).toBe("pending_approval");

    const deferred = await waiting(2);
    const later451 = { kind: "retry", at: later(9e6), reply: "451 later", error: null } as const;
    await it.store.finishRecipient(deferred.mine[1]!, later451, later(1));
    expect(await it.store.holdQueued(on(deferred.mine[0]!, deferred.gate))).toBe("held");
    expect((await statuses(deferred.sent)).recipients).toEqual(["held", "deferred", "held"]);

    const { content, subject, snippet } = sent.message;
    const edit: Edit = {
      limits: unlimited,
      ...{ content, subject, snippet, contentHash: "new", review: null, raw: Buffer.from("Subject: x\r\n\r\ny\r\n") },
      recipients: ["bob", "dave"].map((name) => ({
        ...{ address: `${name}@people.example`, kind: "to" as const, lane: sent.recipients[0]!.lane },
      })),
    };
    await it.store.decideHold(decision(sent.message.id, { verdict: { kind: "approve", edit } }));
    const after = await it.store.heldMessage(sent.message.id);
    expect(after?.recipients.map(({ address, status }) => [address, status])).toEqual([
      ["bob@people.example", "sent"],
      ["dave@people.example", "queued"],
    ]);
    expect(after?.message.status).toBe("queued");
  });

  test("an approval of what is held in part says that the rest is being sent", async () => {
    const { sent, mine, gate } = await waiting(2);
    await it.store.holdQueued(on(mine[0]!, gate));
    const approved = await it.store.decideHold(decision(sent.message.id));
    expect(approved?.outbound.message.status).toBe("sending");
    expect(await statuses(sent)).toEqual({ is: "sending", recipients: ["queued", "sending", "queued"] });
  });
});
