import { expect, test } from "bun:test";
import { searchOutgoing } from "./search.ts";

const rules = ["secrets", "geheim", "confidential*project", "price list", "*merger*", "internal"];

/** Searches a message with one file, whose text is given as Latin-1. */
function searchFile(filename: string, contentType: string, text: string, patterns: string[]) {
  const people = { to: [], cc: [], bcc: [], replyTo: [] };
  const words = { subject: "Hi", text: "See the file", html: null, inReplyTo: null, references: [], headers: [] };
  const attachments = [{ filename, contentType, content: Buffer.from(text, "latin1") }];
  return searchOutgoing({ message: { ...people, ...words, attachments }, patterns, links: null });
}

test("no name hides another one that is base64", async () => {
  const hidden = Buffer.from("Project Falcon is late again today!!").toString("base64");
  const people = { to: [], cc: [], bcc: [], replyTo: [] };
  const words = { subject: "Hi", text: "See the file", html: null, inReplyTo: null, references: [], attachments: [] };
  const headers = ["X-abcdefghijABCDEFGHIJabcdefghijk", hidden].map((name) => ({ name, value: "1" }));
  const message = { ...people, ...words, headers };
  const { found } = await searchOutgoing({ message, patterns: ["falcon is late"], links: null });
  expect(found.places).toEqual(["the name of a header field"]);
});

const filled = (part: (n: number) => string, length: number) => {
  const parts: string[] = [];
  for (let size = 0, n = 0; size < length; size += parts.at(-1)?.length ?? 0) parts.push(part(n++));
  return parts.join("");
};

const card = (fields: string[]) => ["BEGIN:VCARD", "VERSION:2.1", ...fields, "END:VCARD", ""].join("\r\n");
const western = (n: number) =>
  card([
    `N;CHARSET=ISO-8859-1:M\xfcller${n};J\xf6rg;;;`,
    "ORG:Stra\xdfenbau\\, S\xf6hne",
    `TEL;TYPE=CELL:+49 170 ${1_000_000 + n}`,
    `EMAIL;TYPE=INTERNET:joerg.mueller${n}@firma.example`,
    `ADR;TYPE=WORK:;;Hauptstra\xdfe ${n};M\xfcnchen;;80331;Deutschland`,
  ]);
const chinese = (n: number) =>
  card([
    `N;CHARSET=GBK:\xcd\xf5${n};\xd0\xa1\xc3\xf7;;;`,
    "ORG;CHARSET=GBK:\xb1\xb1\xbe\xa9\xcd\xf8\xc2\xe7\\, \xd3\xd0\xcf\xde\xb9\xab\xcb\xbe",
    `TEL;TYPE=CELL:+86 138 ${10_000_000 + n}`,
    `EMAIL;TYPE=INTERNET:wang${n}@gongsi.example`,
    `ADR;TYPE=WORK;CHARSET=GBK:;;\xb3\xa4\xb0\xb2\xbd\xd6${n};\xb1\xb1\xbe\xa9;;100000;\xd6\xd0\xb9\xfa`,
  ]);

test.each([
  ["Latin-1", western],
  ["GBK", chinese],
])("an address book of half a megabyte in %s is searched to its end", async (_, one) => {
  const book = `${filled(one, 500_000)}${card(["NOTE:the price list"])}`;
  const { found, isTooLong, unsearched } = await searchFile("a.vcf", "text/vcard", book, rules);
  expect({ found: found.patterns, isTooLong, unsearched }).toEqual({
    ...{ found: ["price list"], isTooLong: false, unsearched: [] },
  });
});

const manyCharsets = "; charset=gbk; charset=big5; charset=euc-jp; charset=shift_jis";
const readManyWays = () => "NOTE;ENCODING=8BIT:\xa3\xc1\xb0\xa1<meta charset=gbk>\\, x\r\n";

for (const [filename, type, length] of [
  ["a.vcf", "text/vcard", 500_000],
  ["a.vcf", "text/vcard", 1_000_000],
  ["a.html", "text/html", 500_000],
] as const)
  test(`${filename} of ${length} bytes that can be read in many charsets is named once as too large`, async () => {
    const text = filled(readManyWays, length);
    const { isTooLong, unsearched } = await searchFile(filename, `${type}${manyCharsets}`, text, [
      ...rules,
      "a*b*c*d*e*f*g*h",
    ]);
    const large = unsearched.filter(({ why }) => why === "too large");
    expect({ isTooLong, large: large.map(({ name }) => name) }).toEqual({
      ...{ isTooLong: true, large: [`the attachment “${filename}”`] },
    });
  });
