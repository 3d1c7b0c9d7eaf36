/** Recipients as clients write them: an address is read whole or not at all, and written out it is read as the same one. */
import { expect, test } from "bun:test";
import fc from "fast-check";
import { holds, textWith } from "../../test/support/property.ts";
import { mailboxAddress, splitAddress } from "../mail.ts";
import { readAddress, readMailbox } from "./addresses.ts";
import { singleAuthor } from "./author.ts";
import { mailboxField } from "./fields.ts";
import { scanHeaders } from "./headers.ts";
import { readMail } from "./read.ts";

const limits = { maxParts: 100, maxDepth: 10, maxHeaderBytes: 256 * 1024 };

const atom = fc.oneof(
  fc.stringMatching(/^[A-Za-z0-9!#$%&'*+\-/=?^_`{|}~]{1,10}$/),
  fc.constantFrom("josé", "мария", "李", "e\u0301"),
);
const local = fc.array(atom, { minLength: 1, maxLength: 3 }).map((atoms) => atoms.join("."));
const domain = fc.oneof(
  fc.domain(),
  fc.constantFrom("bücher.example", "例え.jp", "ＢＯＬＤ.example", "xn--bcher-kva.example"),
);
const address = fc
  .tuple(local, domain)
  .map((parts) => parts.join("@"))
  .filter((text) => "address" in readAddress(text));
const name = textWith(
  ["Ann", "Bob", ",", '"', "\\", "(", ")", "<", ">", "@", ":", ";", ".", "=?UTF-8?Q?a?=", "bücher", "x@y.example"],
  6,
);
const anyText = textWith([
  "a",
  "b.example",
  "@",
  ".",
  "<",
  ">",
  '"',
  "(",
  ")",
  ",",
  ";",
  ":",
  "\\",
  "[",
  "]",
  "é",
  "%",
  "+",
  "=?utf-8?q?b?=",
  "ann@people.example",
]);

test("an address that is read is in its one spelling: reading it again gives the same", () =>
  holds(
    fc.property(fc.oneof(address, anyText), (text) => {
      const read = readAddress(text);
      if ("problem" in read) return expect(read.problem).toMatch(/^is not an address: ./);
      expect(readAddress(read.address)).toEqual(read);
      expect(readMailbox(read.address)).toEqual({ mailbox: { address: read.address, name: "" } });
      expect(splitAddress(read.address)).toEqual({
        local: read.address.slice(0, read.address.lastIndexOf("@")),
        domain: read.address.slice(read.address.lastIndexOf("@") + 1),
      });
      expect(mailboxAddress(mailboxAddress(read.address) ?? "")).toBe(mailboxAddress(read.address));
    }),
    { share: 5 },
  ));

test("an address is the whole text where one must be, never a part of it", () =>
  holds(
    fc.property(anyText, (text) => {
      const read = readMailbox(text);
      if ("problem" in read) return;
      const whole = text.trim();
      const written = whole.endsWith(">") ? whole.slice(whole.lastIndexOf("<") + 1, -1) : whole;
      const at = written.lastIndexOf("@");
      expect(read.mailbox.address.slice(0, read.mailbox.address.lastIndexOf("@"))).toBe(
        written.slice(0, at).toLowerCase().normalize("NFC"),
      );
      if (/^[\0-\x7f]*$/.test(written)) expect(read.mailbox.address).toBe(written.toLowerCase());
      // The text before the brackets names no other mailbox.
      if (!read.mailbox.name.includes("@")) return;
      expect(whole).toStartWith('"');
    }),
    { share: 5 },
  ));

test("any printable name in double quotes is a name, and the address after it is the same", () =>
  holds(
    fc.property(address, fc.string({ unit: "grapheme-ascii", maxLength: 60 }), (text, called) => {
      expect(readMailbox(`"${called.replace(/["\\]/g, "\\$&")}" <${text}>`)).toEqual({
        mailbox: { ...(readAddress(text) as { address: string }), name: called.replace(/\s+/g, " ").trim() },
      });
    }),
    { share: 5 },
  ));

test("mailboxes that are written in a field are read from it again, as they were", () =>
  holds(
    fc.asyncProperty(fc.array(fc.tuple(address, name), { minLength: 1, maxLength: 4 }), async (pairs) => {
      const mailboxes = pairs.flatMap(([text, called]) => {
        const read = readMailbox(`"${called.replace(/["\\]/g, "\\$&")}" <${text}>`);
        return "mailbox" in read ? [read.mailbox] : [];
      });
      fc.pre(mailboxes.length > 0);
      const raw = Buffer.from(`${mailboxField("To", mailboxes)}${mailboxField("From", mailboxes.slice(0, 1))}\r\n`);
      const { to, from } = await readMail(raw, limits);
      expect(to).toEqual(mailboxes);
      expect(from).toEqual(mailboxes.slice(0, 1));
      expect(scanHeaders(raw).fields.map(({ key }) => key)).toEqual(["to", "from"]);
      // `singleAuthor` finds the same mailbox, or none.
      const author = singleAuthor(scanHeaders(raw));
      if (author) expect(author.address).toBe(mailboxes[0]?.address as string);
    }),
  ));
