import { expect, test } from "bun:test";
import { codesOf } from "../../test/support/defects.ts";
import type { Mailbox } from "../mail.ts";
import { compose } from "./compose.ts";
import { readMail } from "./read.ts";
import { sendVia, viaLocalPart } from "./via.ts";

const limits = { maxParts: 10, maxDepth: 10, maxHeaderBytes: 64 * 1024 };
const agent = { address: "bot@agents.example.com", name: "Support Bot" };
const fromDomain = "send.example.net";

function composed(from: Mailbox, replyTo: Mailbox[] = []): Promise<Buffer> {
  return compose({
    ...{ from, replyTo, to: [{ address: "alice@example.com", name: "" }], cc: [], bcc: [], subject: "Hello" },
    ...{ text: "From: bot@agents.example.com\n", html: null, attachments: [], headers: [] },
    ...{ messageId: "<1@agents.example.com>", date: new Date("2026-05-15T12:00:00Z"), inReplyTo: null, references: [] },
  });
}

test("From is ours, and answers go to the agent; the rest stays byte for byte", async () => {
  const raw = await composed(agent);
  const via = sendVia(raw, { agent, local: "bot", fromDomain });
  const from = "Support Bot via e2a <bot@send.example.net>\r\nReply-To: Support Bot <bot@agents.example.com>";
  expect(via.toString()).toBe(raw.toString().replace("Support Bot <bot@agents.example.com>", from));
  expect(await readMail(via, limits)).toMatchObject({
    from: [{ address: "bot@send.example.net", name: "Support Bot via e2a" }],
    replyTo: [agent],
    defects: [],
  });
});

test("a Reply-To that the message has stays", async () => {
  const replyTo = [{ address: "desk@example.com", name: "Desk" }];
  const via = sendVia(await composed(agent, replyTo), { agent, local: "bot", fromDomain });
  expect((await readMail(via, limits)).replyTo).toEqual(replyTo);
});

test.each([
  ["", "bot via e2a"],
  ["山田", "山田 via e2a"],
  ['CEO "X" <ceo@bank.example>', 'CEO "X" <ceo@bank.example> via e2a'],
  ["x\r\nBcc: y@z.example", "x Bcc: y@z.example via e2a"],
  ["\u202eevil", "evil via e2a"],
  ["n".repeat(500), `${"n".repeat(60)} via e2a`],
  [`${" ".repeat(100)}Bot`, "Bot via e2a"],
])("an agent named %p is shown as %p", async (name, shown) => {
  const read = await readMail(
    sendVia(await composed({ ...agent, name }), { agent: { ...agent, name }, local: "bot", fromDomain }),
    limits,
  );
  expect(read.from).toEqual([{ address: "bot@send.example.net", name: shown }]);
  expect(read.headers.map((field) => field.name)).not.toContain("Bcc");
  // Agents could once have such names; a From with one proves nothing.
  const isDoubtful = name.includes("<");
  expect(codesOf(read)).toEqual(isDoubtful ? ["from_ambiguous"] : []);
});

test("what is not one of our messages is not touched", () => {
  const twice = Buffer.from("From: a@b.example\r\nFrom: c@d.example\r\n\r\n");
  expect(() => sendVia(twice, { agent, local: "bot", fromDomain })).toThrow();
  expect(() => sendVia(Buffer.from("To: a@b.example\r\n\r\n"), { agent, local: "bot", fromDomain })).toThrow();
  expect(() =>
    sendVia(twice.subarray(19), { agent: { address: "a@b>\r\nBcc: x@y", name: "" }, local: "bot", fromDomain }),
  ).toThrow();
});

test.each([
  ["bot@agents.example.com", false, "bot"],
  ["bot@agents.example.com", true, "bot=agents.example.com"],
  ["postmaster@agents.example.com", false, "postmaster=agents.example.com"],
  ["support@agents.example.com", false, "support=agents.example.com"],
  [`${"b".repeat(64)}@agents.example.com`, false, "b".repeat(64)],
  [`${"b".repeat(45)}@agents.example.com`, true, `${"b".repeat(45)}=agents.example.com`],
  [`${"b".repeat(46)}@agents.example.com`, true, null],
])("%s goes out, its domain named: %p, as %p", (address, isNamed, local) => {
  expect(viaLocalPart(address, isNamed)).toBe(local);
});
