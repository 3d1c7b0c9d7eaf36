import { expect, test } from "bun:test";
import { parseAddressHeader } from "mailparser";
import { singleAuthor } from "./author.ts";
import { fieldText, scanHeaders } from "./headers.ts";

const scan = (text: string) => scanHeaders(Buffer.from(text, "latin1"));
const utf8 = (text: string) => scanHeaders(Buffer.from(text));

test.each([
  ["From: Alice <Alice@Example.COM>", "alice@example.com"],
  ["From: alice@example.com", "alice@example.com"],
  ["From: alice@example.com.", "alice@example.com"],
  ["From: a@b\xc3\xbccher.example", "a@xn--bcher-kva.example"],
  ["From: J\xf6rg <a@example.com>", null],
  [`From: ${'"a" '.repeat(50_000)}<a@example.com>`, null],
  ["From: a@-example.com", null],
  [`From: "A b"@example.com`, '"a b"@example.com'],
  [`From: A <"a b"@example.com>`, '"a b"@example.com'],
  [`From: A <"bot"@example.com>`, "bot@example.com"],
  [`From: "a@b.test"@example.com`, null],
  [`From: "a <b>"@example.com`, null],
  [`From: "a" @example.com`, null],
  [`From: "=?utf-8?q?a?="@example.com`, null],
  ["From: a@exa mple.com", null],
  ["From: a@b\r\nFROM: a@b", null],
  ["Fr\xadom: a@example.com\r\nFrom: b@example.com", null],
  // U+212A, U+1FEF and U+037E, which NFC turns into K, ` and ;
  ["From: <\xe2\x84\xaaevin@example.com>", null],
  ["From: a\xe1\xbf\xafb@example.com", null],
  ["From: a\xcd\xbeb@example.com", null],
])("the author of %.60j is %j", (header, expected) => {
  expect(singleAuthor(scan(`${header}\r\n\r\n`))?.address ?? null).toBe(expected);
});

/** Forms that name only joe@shop.test (RFC 5322 3.4), to us and to the parsers of other programs. */
const oneAddress = [
  "joe@shop.test <joe@shop.test>",
  "Joe@Shop.TEST <joe@shop.test>",
  '"joe@shop.test" <joe@shop.test>',
  '"<joe@shop.test>" <joe@shop.test>',
  "'joe@shop.test' <joe@shop.test>",
  "=?utf-8?q?joe=40shop.test?= <joe@shop.test>",
  "joe@shop.test (Sales) <joe@shop.test>",
  "Joe (Sales) <joe@shop.test>",
  "(Sales) Joe <joe@shop.test>",
  "Joe <joe@shop.test> (Sales)",
  "Joe (Sales) (Support) <joe@shop.test>",
  '"Joe" (Sales) <joe@shop.test>',
  "joe@shop.test (Joe of Sales)",
  "(Sales) joe@shop.test",
  '"Joe <joe@shop.test>" <joe@shop.test>',
  '"@joe" <joe@shop.test>',
  '"joe@bank.test via Sales" <joe@shop.test>',
  "(Sales)<joe@shop.test>",
  "Joe O'Neil (Büro) <joe@shop.test>",
];

test.each(oneAddress)("%s names one address, to every parser", (value) => {
  expect(singleAuthor(utf8(`From: ${value}\r\n\r\n`))?.address).toBe("joe@shop.test");
  const read = parseAddressHeader([value], { flatten: true, decodePunycode: false }).value;
  expect(read.map(({ address }) => address)).toEqual(["joe@shop.test"]);
});

test.each([
  "ceo@bank.test <joe@shop.test>",
  '"ceo@bank.test" <joe@shop.test>',
  '"<ceo@bank.test>" <joe@shop.test>',
  "'ceo@bank.test' <joe@shop.test>",
  "=?utf-8?q?ceo=40bank.test?= <joe@shop.test>",
  "=?utf-8?b?Y2VvQGJhbmsudGVzdA==?= <joe@shop.test>",
  '"ceo@bank.test," <joe@shop.test>',
  '"ceo@bank.test!" <joe@shop.test>',
  '"<ceo@bank.test>;" <joe@shop.test>',
  '"mailto:ceo@bank.test" <joe@shop.test>',
  '"CEO <ceo@bank.test>" <joe@shop.test>',
  "=?utf-8?q?ceo=40bank.test=2C?= <joe@shop.test>",
  "=?utf-8?q?CEO_=3Cceo=40bank.test=3E?= <joe@shop.test>",
  '"ceo@bank.test \u3164" <joe@shop.test>',
  '"\uffa0 ceo@bank.test\u00a0\u115f" <joe@shop.test>',
  "=?utf-8?q?ceo=40bank.test_=E3=85=A4?= <joe@shop.test>",
  "=?utf-7?q?ceo+AEA-bank.test?= <joe@shop.test>",
  "=?X-UNICODE-1-1-UTF-7*en?q?ceo+AEA-bank.test?= <joe@shop.test>",
  "ceo＠bank.test <joe@shop.test>",
  "CEO ceo＠bank.test <joe@shop.test>",
  '"ceo﹫bank.test" <joe@shop.test>',
  "Joe <j\u200boe@shop.test>",
  "Joe <\u202etset.knab@shop.test>",
  "Joe ceo@bank.test <joe@shop.test>",
  "joe@shop.test ceo@bank.test <joe@shop.test>",
  "joe@shop.test joe@shop.test <joe@shop.test>",
  'ceo@bank.test "joe@shop.test" <joe@shop.test>',
  "Joe (ceo@bank.test) <joe@shop.test>",
  "joe@shop.test (ceo@bank.test)",
  "(ceo@bank.test) joe@shop.test",
  "Joe (a (b) c) <joe@shop.test>",
  "Joe (a\\) ceo@bank.test <joe@shop.test>",
  "Joe (<ceo@bank.test>) <joe@shop.test>",
  "Joe (a, b) <joe@shop.test>",
  "Joe (Sales <joe@shop.test>",
  "joe(Sales)@shop.test",
  "joe@shop.test(Sales)",
  "=?utf-8?q?ceo=40bank.test?=@shop.test",
  "Joe <=?utf-8?q?ceo=40bank.test?=@shop.test>",
  "joe@bank.test(.shop.test)",
  "(bank)joe@shop.test",
  "joe@(Sales)shop.test",
  "joe@shop.test <joe@bank.test>",
  "joe@shop.test, joe@shop.test",
  "<joe@shop.test> joe@shop.test",
  "<joe@shop.test> <joe@shop.test>",
  "joe@ｓhop.test",
  "joe@sh\u00adop.test",
  "joe@shop．test",
])("%s does not leave one address beyond doubt", (value) => {
  expect(singleAuthor(utf8(`From: ${value}\r\n\r\n`))).toBeNull();
});

test("a folded comment is read as one", () => {
  const block = utf8("From: Joe (Sales\r\n and Support)\r\n <joe@shop.test>\r\n\r\n");
  expect(block.fields.map((field) => fieldText(field))).toEqual(["Joe (Sales and Support) <joe@shop.test>"]);
  expect(singleAuthor(block)?.address).toBe("joe@shop.test");
});
