import { describe, expect, test } from "bun:test";
import type { Mailbox } from "../mail.ts";
import type { MessageRow, OutboundRow } from "../store/schema.ts";
import {
  distinct,
  forwardSubject,
  inboundOriginal,
  outboundOriginal,
  quotedDate,
  replyRecipients,
  replySubject,
  replyThread,
} from "./reply.ts";

const agent = "bot@agents.example";
const boxes = (...addresses: string[]): Mailbox[] => addresses.map((address) => ({ address, name: "" }));
const bare = (mailboxes: Mailbox[]) => mailboxes.map((mailbox) => mailbox.address);

interface Received {
  from?: string[];
  replyTo?: string[];
  to?: string[];
  cc?: string[];
  id?: string | null;
  headers?: Record<string, string>;
  unsigned?: string[];
}

function received({
  from = ["ann@x.example"],
  replyTo = [],
  to = [agent],
  cc = [],
  id,
  headers = {},
  unsigned,
}: Received) {
  const row = {
    subject: "Hi",
    agentId: agent,
    conversationId: "conv_1",
    // Rows of earlier versions lack this member.
    authentication: unsigned ? { unsigned } : {},
    emailMessageId: id === undefined ? "<3@x.example>" : id,
    ...{ from: boxes(...from), replyTo: boxes(...replyTo), to: boxes(...to), cc: boxes(...cc) },
  };
  return inboundOriginal(row as unknown as MessageRow, {
    headers: Object.entries(headers).map(([name, value]) => ({ name, value })),
  });
}

describe("whom a reply goes to", () => {
  const rows: [name: string, mail: Received, all: boolean, to: string[], cc: string[]][] = [
    ["the author", {}, false, ["ann@x.example"], []],
    ["where the author wants answers", { replyTo: ["desk@x.example"] }, false, ["desk@x.example"], []],
    ["every author", { from: ["ann@x.example", "bob@x.example"] }, false, ["ann@x.example", "bob@x.example"], []],
    [
      "with all, everybody else but the agent under any of its names",
      { to: [agent, "bot+news@agents.example", "cat@x.example"], cc: ["dan@x.example", agent] },
      true,
      ["ann@x.example"],
      ["cat@x.example", "dan@x.example"],
    ],
    [
      "with all, nobody twice",
      { to: ["ann@x.example", "cat@x.example"], cc: ["cat@x.example"] },
      true,
      ["ann@x.example"],
      ["cat@x.example"],
    ],
    ["of its own message, itself", { from: [agent] }, true, [agent], []],
    ["nobody when nobody is named", { from: [] }, false, [], []],
  ];
  for (const [name, mail, all, to, cc] of rows)
    test(name, () => {
      const found = replyRecipients(received(mail), agent, all);
      expect({ to: bare(found.to), cc: bare(found.cc), problems: found.problems }).toEqual({ to, cc, problems: [] });
    });

  test.each<[name: string, mail: Received, all: boolean, to: string[], cc: string[], unproven: string[]]>([
    [
      "the author, not where an unsigned Reply-To leads",
      { replyTo: ["thief@x.example"], unsigned: ["Reply-To", "Subject"] },
      ...([false, ["ann@x.example"], [], ["Reply-To: thief@x.example"]] as const),
    ],
    [
      "the author, when Reply-To names only the agent",
      { replyTo: ["bot+news@agents.example", agent] },
      ...([false, ["ann@x.example"], [], []] as const),
    ],
    [
      "where a signed Reply-To leads",
      { replyTo: ["desk@x.example"], unsigned: ["Subject"] },
      ...([false, ["desk@x.example"], [], []] as const),
    ],
    [
      "the author, when an unsigned Reply-To names nobody else",
      { replyTo: ["ann@x.example"], unsigned: ["Reply-To"] },
      ...([false, ["ann@x.example"], [], []] as const),
    ],
    [
      "with all, nobody of an unsigned Cc",
      { to: [agent, "cat@x.example"], cc: ["thief@x.example", agent], unsigned: ["Cc"] },
      ...([true, ["ann@x.example"], ["cat@x.example"], ["Cc: thief@x.example"]] as const),
    ],
    [
      "with all, nobody of an unsigned To",
      { to: ["thief@x.example"], cc: ["cat@x.example"], unsigned: ["To"] },
      ...([true, ["ann@x.example"], ["cat@x.example"], ["To: thief@x.example"]] as const),
    ],
    [
      "without all, To and Cc matter to nobody",
      { to: ["thief@x.example"], cc: ["thief@x.example"], unsigned: ["To", "Cc"] },
      ...([false, ["ann@x.example"], [], []] as const),
    ],
  ] as never)("%s", (_name, mail, all, to, cc, unproven) => {
    const found = replyRecipients(received(mail), agent, all);
    const left = found.unproven.map(({ field, addresses }) => `${field}: ${addresses.join(", ")}`);
    expect({ to: bare(found.to), cc: bare(found.cc), unproven: left }).toEqual({ to, cc, unproven });
  });

  test("says which address no mail can go to, without repeating it", () => {
    const { to, problems } = replyRecipients(received({ from: ["a..b@x.example"] }), agent, false);
    expect(to).toEqual([]);
    expect(problems).toEqual([
      "the address that the message names, which is not an address: the part before the @ has a misplaced dot",
    ]);
    const several = replyRecipients(received({ from: ["ann@x.example", "a..b@x.example"] }), agent, false);
    expect(several.problems).toEqual([expect.stringMatching(/^number 2 of the 2 addresses that the message names, /)]);
  });

  test("of the agent's own message, to those it went to", () => {
    const content = { to: boxes("ann@x.example"), cc: boxes("bob@x.example"), bcc: boxes("eve@x.example") };
    const original = outboundOriginal({
      subject: "Hi",
      conversationId: "conv_1",
      emailMessageId: "<2@agents.example>",
      content: { ...content, references: [], inReplyTo: "<1@x.example>" },
    } as unknown as OutboundRow);
    const one = replyRecipients(original, agent, false);
    expect([bare(one.to), bare(one.cc)]).toEqual([["ann@x.example"], []]);
    const all = replyRecipients(original, agent, true);
    expect([bare(all.to), bare(all.cc)]).toEqual([["ann@x.example"], ["bob@x.example"]]);
    expect(replyThread(original).references).toEqual(["<1@x.example>", "<2@agents.example>"]);
  });

  test("of the agent's own message that had only copies, to those", () => {
    const content = { to: [], cc: boxes("bob@x.example"), bcc: [], references: [], inReplyTo: null };
    const original = outboundOriginal({ subject: "Hi", emailMessageId: "<2@agents.example>", content } as never);
    expect(bare(replyRecipients(original, agent, false).to)).toEqual(["bob@x.example"]);
  });
});

test("an address is kept where it is named first", () => {
  const given = { to: boxes("a@x.example", "a@x.example"), cc: boxes("b@x.example", "a@x.example"), bcc: [] };
  const kept = distinct({ ...given, bcc: boxes("b@x.example", "c@x.example") });
  expect(Object.values(kept).map(bare)).toEqual([["a@x.example"], ["b@x.example"], ["c@x.example"]]);
});

describe("subjects", () => {
  const rows: [subject: string, reply: string, forward: string][] = [
    ["Hi", "Re: Hi", "Fwd: Hi"],
    ["Re: Hi", "Re: Hi", "Fwd: Re: Hi"],
    ["RE : re[2]: AW: Sv: Antw: Hi", "Re: Hi", "Fwd: RE : re[2]: AW: Sv: Antw: Hi"],
    ["FW: Fwd: Hi", "Re: FW: Fwd: Hi", "Fwd: Hi"],
    ["Regarding: Hi", "Re: Regarding: Hi", "Fwd: Regarding: Hi"],
    ["R: Ordine", "Re: Ordine", "Fwd: R: Ordine"],
    ["Odp: Zamówienie", "Re: Zamówienie", "Fwd: Odp: Zamówienie"],
    ["Ré : Commande", "Re: Commande", "Fwd: Ré : Commande"],
    ["RE\u00a0: Commande", "Re: Commande", "Fwd: RE\u00a0: Commande"],
    ["回复: 订单", "Re: 订单", "Fwd: 回复: 订单"],
    ["回复：Re：订单", "Re: 订单", "Fwd: 回复：Re：订单"],
    ["答复: 回覆: 返信: 답장: x", "Re: x", "Fwd: 答复: 回覆: 返信: 답장: x"],
    ["RES: Re: R: Pedido", "Re: Pedido", "Fwd: RES: Re: R: Pedido"],
    ["YNT: Sipariş", "Re: Sipariş", "Fwd: YNT: Sipariş"],
    ["Vá: Rendelés", "Re: Rendelés", "Fwd: Vá: Rendelés"],
    ["ΑΠ: Παραγγελία", "Re: Παραγγελία", "Fwd: ΑΠ: Παραγγελία"],
    ["Отв: Заказ", "Re: Заказ", "Fwd: Отв: Заказ"],
    ["תשובה: הזמנה", "Re: הזמנה", "Fwd: תשובה: הזמנה"],
    ["رد: طلب", "Re: طلب", "Fwd: رد: طلب"],
    ["Re^2: AW(3): Hi", "Re: Hi", "Fwd: Re^2: AW(3): Hi"],
    // Finnish answers and Danish forwards.
    ["VS: Tilaus", "Re: Tilaus", "Fwd: Tilaus"],
    ["TR: Commande", "Re: TR: Commande", "Fwd: Commande"],
    ["WG: RV: I: ENC: Doorst: VB: PD: x", "Re: WG: RV: I: ENC: Doorst: VB: PD: x", "Fwd: x"],
    ["转发: 轉寄: 転送: 订单", "Re: 转发: 轉寄: 転送: 订单", "Fwd: 订单"],
    ["Rent: due", "Re: Rent: due", "Fwd: Rent: due"],
    ["Review 2: re: it", "Re: Review 2: re: it", "Fwd: Review 2: re: it"],
    ["re", "Re: re", "Fwd: re"],
    ["10:30 train", "Re: 10:30 train", "Fwd: 10:30 train"],
    ["", "Re:", "Fwd:"],
    ["Re:", "Re:", "Fwd: Re:"],
  ];
  for (const [subject, reply, forward] of rows)
    test(JSON.stringify(subject), () => {
      expect([replySubject(subject), forwardSubject(subject)]).toEqual([reply, forward]);
    });

  test("do not grow however often programs of other languages answer", () => {
    let subject = "Order";
    for (const prefix of ["Re:", "AW:", "SV:", "R:", "RES:", "Odp:", "Ré :", "回复：", "답장:", "ΣΧΕΤ:", "YNT:", "VS:"])
      subject = replySubject(`${prefix} ${subject}`);
    expect(subject).toBe("Re: Order");
    for (const prefix of ["WG:", "TR:", "RV:", "I:", "ENC:", "Doorst:", "VB:", "VL:", "PD:", "İLT:", "转发：", "転送:"])
      subject = forwardSubject(`${prefix} ${subject}`);
    expect(subject).toBe("Fwd: Re: Order");
  });

  test("stay within a line", () => {
    expect(replySubject("😀".repeat(600)).length).toBe(998);
    expect(replySubject("😀".repeat(600)).isWellFormed()).toBe(true);
    expect(replySubject(`${"Re: ".repeat(100_000)}x`)).toBe("Re: x");
  });
});

describe("the thread of a reply", () => {
  const rows: [name: string, mail: Received, inReplyTo: string | null, references: string[]][] = [
    ["begins with the message", {}, "<3@x.example>", ["<3@x.example>"]],
    [
      "is its references and itself",
      { headers: { References: "<1@x.example> <2@x.example>", "In-Reply-To": "<9@x.example>" } },
      "<3@x.example>",
      ["<1@x.example>", "<2@x.example>", "<3@x.example>"],
    ],
    [
      "takes In-Reply-To where there are no references",
      { headers: { "In-Reply-To": "<2@x.example>" } },
      "<3@x.example>",
      ["<2@x.example>", "<3@x.example>"],
    ],
    [
      "but not when that names more than one",
      { headers: { "In-Reply-To": "<1@x.example> <2@x.example>" } },
      "<3@x.example>",
      ["<3@x.example>"],
    ],
    [
      "leaves out what is no id, and says nothing twice",
      { headers: { References: "junk <1@x.example> <> <a b> <3@x.example> <1@x.example>" } },
      "<3@x.example>",
      ["<1@x.example>", "<3@x.example>"],
    ],
    [
      "has no parent without a Message-ID",
      { id: null, headers: { References: "<1@x.example>" } },
      null,
      ["<1@x.example>"],
    ],
  ];
  for (const [name, mail, inReplyTo, references] of rows)
    test(name, () => expect(replyThread(received(mail))).toEqual({ inReplyTo, references }));

  test("keeps its first and its latest ids", () => {
    const many = Array.from({ length: 500 }, (_, i) => `<${i}@y.example>`);
    const { references } = replyThread(received({ headers: { References: many.join(" ") } }));
    expect(references.length).toBe(100);
    expect(references.slice(0, 2)).toEqual(["<0@y.example>", "<402@y.example>"]);
    expect(references.at(-1)).toBe("<3@x.example>");
  });
});

test("the date is the message's own if it can be read", () => {
  const received = new Date("2026-01-01T00:00:00Z");
  const on = (value: string) => quotedDate([{ name: "Date", value }], received).toISOString();
  expect(on("Fri, 15 May 2026 12:00:00 +0200 (CEST)")).toBe("2026-05-15T10:00:00.000Z");
  // RFC 5322 4.3
  expect(on("Fri , 15 May 2026 12 : 00 : 00 +0200")).toBe("2026-05-15T10:00:00.000Z");
  expect(on("yesterday")).toBe(received.toISOString());
  expect(quotedDate([], received)).toEqual(received);
});
