import { expect, test } from "bun:test";
import { addAgent, addOutbound, later } from "../../../test/store/rows.ts";
import { onEveryDatabase } from "../../../test/store/stores.ts";
import { eventsOf } from "../../../test/store/verbs.ts";
import type { Store } from "../store.ts";
import type { RecipientOutcome } from "./queue.ts";
import type { ReportedFate } from "./report.ts";

const sent: RecipientOutcome = { kind: "sent", method: "smtp", status: "sent", reply: "250 OK" };

/** A message whose recipients have left; `outcome` gives another outcome. */
async function outgoing(store: Store, recipients: string[], outcome = sent) {
  const agent = await addAgent(store);
  const made = await addOutbound(store, agent.id, {
    recipients: recipients.map((address) => ({ address, lease: "mine" })),
  });
  for (const row of made.recipients) await store.finishRecipient(row, outcome, later(1));
  const { id } = made.message;
  return {
    id,
    userId: agent.userId,
    report: (changes: Partial<ReportedFate> = {}) =>
      store.recordReport({
        ...{ messageId: id, n: 0, status: "bounced", detail: "550 5.1.1 No such user", suppress: false, addresses: [] },
        now: later(10),
        ...changes,
      }),
    async state(): Promise<unknown[]> {
      const found = await store.getOutbound(agent.userId, id);
      return [found?.message.status, ...(found?.recipients.map((row) => row.status) ?? [])];
    },
  };
}

onEveryDatabase((it) => {
  test("a bounce becomes the recipient's status, with its event, and the message's when nobody has it", async () => {
    const mail = await outgoing(it.store, ["a@people.example", "b@people.example"]);
    const row = await mail.report({ n: 1 });
    expect(row).toMatchObject({ n: 1, status: "bounced", smtpReply: "550 5.1.1 No such user", updatedAt: later(10) });
    expect((await it.store.getOutbound(mail.userId, mail.id))?.recipients[1]).toEqual(row!);
    expect(await mail.state()).toEqual(["sent", "sent", "bounced"]);
    const event = (await eventsOf(it, mail.userId)).at(-1);
    expect(event).toMatchObject({
      type: "message.bounced",
      data: { message_id: mail.id, recipient: "b@people.example", smtp_reply: "550 5.1.1 No such user" },
    });
    await mail.report({ n: 0 });
    expect(await mail.state()).toEqual(["bounced", "bounced", "bounced"]);
  });

  test("a delay, then an arrival, then a bounce after all: each is told once, and a bounce is the last word", async () => {
    const mail = await outgoing(it.store, ["a@people.example"]);
    const steps = [
      { status: "deferred", detail: "450 4.2.0 busy" },
      { status: "deferred", detail: "450 4.2.0 busy" },
      { status: "deferred", detail: "452 4.2.2 full" },
      { status: "delivered", detail: "250 OK" },
      { status: "delivered", detail: "250 OK again" },
      { status: "deferred", detail: "450 4.2.0 late" },
      { status: "bounced", detail: "552 5.2.2 full" },
      { status: "bounced", detail: "552 5.2.2 still full" },
      { status: "delivered", detail: "250 OK" },
    ] as const;
    for (const step of steps) await mail.report(step);
    const told = (await eventsOf(it, mail.userId)).map(({ type, data }) => [type, data.smtp_reply]);
    expect(told).toEqual([
      ["message.sent", "250 OK"],
      // The reason is news, too.
      ["message.deferred", "450 4.2.0 busy"],
      ["message.deferred", "452 4.2.2 full"],
      ["message.delivered", "250 OK"],
      ["message.bounced", "552 5.2.2 full"],
    ]);
    expect(await mail.state()).toEqual(["bounced", "bounced"]);
    expect((await it.store.getOutbound(mail.userId, mail.id))?.recipients[0]?.smtpReply).toBe("552 5.2.2 full");
  });

  test("a hard bounce suppresses the address once: a copy of it does not undo what a person took off", async () => {
    const mail = await outgoing(it.store, ["a@people.example"]);
    await mail.report({ suppress: true });
    expect(await it.store.getSuppression(mail.userId, "a@people.example")).toMatchObject({
      ...{ reason: "bounce", detail: "550 5.1.1 No such user", messageId: mail.id, createdAt: later(10) },
    });
    await it.store.unsuppress(mail.userId, "a@people.example");
    await mail.report({ suppress: true });
    expect(await it.store.getSuppression(mail.userId, "a@people.example")).toBeNull();
    await mail.report({ suppress: true, status: "complained" });
    expect(await it.store.getSuppression(mail.userId, "a@people.example")).toMatchObject({ reason: "complaint" });
    expect(await mail.state()).toEqual(["bounced", "bounced"]);
  });

  test("a report that speaks of other addresses suppresses nobody", async () => {
    const mail = await outgoing(it.store, ["list@people.example"]);
    await mail.report({ suppress: true, addresses: ["member@elsewhere.example"] });
    expect(await it.store.listSuppressions(mail.userId, { limit: 10 })).toEqual([]);
    expect(await mail.state()).toEqual(["bounced", "bounced"]);
    const named = await outgoing(it.store, ["a@people.example"]);
    await named.report({ suppress: true, addresses: ["b@people.example", "a@people.example"] });
    expect(await it.store.listSuppressions(named.userId, { limit: 10 })).toMatchObject([
      { address: "a@people.example" },
    ]);
  });

  const waiting: [what: string, outcome: RecipientOutcome, status: string][] = [
    ["queued", { kind: "released", at: later(50), error: null }, "queued"],
    ["tried again later", { kind: "retry", at: later(50), reply: "451 later", error: null }, "deferred"],
    ["failed", { kind: "failed", reply: "550 no", error: null, suppress: false }, "failed"],
  ];
  for (const [what, outcome, status] of waiting)
    test(`a bounce for a recipient that is ${what} changes nothing`, async () => {
      const mail = await outgoing(it.store, ["a@people.example"], outcome);
      const events = await eventsOf(it, mail.userId);
      const before = await it.store.getOutbound(mail.userId, mail.id);
      expect(await mail.report({ suppress: true })).toEqual(before!.recipients[0]!);
      expect(await it.store.getOutbound(mail.userId, mail.id)).toEqual(before);
      expect(await mail.state()).toEqual([status, status]);
      expect(await eventsOf(it, mail.userId)).toEqual(events);
      expect(await it.store.listSuppressions(mail.userId, { limit: 10 })).toEqual([]);
    });

  test("a bounce that is faster than the outcome is seen to be early", async () => {
    const agent = await addAgent(it.store);
    const { message, recipients } = await addOutbound(it.store, agent.id, { recipients: [{ lease: "mine" }] });
    const report: ReportedFate = {
      ...{ messageId: message.id, n: 0, status: "bounced", detail: "550 no", suppress: true, addresses: [] },
      now: later(1),
    };
    expect((await it.store.recordReport(report))?.status).toBe("sending");
    await it.store.finishRecipient(recipients[0]!, sent, later(2));
    expect((await it.store.recordReport(report))?.status).toBe("bounced");
  });

  test("reports of messages and recipients that do not exist are nobody's", async () => {
    const mail = await outgoing(it.store, ["a@people.example"]);
    expect(await mail.report({ n: 1 })).toBeNull();
    expect(await mail.report({ messageId: "msg_0" })).toBeNull();
    expect(await mail.state()).toEqual(["sent", "sent"]);
  });
});
