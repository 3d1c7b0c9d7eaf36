import { expect, test } from "bun:test";
import { readMailbox } from "./addresses.ts";
import { compose } from "./compose.ts";
import { readMail } from "./read.ts";

const local64 = "a".repeat(64);
const label63 = "b".repeat(63);

test.each<[string, string, string]>([
  ["a@b.example", "a@b.example", ""],
  ["  A.B+c@B.Example ", "a.b+c@b.example", ""],
  ["<a@b.example>", "a@b.example", ""],
  ["Alice <a@b.example>", "a@b.example", "Alice"],
  ["Alice   van  der Berg<a@b.example>", "a@b.example", "Alice van der Berg"],
  ["Dr. O'Neil & Sons! <a@b.example>", "a@b.example", "Dr. O'Neil & Sons!"],
  ['"Doe, John (Sales)" <a@b.example>', "a@b.example", "Doe, John (Sales)"],
  ['"a \\"b\\" \\\\c" <a@b.example>', "a@b.example", 'a "b" \\c'],
  ['"a@b.example" <a@b.example>', "a@b.example", "a@b.example"],
  ["山田太郎 <a@b.example>", "a@b.example", "山田太郎"],
  ["👩‍💻 <a@b.example>", "a@b.example", "👩‍💻"],
  ["=?utf-8?q?x?= <a@b.example>", "a@b.example", "=?utf-8?q?x?="],
  ['"A b"@b.example', '"a b"@b.example', ""],
  ['Alice <"a \\b,\\""@b.example>', '"a b,\\""@b.example', "Alice"],
  ['"bot+x"@b.example', "bot+x@b.example", ""],
  ["a@localhost", "a@localhost", ""],
  ["!#$%&'*+-/=?^_`{|}~@b.example", "!#$%&'*+-/=?^_`{|}~@b.example", ""],
  ["a@BÜCHER.example", "a@xn--bcher-kva.example", ""],
  ["JÖRG@bücher.example", "jörg@xn--bcher-kva.example", ""],
  ["jo\u0308rg@b.example", "jörg@b.example", ""],
  // Look-alikes are shown as what they are.
  ["a@аpple.example", "a@xn--pple-43d.example", ""],
  ["a@ｂ。example", "a@b.example", ""],
  [`${local64}@b.example`, `${local64}@b.example`, ""],
  [`a@${label63}.example`, `a@${label63}.example`, ""],
])("%p is %p", (text, address, name) => {
  expect(readMailbox(text)).toEqual({ mailbox: { address, name } });
});

test.each<[string, string]>([
  ["", "it is empty"],
  [" ", "it is empty"],
  ["alice", "there is no @"],
  ["alice＠b.example", "there is no @"],
  ["Alice <>", "there is no @"],
  ["@b.example", "there is nothing before the @"],
  ["a@", "there is nothing after the @"],
  ["a@b@c.example", "there is more than one @"],
  ["a@b.example, c@d.example", "invisible character"],
  ["a@b.example,c@d.example", "there is more than one @"],
  ["a@b.example;", "not a valid host name"],
  ["Alice <a@b.example>, Bob <c@d.example>", "double quotes"],
  ["a@b.example <c@d.example>", "double quotes"],
  ["Alice (x) <a@b.example>", "double quotes"],
  ['Alice "x" <a@b.example>', "double quotes"],
  ['"x" <c@d.example> <a@b.example>', "double quotes"],
  ['"x" y" <a@b.example>', "double quotes"],
  ['"x\\" <a@b.example>', "double quotes"],
  ["friends: a@b.example, c@d.example;", "invisible character"],
  ["undisclosed-recipients:;", "there is no @"],
  ["<@relay.example:a@b.example>", "more than one @"],
  ["a(comment)@b.example", "needs quotes"],
  ["a@b.example(comment)", "not a valid host name"],
  ["<<a@b.example>>", "not a valid host name"],
  ["<a@b.example", "needs quotes"],
  ["a@b.example>", "not a valid host name"],
  ["a@b.example> x", "invisible character"],
  ['"a<b"@b.example', "angle bracket"],
  ['"c@d.example"@b.example', "more than one @"],
  ['"a\u200bb"@b.example', "invisible character"],
  ['"a b"@b. example', "invisible character"],
  ['"a b@b.example', "invisible character"],
  ['"a" b@b.example', "invisible character"],
  ["a b@b.example", "invisible character"],
  ["a\u00a0b@b.example", "invisible character"],
  ["a\u200bb@b.example", "invisible character"],
  ["a@b\u00ad.example", "invisible character"],
  ["\u202ea@b.example", "invisible character"],
  ["a\r\nBcc: x@b.example", "line break"],
  ["Alice\n <a@b.example>", "line break"],
  ["Alice\u2028 <a@b.example>", "line break"],
  ["Al\0ice <a@b.example>", "control character"],
  ["gpj.\u202eecilA <a@b.example>", "the name has invisible"],
  ["\ud800 <a@b.example>", "the name has invisible"],
  ["a\ud800@b.example", "invisible character"],
  [".a@b.example", "a misplaced dot"],
  ["a.@b.example", "a misplaced dot"],
  ["a..b@b.example", "a misplaced dot"],
  ["a@[192.0.2.1]", "IP addresses are not supported"],
  ["a@[IPv6:2001:db8::1]", "IP addresses are not supported"],
  ["a@192.0.2.1", "IP addresses are not supported"],
  ["a@１９２.0.2.1", "IP addresses are not supported"],
  ["a@b.0x7f", "IP addresses are not supported"],
  ["a@b..example", "not a valid host name"],
  ["a@.example", "not a valid host name"],
  ["a@b.example.", "not a valid host name"],
  ["a@-b.example", "not a valid host name"],
  ["a@b_c.example", "not a valid host name"],
  ["a@b%2eexample", "not a valid host name"],
  ["a@ü%2eexample", "not a valid host name"],
  ["a@ü/x.example", "not a valid host name"],
  ["a@xn--.example", "not a valid host name"],
  [`a@${label63}b.example`, "not a valid host name"],
  [`a${local64}@b.example`, "longer than 64 bytes"],
  [`${"ü".repeat(33)}@b.example`, "longer than 64 bytes"],
  [`${local64}@${`${label63}.`.repeat(3)}example`, "longer than 254 bytes"],
  [`${"n".repeat(201)} <a@b.example>`, "longer than 200 characters"],
  [`${"n".repeat(2_000)} <a@b.example>`, "too long"],
])("%p is a problem: %p", (text, reason) => {
  const read = readMailbox(text);
  expect("problem" in read ? read.problem : read).toContain(reason);
  expect("problem" in read ? read.problem : read).toStartWith("is not an address: ");
});

/** A small repeatable source of pseudo-random numbers, so that a failure can be reproduced. */
function randomFrom(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

test("whatever is accepted arrives unchanged", async () => {
  const pieces = [
    ..."a b A 0 . , : ; @ < > ( ) [ ] \" \\ = ? _ - % & ' é ß 你 👋🏽 \u202e \u200d \u0301 \u2028 \ud83d \r \n \0 \t".split(
      " ",
    ),
    ...[
      " ",
      " ",
      "=?utf-8?q?",
      "=?utf-8?b?",
      "?=",
      "a@b.example",
      "<a@b.example>",
      " <c@d.example>",
      "xn--",
      "b.example",
    ],
  ];
  const random = randomFrom(20260515);
  const to = [];
  for (let i = 0; i < 20_000; i++) {
    const text = Array.from({ length: 1 + random(8) }, () => pieces[random(pieces.length)]).join("");
    const read = readMailbox(random(2) ? text : `${random(2) ? `"${text}"` : text} <x${random(9)}@y.example>`);
    if ("mailbox" in read) to.push(read.mailbox);
  }
  expect(to.length).toBeGreaterThan(1_000);
  for (let i = 0; i < to.length; i += 100) {
    const some = to.slice(i, i + 100);
    const raw = await compose({
      from: some[0] ?? { address: "a@b.example", name: "" },
      ...{ replyTo: [], to: some, cc: [], bcc: [], subject: "x", text: "x", html: null, attachments: [] },
      ...{
        messageId: "<a@b.example>",
        date: new Date("2026-05-15T12:00:00Z"),
        inReplyTo: null,
        references: [],
        headers: [],
      },
    });
    const read = await readMail(raw, { maxParts: 10, maxDepth: 10, maxHeaderBytes: 1024 * 1024 });
    expect(read.to).toEqual(some);
    expect(read.from).toEqual(some.slice(0, 1));
  }
});
