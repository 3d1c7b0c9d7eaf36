/** The author of a message: null if From leaves a doubt, and otherwise the same address for every parser. */
import { expect, test } from "bun:test";
import fc from "fast-check";
import addressparser from "nodemailer/lib/addressparser";
import { holds, textWith } from "../../test/support/property.ts";
import { asciiDomain } from "../net/host-name.ts";
import { singleAuthor } from "./author.ts";
import { scanHeaders } from "./headers.ts";
import { readMail } from "./read.ts";

const limits = { maxParts: 100, maxDepth: 10, maxHeaderBytes: 256 * 1024 };
const address = fc.constantFrom("ann@people.example", "eve@evil.example", "ANN@PEOPLE.EXAMPLE", "josé@bücher.example");
const value = fc.oneof(
  textWith(
    [
      "ann@people.example",
      "<ann@people.example>",
      "<eve@evil.example>",
      "Ann",
      '"',
      "\\",
      "(",
      ")",
      "<",
      ">",
      ",",
      ";",
      ":",
      "@",
      " ",
      "=?UTF-8?Q?eve=40evil.example?=",
      "undisclosed:",
    ],
    7,
  ),
  fc
    .tuple(textWith(["Ann", "Lee", ".", ",", "(a)", '"'], 3), address)
    .map(([name, one]) => `"${name.replace(/["\\\r\n]/g, "")}" <${one}>`),
  fc.tuple(address, address).map(([one, other]) => `${one} <${other}>`),
  fc
    .tuple(
      address,
      fc.constantFrom("", " ", "Eve ", "(a) ", ", ", '"Eve" '),
      address,
      fc.constantFrom("", " Eve", " (a)", " a@b.example"),
    )
    .map(([one, between, other, after]) => `<${one}> ${between}<${other}>${after}`),
);

test("an author is the one address that two parsers find, or nobody", () =>
  holds(
    fc.asyncProperty(value, fc.boolean(), async (text, isTwice) => {
      const one = text.replace(/[\r\n]+/g, "\r\n ");
      const raw = Buffer.from(`From: ${one}\r\n${isTwice ? `From: ${one}\r\n` : ""}\r\nHello\r\n`);
      const author = singleAuthor(scanHeaders(raw));
      if (isTwice) return expect(author).toBeNull();
      if (!author) return;
      expect(author.address.endsWith(`@${author.domain}`)).toBe(true);
      const { from } = await readMail(raw, limits);
      expect(from.map((mailbox) => mailbox.address)).toEqual([author.address]);
      const found = addressparser(one.replace(/\r\n/g, ""), { flatten: true }).flatMap((entry) => entry.address ?? []);
      const spelled = found.map((text) => {
        const at = text.lastIndexOf("@");
        return `${text.slice(0, at).toLowerCase().normalize("NFC")}@${asciiDomain(text.slice(at + 1))}`;
      });
      expect(spelled).toEqual([author.address]);
    }),
    { share: 5 },
  ));
