import { expect, test } from "bun:test";
import { replyAddresses } from "../src/mail/reply-addresses.ts";

const agent = "bot@agents.example";
const addressed = {
  from: "joe@shop.test",
  to: [agent, "ann@shop.test"],
  cc: ["eve@elsewhere.test"],
  reply_to: ["desk@elsewhere.test"],
};

test.each<[unsigned: string[], answerTo: string[], others: string[]]>([
  [[], ["desk@elsewhere.test"], ["ann@shop.test", "eve@elsewhere.test"]],
  [["Reply-To", "Subject"], ["joe@shop.test"], ["ann@shop.test", "eve@elsewhere.test"]],
  [["To", "Cc"], ["desk@elsewhere.test"], []],
])("the composer names whom a reply goes to when %j is not signed", (unsigned, answerTo, others) => {
  const message = { ...addressed, authentication: { unsigned } } as never;
  expect(replyAddresses(message, agent)).toEqual({ answerTo, others });
});
