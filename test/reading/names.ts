import type { Mailbox } from "../../src/mail.ts";
import { charsets, type Letters, utf8 } from "./charsets.ts";
import type { Dice } from "./dice.ts";

/** Text as it is written in a header field, and what it says; `undefined` if readers may differ. */
interface Written<T> {
  how: string;
  wire: string;
  truth: T | undefined;
}

const people = [
  "Alice Roe",
  "Bob",
  "Jörg Müller",
  "Roe, Carol",
  'Dan "Danny" Poe',
  "佐藤 花子",
  "O'Neil (Sales)",
  "Ева",
];
const domains = ["example.test", "shop.example.test", "MAIL.example.test"];
const locals = ["alice", "bob.roe", "o'neil", "x+tag", "a_b-c", "Team"];

const quoted = (text: string) => `"${text.replace(/["\\]/g, "\\$&")}"`;
const isAscii = (text: string) => /^[\x20-\x7e]*$/.test(text);
/** Raw bytes of a header are one character each. */
const raw = (text: string) => Buffer.from(text).toString("latin1");

export function encodedWord(text: string, dice: Dice, letters: Letters = utf8): string {
  const label = dice.pick(letters.labels);
  return dice.once(2) ? wordB(letters.encode(text), label, dice) : wordQ(letters.encode(text), label, dice);
}

function wordB(bytes: Buffer, label: string, dice: Dice): string {
  return `=?${label}?${dice.pick(["B", "b"])}?${bytes.toString("base64")}?=`;
}

function wordQ(bytes: Buffer, label: string, dice: Dice): string {
  const codes = [...bytes].map((byte) => {
    const char = String.fromCharCode(byte);
    return /[A-Za-z0-9]/.test(char)
      ? char
      : char === " "
        ? "_"
        : `=${byte.toString(16).padStart(2, "0").toUpperCase()}`;
  });
  return `=?${label}?${dice.pick(["Q", "q"])}?${codes.join("")}?=`;
}

/** Text in several encoded words, cut between characters or, as broken programs do, between bytes. */
function severalWords(text: string, dice: Dice, isCutInside: boolean): string {
  const gap = dice.pick([" ", "\r\n ", "  ", "\r\n\t"]);
  if (!isCutInside) {
    const characters = [...text];
    const middle = 1 + dice.below(Math.max(1, characters.length - 1));
    const halves = [characters.slice(0, middle).join(""), characters.slice(middle).join("")];
    return halves
      .filter((half) => half !== "")
      .map((half) => encodedWord(half, dice))
      .join(gap);
  }
  const bytes = Buffer.from(text);
  const middle = Math.max(3, 3 * dice.below(Math.max(1, Math.floor(bytes.length / 3))));
  const isB = dice.once(2);
  const word = (part: Buffer) => {
    const code = isB
      ? part.toString("base64")
      : [...part].map((byte) => `=${byte.toString(16).padStart(2, "0").toUpperCase()}`).join("");
    return `=?utf-8?${isB ? "B" : "Q"}?${code}?=`;
  };
  return [bytes.subarray(0, middle), bytes.subarray(middle)]
    .filter((part) => part.length > 0)
    .map(word)
    .join(gap);
}

/** Text of an unstructured field (RFC 5322 3.6.5). */
export function subject(dice: Dice): Written<string> {
  const plain = dice.pick(["Order 4711", "Re: your question", "Invoice: October (copy)", 'a, b; c <d> "e"']);
  const foreign = dice.pick(["Grüße aus Köln", "見積書の件", "Счёт № 7", "Re: Größe – 20 €", "🎉 Danke"]);
  switch (dice.below(9)) {
    case 0:
      return { how: "subject folded", wire: plain.replace(/ /, "\r\n "), truth: plain };
    case 1:
      return { how: "subject in raw UTF-8", wire: raw(foreign), truth: foreign };
    case 2:
      return { how: "subject in an encoded word", wire: encodedWord(foreign, dice), truth: foreign };
    case 3:
      return { how: "subject in encoded words", wire: severalWords(foreign, dice, false), truth: foreign };
    case 4:
      return { how: "subject in words cut inside", wire: severalWords(foreign, dice, true), truth: foreign };
    case 5: {
      const letters = dice.pick(charsets);
      return {
        how: `subject in ${letters.labels[0]}`,
        wire: encodedWord(letters.text, dice, letters),
        truth: letters.text,
      };
    }
    case 6:
      return {
        how: "subject with a word in text",
        wire: `Re: ${encodedWord(foreign, dice)} (4711)`,
        truth: `Re: ${foreign} (4711)`,
      };
    case 7:
      return { how: "subject with half a word", wire: "=?utf-8?Q?Half a word", truth: "=?utf-8?Q?Half a word" };
    default:
      return { how: "subject", wire: plain, truth: plain };
  }
}

function address(dice: Dice): string {
  return `${dice.pick(locals)}@${dice.pick(domains)}`;
}

function mailbox(dice: Dice): Written<Mailbox[]> {
  const at = address(dice);
  const [local = "", domain = ""] = at.split("@");
  const known = `${local}@${domain}`.toLowerCase();
  const name = dice.pick(people);
  const is = (how: string, wire: string, shown: string | undefined): Written<Mailbox[]> => ({
    how,
    wire,
    truth: shown === undefined ? undefined : [{ address: known, name: shown }],
  });
  switch (dice.below(11)) {
    case 0:
      return is("bare address", at, "");
    case 1:
      return is("address in brackets", `<${at}>`, "");
    case 2:
      return is("name quoted", `${raw(quoted(name))} <${at}>`, name);
    case 3:
      return is("name in an encoded word", `${encodedWord(name, dice)} <${at}>`, name);
    case 4:
      return is("name in encoded words", `${severalWords(name, dice, false)}\r\n <${at}>`, name);
    case 5:
      return is("name in words cut inside", `${severalWords(name, dice, true)} <${at}>`, name);
    case 6:
      return is("name in a quoted encoded word", `"${encodedWord(name, dice)}" <${at}>`, name);
    case 7:
      return is("name in a comment", `${at} (Alice Roe)`, "Alice Roe");
    case 8: {
      const letters = dice.pick(charsets);
      return is(`name in ${letters.labels[0]}`, `${encodedWord(letters.text, dice, letters)} <${at}>`, letters.text);
    }
    case 9:
      return is("name without a space", `"${dice.pick(["Bob", "Alice Roe"])}"<${at}>`, undefined);
    default:
      return isAscii(name) && /^[A-Za-z ]+$/.test(name)
        ? is("name", `${name} <${at}>`, name)
        : is("name raw and quoted", `${raw(quoted(name))}\r\n <${at}>`, name);
  }
}

/** A field with one mailbox. */
export const author = mailbox;

/** A list of mailboxes and groups (RFC 5322 3.4). */
export function mailboxes(dice: Dice): Written<Mailbox[]> {
  const list = Array.from({ length: 1 + dice.below(3) }, () => mailbox(dice));
  const truth = list.some((one) => one.truth === undefined) ? undefined : list.flatMap((one) => one.truth ?? []);
  const wire = list.map((one) => one.wire).join(dice.pick([", ", ",\r\n ", ","]));
  const how = list.map((one) => one.how).join(", ");
  return dice.once(8) ? { how: `group of ${how}`, wire: `Team: ${wire};`, truth } : { how, wire, truth };
}

export function messageId(dice: Dice): string {
  return dice.pick([
    `<${dice.below(1e9)}@example.test>`,
    `<CA+${dice.below(1e9)}=x@mail.example.test>`,
    `<${dice.below(1e9)}.JavaMail.app@host>`,
  ]);
}

/** Forms of the same date (RFC 5322 3.3, 4.3). */
export function date(dice: Dice): Written<string> {
  const iso = "2026-05-15T12:00:00.000Z";
  const wire = dice.pick([
    "Fri, 15 May 2026 12:00:00 +0000",
    "15 May 2026 14:00:00 +0200",
    "Fri, 15 May 2026 12:00 GMT",
    "Fri, 15 May 2026 14:00:00 +0200 (CEST)",
    "Fri, 15 May 2026 07:00:00 EST",
    "Fri, 15 May 2026\r\n 12:00:00 -0000",
  ]);
  return { how: `date ${wire.slice(0, 40).replace(/\s+/g, " ")}`, wire, truth: iso };
}

/** The fields that name a file (RFC 2183, RFC 2231), as parameters of Content-Disposition and of Content-Type. */
export function fileName(dice: Dice): { how: string; disposition: string; type: string; truth: string | undefined } {
  const plain = dice.pick(["report.pdf", "my file (1).txt", "a'b.csv", "x=y;z.bin", "data.tar.gz"]);
  const foreign = dice.pick(["Größe.pdf", "見積書.xlsx", "Счёт.pdf", "naïve café.txt"]);
  const percent = (text: string) =>
    [...Buffer.from(text)]
      .map((byte) =>
        /[A-Za-z0-9.]/.test(String.fromCharCode(byte))
          ? String.fromCharCode(byte)
          : `%${byte.toString(16).padStart(2, "0").toUpperCase()}`,
      )
      .join("");
  const is = (how: string, disposition: string, truth: string | undefined, type = "") => ({
    how: `name ${how}`,
    disposition,
    type,
    truth,
  });
  switch (dice.below(12)) {
    case 0:
      return is("of letters", "; filename=data.bin", "data.bin");
    case 1:
      return is("quoted", `; filename="${plain}"`, plain);
    case 2:
      return is("in raw UTF-8", `; filename="${raw(foreign)}"`, foreign);
    case 3:
      return is("in an encoded word", `; filename="${encodedWord(foreign, dice)}"`, foreign);
    case 4:
      return is("by RFC 2231", `; filename*=utf-8''${percent(foreign)}`, foreign);
    case 5: {
      const code = percent(foreign);
      const middle = code.indexOf("%", 4) > 0 ? code.indexOf("%", 4) : 4;
      return is(
        "continued and coded",
        `;\r\n filename*0*=UTF-8'de'${code.slice(0, middle)};\r\n filename*1*=${code.slice(middle)}`,
        foreign,
      );
    }
    case 6:
      return is("continued", `; filename*0="my long "; filename*1="name.pdf"`, "my long name.pdf");
    case 7:
      return is("continued out of order", `; filename*1="name.pdf"; filename*0="long-"`, "long-name.pdf");
    case 8:
      return is("of the type only", "", plain, `; name="${plain}"`);
    case 9:
      return is("with quoted pairs", String.raw`; filename="a\"b.txt"`, "a_b.txt");
    case 10:
      return is("in windows-1252 by RFC 2231", "; filename*=windows-1252''%80-Gr%F6%DFe.pdf", "€-Größe.pdf");
    default:
      return is("missing", "", undefined);
  }
}
