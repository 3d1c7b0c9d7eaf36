import { createHash } from "node:crypto";
import { charsets, type Letters, utf8 } from "./charsets.ts";
import { Dice } from "./dice.ts";
import type { Kept, Made, Truth } from "./made.ts";
import { author, date, fileName, mailboxes, messageId, subject } from "./names.ts";

/** Composes messages out of a grammar of right and odd forms whose reading is known. */

/** A part with its header, and what a reader finds in it. */
interface Part {
  fields: string[];
  content: Buffer;
  /** In reading order, with one space for each run of white space. */
  text: string;
  isHtml: boolean;
  /** False once readers may differ. */
  isKnown: boolean;
  files: NonNullable<Truth["files"]>;
}

const WORDS = "order invoice delivery tomorrow please thanks table chair number friday office parcel".split(" ");

class Composer {
  readonly how: string[] = [];
  readonly kept: Kept[] = [];
  readonly dice: Dice;
  readonly eol: string;
  #words = 0;
  #boundaries = 0;

  constructor(
    seed: number,
    /** Without what our reader reports as a defect. */
    readonly isRight: boolean,
  ) {
    this.dice = new Dice(seed);
    this.eol = this.dice.once(6) ? "\n" : "\r\n";
    if (this.eol === "\n") this.how.push("LF");
  }

  /** A choice that reports name. */
  odd<T extends string>(kind: string, value: T): T {
    this.how.push(`${kind} ${value.replace(/\s+/g, " ").trim()}`);
    return value;
  }

  /** Words of which each occurs once in the message. */
  words(count: number): string[] {
    return Array.from({ length: count }, () => `${this.dice.pick(WORDS)}${++this.#words}q`);
  }

  /** True once in `times`, unless everything has to be right. */
  oddly(times: number): boolean {
    return this.dice.once(times) && !this.isRight;
  }

  boundary(parent: string | null): string {
    const own = `b${++this.#boundaries}`;
    if (parent !== null && this.dice.once(4))
      return this.odd("boundary", `${parent}${this.dice.pick(["x", "-2", "."])}`);
    return this.dice.pick([
      own,
      `=_${own}_e2a`,
      `----=_Part_${own}_7.4711`,
      `${own}'()+_,-./:=?z`,
      `Apple Mail ${own}`,
    ]);
  }
}

/**
 * Composes the message of a seed.
 * @param isRight Whether to leave out what our reader reports as a defect.
 */
export function composed(seed: number, isRight = false): Made {
  const composer = new Composer(seed, isRight);
  const { dice, eol, how } = composer;
  const truth: Truth = {};
  const fields: string[] = [];
  const fieldName = (name: string) => dice.pick([name, name, name, name.toLowerCase(), name.toUpperCase()]);
  const add = <T>(name: string, written: { how: string; wire: string; truth: T }): T => {
    const gap = dice.pick([": ", ": ", ": ", ":", ":  ", ":\t"]);
    fields.push(`${fieldName(name)}${gap}${written.wire.replaceAll("\r\n", eol)}`);
    if (!/^(?:subject|name|bare address|address in brackets)$/.test(written.how)) how.push(`${name}: ${written.how}`);
    return written.truth;
  };
  const id = (name: string, wire: string) => add(name, { how: "name", wire, truth: wire.match(/<[^>]+>/g) ?? [] });

  truth.from = add("From", author(dice));
  truth.to = add("To", mailboxes(dice));
  truth.cc = dice.once(3) ? add("Cc", mailboxes(dice)) : [];
  truth.replyTo = dice.once(4) ? add("Reply-To", mailboxes(dice)) : [];
  truth.subject = add("Subject", subject(dice));
  truth.date = add("Date", date(dice));
  truth.messageId = id("Message-ID", messageId(dice))[0];
  const earlier = Array.from({ length: dice.below(4) }, () => messageId(dice));
  truth.references = earlier.length > 0 ? id("References", earlier.join(dice.pick([" ", "\r\n ", "\r\n\t"]))) : [];
  truth.inReplyTo = earlier.length > 0 ? id("In-Reply-To", earlier.at(-1) as string) : [];
  if (dice.once(4)) fields.push(`X-Note: (a "note`);
  for (let at = fields.length - 1; at > 0; at--) {
    const other = dice.below(at + 1);
    [fields[at], fields[other]] = [fields[other] as string, fields[at] as string];
  }

  const root = body(composer);
  if (root.isKnown) {
    truth.text = root.text;
    truth.files = root.files;
  }
  const head = ["MIME-Version: 1.0", ...fields, ...root.fields].join(eol);
  const raw = Buffer.concat([Buffer.from(`${head}${eol}${eol}`, "latin1"), root.content]);
  return { how, raw, truth, kept: composer.kept };
}

function body(composer: Composer): Part {
  const { dice } = composer;
  switch (dice.below(8)) {
    case 0:
    case 1:
      return textPart(composer, false);
    case 2:
      return textPart(composer, true);
    case 3:
      return alternative(composer, null);
    case 4:
      return mixed(composer, null, [alternative, ...files(composer)]);
    case 5:
      return mixed(composer, null, [plain, ...files(composer)]);
    case 6:
      return mixed(composer, null, [plain, ...files(composer), dice.pick([plain, html]), nested]);
    default:
      return dice.pick([related, digest])(composer, null);
  }
}

type Maker = (composer: Composer, parent: string | null) => Part;

const plain: Maker = (composer) => textPart(composer, false);
const html: Maker = (composer) => textPart(composer, true);
const nested: Maker = (composer, parent) => mixed(composer, parent, [plain, file]);

function files({ dice }: Composer): Maker[] {
  return Array.from({ length: dice.below(4) }, () => dice.pick([file, file, attachedMessage]));
}

function lines(composer: Composer, letters: Letters): string[] {
  const { dice } = composer;
  const written = Array.from({ length: 1 + dice.below(4) }, () => composer.words(1 + dice.below(8)).join(" "));
  written.splice(dice.below(written.length + 1), 0, letters.text);
  if (dice.once(6))
    written.push(
      composer.odd("line", dice.pick(["--", "--not a boundary", "-- ", "From x", ".", "--b", "> a"])),
      ...composer.words(1),
    );
  if (dice.once(5)) written.splice(1, 0, "");
  return written;
}

function textPart(composer: Composer, isHtml: boolean, given: string[] | null = null): Part {
  const { dice, eol } = composer;
  const any = dice.once(2) ? utf8 : dice.once(4) ? ascii : dice.pick(charsets);
  const letters = composer.isRight && any.labels[0] === "utf-7" ? utf8 : any;
  const said = given ?? lines(composer, letters);
  const [label = ""] = letters.labels;
  const isWide = label === "utf-16";
  const isMeta = isHtml && dice.once(4) && /^(?:utf-8|iso-8859-[1-9]|windows-|koi8|shift|euc|gb|big5)/.test(label);
  const text = isHtml ? asHtml(said, isMeta ? label : null, dice) : said.join("\n");
  const bytes = letters.encode(text.replaceAll("\n", eol));
  const { field, isKnown } = textType(composer, isHtml, letters, isMeta);
  const { fields, wire } = transfer(composer, bytes, isWide ? "binary" : "text");
  composer.kept.push({ wire, words: ownWords(said.join(" ")), bytes: null });
  return {
    fields: shuffled(dice, [...field, ...fields]),
    content: wire,
    text: squeezed(said.join("\n")),
    isHtml,
    isKnown,
    files: [],
  };
}

function ownWords(text: string): string[] {
  return text.match(/\b[a-z]+\d+q\b/g) ?? [];
}

const ascii: Letters = {
  labels: ["us-ascii", "US-ASCII", "ascii"],
  text: "Plain words & signs <here>; 20 + 22 = 42.",
  encode: (text) => Buffer.from(text),
};

function asHtml(said: string[], charset: string | null, dice: Dice): string {
  const escaped = said.map((line) => line.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;"));
  const inner = escaped.map((line) => dice.pick([`<p>${line}</p>`, `<div>${line}</div>`, `${line}<br>`])).join("\n");
  const meta =
    charset === null
      ? ""
      : dice.pick([
          `<meta charset="${charset}">`,
          `<meta http-equiv=Content-Type content="text/html; charset=${charset}">`,
        ]);
  return dice.pick([
    `<html><head>${meta}<title>t</title></head><body>${inner}</body></html>`,
    `${meta}${inner}`,
    `<!DOCTYPE html>\n<html>${meta}<body>\n${inner}\n</body></html>\n`,
  ]);
}

/** Content-Type of a text: right, odd, broken, missing. */
function textType(
  composer: Composer,
  isHtml: boolean,
  letters: Letters,
  isMeta: boolean,
): { field: string[]; isKnown: boolean } {
  const { dice, eol } = composer;
  const type = isHtml ? "text/html" : "text/plain";
  const label = dice.pick(letters.labels);
  const is = (value: string, isKnown = true) => ({ field: [`Content-Type: ${value}`], isKnown });
  if (isMeta) return is(composer.odd("meta", type));
  if (letters !== utf8 && letters !== ascii) composer.odd("charset", label);
  const isUnicode = letters === utf8 || letters === ascii;
  const right = [
    `${type}; charset=${label}`,
    `${type}; charset="${label}"`,
    `${type.toUpperCase()}; CHARSET=${label.toUpperCase()}`,
    `${type};charset=${label};`,
    `${type};${eol}\tcharset="${label}"`,
    `${type}; x=y; charset="${label}"; flag`,
    `${type} (a comment); charset=${label}`,
    `${type}; format=fixed; charset=${label}`,
  ];
  const broken = [
    `${type} charset=${label}`,
    `${type}, charset="${label}"`,
    `${type}; charset='${label}'`,
    `${type};; charset=${label}`,
    `${type}; charset=${label} ;`,
    `${isHtml ? "html" : "plain"}/text; charset=${label}`,
    `${type}; charset = "${label}"`,
  ];
  const vague = isHtml
    ? ["text/html", "html", "text/html; charset="]
    : ["text", "text/plain", "text/plain; charset=", "", "text/plain; charset=us-ascii", "plain"];
  const wrong = [
    `${type}; charset=utf-8`,
    `${type}; charset=us-ascii`,
    type,
    `${type}; charset=x-unknown`,
    `${type}; charset="unknown-8bit"`,
  ];
  switch (composer.isRight ? -1 : dice.below(isUnicode ? 6 : 8)) {
    case 0:
      return is(composer.odd("type", dice.pick(broken)));
    case 1:
      if (isUnicode) return is(composer.odd("type", dice.pick(vague)));
      return is(composer.odd("type", dice.pick(broken)));
    case 2:
      if (!isHtml && isUnicode) {
        composer.odd("type", "missing");
        return { field: [], isKnown: true };
      }
      break;
    case 6:
      return is(composer.odd("wrong charset", dice.pick(wrong)), false);
  }
  return is(dice.pick(right));
}

/** Content-Transfer-Encoding in right and odd forms, and the content as it is written. */
function transfer(composer: Composer, bytes: Buffer, kind: "text" | "binary"): { fields: string[]; wire: Buffer } {
  const { dice } = composer;
  const isSevenBit = kind === "text" && bytes.every((byte) => byte < 0x80);
  const choice = dice.below(kind === "binary" ? 2 : 4);
  const is = (forms: string[], wire: Buffer) => {
    const form = composer.oddly(3) ? composer.odd("encoding", dice.pick(forms)) : (forms[0] as string);
    return { fields: [`Content-Transfer-Encoding: ${form}`], wire };
  };
  if (choice === 0 || (choice === 1 && kind === "binary"))
    return is(
      ["base64", "BASE64", "Base64", "base64;", '"base64"', "base64 (RFC 2045)", "base-64", "base64 charset=utf-8"],
      base64(composer, bytes),
    );
  if (choice === 1)
    return is(
      [
        "quoted-printable",
        "Quoted-Printable",
        "quoted-printable;",
        '"quoted-printable"',
        "quoted printable",
        "QUOTED-PRINTABLE",
        "quoted_printable",
      ],
      quotedPrintable(composer, bytes),
    );
  if (dice.once(4)) return { fields: [], wire: bytes };
  return is(
    isSevenBit
      ? ["7bit", "7BIT", "7 bit", "7bits", "8bit", "binary"]
      : ["8bit", "8BIT", "8 bit", "8bits", '"8bit"', "binary"],
    bytes,
  );
}

function base64({ dice, eol, how, isRight }: Composer, bytes: Buffer): Buffer {
  const code = bytes.toString("base64");
  const odd = dice.below(10);
  if (odd === 0) {
    how.push("base64 on one line");
    return Buffer.from(code);
  }
  const width = odd === 1 ? 20 : odd === 2 ? 61 : 76;
  if (odd < 3) how.push(`base64 in lines of ${width}`);
  const written = code.match(new RegExp(`.{1,${width}}`, "g"))?.join(odd === 3 ? ` ${eol}` : eol) ?? "";
  if (odd === 3) how.push("base64 with spaces");
  if (odd === 4 && !isRight) {
    how.push("base64 without padding");
    return Buffer.from(written.replace(/=+$/, ""));
  }
  return Buffer.from(odd === 5 ? `${written}${eol}` : written);
}

function quotedPrintable({ dice, eol, how }: Composer, bytes: Buffer): Buffer {
  const odd = dice.below(8);
  const isLower = odd === 0;
  const isSpaced = odd === 1;
  if (isLower) how.push("quoted-printable in lower case");
  if (isSpaced) how.push("quoted-printable with spaces at line ends");
  const out: string[] = [];
  let line = "";
  const hex = (byte: number) => {
    const code = byte.toString(16).padStart(2, "0");
    return `=${isLower ? code : code.toUpperCase()}`;
  };
  const softly = dice.pick([74, 74, 60, 20]);
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at] as number;
    const isLineEnd = byte === 0x0a || (byte === 0x0d && bytes[at + 1] === 0x0a);
    if (isLineEnd) {
      // White space before a line end is encoded (RFC 2045 6.7).
      out.push(`${line.replace(/[ \t]$/, (space) => hex(space.charCodeAt(0)))}${isSpaced ? "  " : ""}${eol}`);
      line = "";
      if (byte === 0x0d) at++;
      continue;
    }
    const isPlain = byte >= 0x20 && byte < 0x7f && byte !== 0x3d && !(line === "" && byte === 0x2d);
    line += isPlain ? String.fromCharCode(byte) : hex(byte);
    if (line.length >= softly) {
      out.push(`${line}=${isSpaced ? " " : ""}${eol}`);
      line = "";
    }
  }
  return Buffer.from(out.join("") + line.replace(/[ \t]$/, (space) => hex(space.charCodeAt(0))), "latin1");
}

const file: Maker = (composer) => {
  const { dice, eol } = composer;
  const isText = dice.once(3);
  const type = isText
    ? dice.pick(["text/csv", "application/json", "text/plain"])
    : dice.pick(["application/pdf", "image/png", "application/octet-stream", "application/zip", "Application/PDF"]);
  const bytes = isText
    ? Buffer.from(Array.from({ length: 1 + dice.below(5) }, () => composer.words(3).join(",")).join(eol))
    : dice.bytes(dice.pick(composer.isRight ? [57, 58, 300] : [0, 1, 2, 3, 57, 58, 300]));
  const name = fileName(dice);
  composer.how.push(name.how);
  // Text without a name is text unless it is said to be an attachment.
  const disposition = isText ? "attachment" : dice.pick(["attachment", "attachment", "inline", "ATTACHMENT"]);
  const { fields, wire } = transfer(composer, bytes, isText ? "text" : "binary");
  const hasDisposition = isText || name.disposition !== "" || dice.once(2);
  return leaf(composer, wire, bytes, {
    fields: shuffled(dice, [
      `Content-Type: ${type}${name.type.replaceAll("\r\n", eol)}`,
      ...(hasDisposition ? [`Content-Disposition: ${disposition}${name.disposition.replaceAll("\r\n", eol)}`] : []),
      ...fields,
    ]),
    type: type.toLowerCase(),
    name: name.truth,
    contentId: undefined,
  });
};

function leaf(
  composer: Composer,
  wire: Buffer,
  bytes: Buffer,
  { fields, ...known }: { fields: string[]; type: string; name: string | undefined; contentId: string | undefined },
): Part {
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  composer.kept.push({ wire, words: ownWords(bytes.toString("latin1")), bytes });
  return { fields, content: wire, text: "", isHtml: false, isKnown: true, files: [{ ...known, sha256 }] };
}

const attachedMessage: Maker = (composer) => {
  const { eol } = composer;
  const content = Buffer.from(["From: carol@example.test", "Subject: Inner", "", ...composer.words(3)].join(eol));
  return leaf(composer, content, content, {
    fields: ["Content-Type: message/rfc822"],
    ...{ type: "message/rfc822", name: undefined, contentId: undefined },
  });
};

const picture: Maker = (composer) => {
  const bytes = composer.dice.bytes(40);
  const { fields, wire } = transfer(composer, bytes, "binary");
  const contentId = `img${composer.dice.below(1e6)}@example.test`;
  return leaf(composer, wire, bytes, {
    fields: [
      'Content-Type: image/png; name="p.png"',
      `Content-ID: <${contentId}>`,
      "Content-Disposition: inline",
      ...fields,
    ],
    ...{ type: "image/png", name: "p.png", contentId },
  });
};

const alternative: Maker = (composer, parent) => {
  const { dice } = composer;
  const said = lines(composer, ascii);
  const both =
    (isHtml: boolean): Maker =>
    () =>
      textPart(composer, isHtml, said);
  const rich: Maker = dice.once(3)
    ? (inner, boundary) => multipart(inner, boundary, "related", [both(true), picture])
    : both(true);
  const made = multipart(composer, parent, "alternative", dice.once(6) ? [rich, both(false)] : [both(false), rich]);
  return { ...made, text: squeezed(said.join("\n")) };
};

const related: Maker = (composer, parent) => multipart(composer, parent, "related", [html, picture]);

const digest: Maker = (composer, parent) => {
  const bare: Maker = () => ({
    ...attachedMessage(composer, null),
    fields: composer.dice.pick([[], ["Content-Type: message/rfc822"]]),
  });
  return multipart(composer, parent, "digest", [bare, bare]);
};

function mixed(composer: Composer, parent: string | null, children: Maker[]): Part {
  return multipart(
    composer,
    parent,
    composer.dice.once(8) ? composer.odd("multipart", "x-unknown") : "mixed",
    children,
  );
}

function multipart(composer: Composer, parent: string | null, subtype: string, makers: Maker[]): Part {
  const { dice, eol } = composer;
  const boundary = composer.boundary(parent);
  const children = makers.map((make) => make(composer, boundary));
  const empty: Part = { fields: [], content: Buffer.alloc(0), text: "", isHtml: false, isKnown: true, files: [] };
  if (subtype === "mixed" && dice.once(10))
    children.splice(dice.below(children.length + 1), 0, {
      ...empty,
      fields: [composer.odd("part", "Content-Type: text/plain")],
    });
  const padding = () => (dice.once(12) ? composer.odd("padding", dice.pick([" ", "\t", "   "])) : "");
  const out: (Buffer | string)[] = [];
  if (dice.once(3))
    out.push(`${dice.pick(["This is a multi-part message in MIME format.", "This is a MIME message.", ""])}${eol}`);
  const isClosed = !composer.oddly(10);
  for (const [i, child] of children.entries()) {
    const fields = child.fields.map((field) => `${field}${eol}`).join("");
    out.push(`--${boundary}${padding()}${eol}`, Buffer.from(`${fields}${eol}`, "latin1"), child.content);
    if (isClosed || i + 1 < children.length) out.push(eol);
  }
  if (!isClosed) composer.odd("end", "missing");
  else out.push(`--${boundary}--${padding()}${dice.once(6) ? "" : eol}`);
  const needsQuotes = /[^A-Za-z0-9'+_.-]/.test(boundary);
  const written = needsQuotes || dice.once(2) ? `"${boundary}"` : boundary;
  const type = dice.once(8) ? composer.odd("type", `MULTIPART/${subtype}`) : `multipart/${subtype}`;
  const field = dice.pick([
    `Content-Type: ${type}; boundary=${written}`,
    `Content-Type: ${type};${eol} boundary=${written}`,
    `Content-Type: ${type}; charset=utf-8; boundary=${written}`,
  ]);
  return {
    fields: [field],
    content: Buffer.concat(out.map((piece) => (typeof piece === "string" ? Buffer.from(piece, "latin1") : piece))),
    text: squeezed(children.map(({ text }) => text).join("\n")),
    isHtml: false,
    isKnown: children.every(({ isKnown }) => isKnown),
    files: children.flatMap((child) => child.files),
  };
}

function shuffled<T>(dice: Dice, list: T[]): T[] {
  return dice.once(2) ? list : [...list].reverse();
}

export function squeezed(text: string): string {
  return text.replace(/\s+/g, " ").trim();
}
