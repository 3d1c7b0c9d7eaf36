/**
 * JSON bodies. One that may have attachments is taken apart while it arrives: long texts and base64 are decoded piece by
 * piece and are not in the text that is parsed, so that parsing costs what the short members cost, however large it is.
 */
import { Failure } from "../errors.ts";
import { shownName } from "../unknown-name.ts";
import { Base64Bytes, Base64Reader } from "./base64.ts";
import { invalid } from "./input.ts";
import { repeatedMember } from "./json-members.ts";
import { JsonShape, wrongShape } from "./json-shape.ts";

/** Longer strings are taken out. No member may be as long, but for those of `longMembers`. */
const LONG_BYTES = 4 * 1024;
/** What is left to parse: a hundred attachments and three thousand addresses, without what is long in them. */
const SKELETON_BYTES_MAX = 2 * 1024 * 1024;
/** The name of a member, as it may be escaped; a longer one is not one of ours. */
const NAME_BYTES_MAX = 256;

/** What is kept of one that is too long: still too long when all of it is escapes of six bytes for one character. */
const CUT_BYTES = 16 * 1024;

/** A string that is taken out of the JSON text; its pieces are what stands between its quotes, cut anywhere. */
interface LongString {
  push(piece: Uint8Array): void;
  /** What stands for it in the parsed value. */
  end(): string | Base64Bytes;
}

/** Members that may be long, by name, wherever they are. */
const longMembers: Record<string, () => LongString> = {
  body: () => new LongText(),
  html_body: () => new LongText(),
  data: () => new LongBase64(),
};

/**
 * Reads a JSON body piece by piece. Failures `invalid_request`: those of `JsonShape` and of `parseJson`, each as soon as
 * it shows.
 */
export class JsonBodyReader {
  private readonly shape = new JsonShape({
    bare: (piece) => this.bare(piece),
    text: (piece) => this.text(piece),
    textEnd: () => this.textEnd(),
  });
  private readonly skeleton: Uint8Array[] = [];
  private skeletonBytes = 0;
  /** The string that is being read, while it is short. */
  private short: Uint8Array[] = [];
  private shortBytes = 0;
  private long: LongString | null = null;
  /** The last string that was short enough for a name, and the last one with a colon behind it. */
  private lastShort = "";
  private name = "";
  private readonly taken: (string | Base64Bytes)[] = [];
  /** Begins what stands for a string that was taken out. The client cannot know it, so no string of theirs begins so. */
  private readonly mark = `${crypto.randomUUID()}:`;

  push(bytes: Uint8Array): void {
    this.shape.push(bytes);
  }

  /** The parsed value, in which long base64 is `Base64Bytes`. */
  end(): unknown {
    if (this.shape.inString) throw notJson("Unterminated string");
    const value = parseJson(Buffer.concat(this.skeleton));
    return this.taken.length === 0 ? value : this.restored(value);
  }

  private bare(piece: Uint8Array): void {
    if (piece.includes(0x3a)) this.name = this.lastShort;
    this.keep(piece);
  }

  private text(piece: Uint8Array): void {
    if (this.long) {
      this.long.push(piece);
      return;
    }
    this.short.push(piece.slice());
    this.shortBytes += piece.length;
    if (this.shortBytes <= LONG_BYTES) return;
    const make = Object.hasOwn(longMembers, this.name) ? longMembers[this.name] : undefined;
    this.long = make ? make() : new CutText();
    for (const part of this.short) this.long.push(part);
    this.short = [];
  }

  private textEnd(): void {
    if (this.long) {
      this.keep(Buffer.from(`"${this.mark}${this.taken.length}"`));
      this.taken.push(this.long.end());
      this.lastShort = "";
    } else {
      const text = Buffer.concat(this.short);
      this.keep(Buffer.from('"'));
      this.keep(text);
      this.keep(Buffer.from('"'));
      this.lastShort = text.length <= NAME_BYTES_MAX ? unescaped(text.toString("latin1")) : "";
    }
    this.long = null;
    this.short = [];
    this.shortBytes = 0;
  }

  private keep(piece: Uint8Array): void {
    this.skeletonBytes += piece.length;
    if (this.skeletonBytes > SKELETON_BYTES_MAX)
      throw wrongShape(`has more than ${SKELETON_BYTES_MAX} bytes beside its texts and attachments`);
    this.skeleton.push(piece.slice());
  }

  /** The value with what was taken out in its place. It is as deep and has as many values as `JsonShape` lets pass. */
  private restored(value: unknown): unknown {
    if (typeof value === "string")
      return value.startsWith(this.mark) ? this.taken[Number(value.slice(this.mark.length))] : value;
    if (Array.isArray(value)) return value.map((one) => this.restored(one));
    if (typeof value !== "object" || value === null) return value;
    const members = Object.entries(value).map(([name, one]) => [`${this.restored(name)}`, this.restored(one)]);
    return Object.fromEntries(members);
  }
}

/** All of a text, with its escapes undone. */
class LongText implements LongString {
  private readonly decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  private readonly parts: string[] = [];
  private rest = "";

  push(piece: Uint8Array): void {
    this.take(utf8(() => this.decoder.decode(piece, { stream: true })));
  }

  end(): string {
    this.take(utf8(() => this.decoder.decode()));
    if (this.rest !== "") throw notJson("Unterminated string");
    return this.parts.join("");
  }

  private take(text: string): void {
    const given = this.rest + text;
    const end = wholeEscapes(given);
    this.rest = given.slice(end);
    this.parts.push(withoutEscapes(given.slice(0, end)));
  }
}

/** Base64, as the bytes that it stands for. */
class LongBase64 implements LongString {
  private readonly reader = new Base64Reader();
  private rest = "";

  push(piece: Uint8Array): void {
    // What is not ASCII is not base64 either, whatever it stands for.
    const given = this.rest + Buffer.from(piece.buffer, piece.byteOffset, piece.byteLength).toString("latin1");
    const end = wholeEscapes(given);
    this.rest = given.slice(end);
    this.reader.push(withoutEscapes(given.slice(0, end)));
  }

  end(): Base64Bytes | string {
    if (this.rest !== "") throw notJson("Unterminated string");
    const bytes = this.reader.end();
    return bytes ? new Base64Bytes(bytes) : notBase64;
  }
}

/** Stands for what was not base64, and is complained about as that. */
const notBase64 = "?";

/** The beginning of a text that is too long wherever it is. */
class CutText implements LongString {
  private readonly pieces: Uint8Array[] = [];
  private bytes = 0;

  push(piece: Uint8Array): void {
    if (this.bytes > CUT_BYTES) return;
    this.pieces.push(piece.slice(0, CUT_BYTES));
    this.bytes += piece.length;
  }

  end(): string {
    const text = new TextDecoder().decode(Buffer.concat(this.pieces).subarray(0, CUT_BYTES));
    return withoutEscapes(text.slice(0, wholeEscapes(text)));
  }
}

/** Where the last escape ends that is there as a whole (RFC 8259 7); what follows is the beginning of one. */
function wholeEscapes(text: string): number {
  const last = text.lastIndexOf("\\");
  if (last < 0 || last < text.length - UNICODE_ESCAPE_CHARS) return text.length;
  let run = 1;
  while (text[last - run] === "\\") run++;
  // Backslashes go in pairs, and the last one of an odd number takes what follows with it.
  if (run % 2 === 0) return text.length;
  return text.length - last < (text[last + 1] === "u" ? UNICODE_ESCAPE_CHARS : 2) ? last : text.length;
}

const UNICODE_ESCAPE_CHARS = "\\u0000".length;

/** What stands between the quotes of a JSON string as text. */
function withoutEscapes(text: string): string {
  try {
    return JSON.parse(`"${text}"`) as string;
  } catch (error) {
    throw notJson(error);
  }
}

/** The same, of what may not be JSON and is then looked at as it is. */
function unescaped(text: string): string {
  if (!text.includes("\\")) return text;
  try {
    return JSON.parse(`"${text}"`) as string;
  } catch {
    return text;
  }
}

/**
 * Strict UTF-8, then JSON without repeated members. Failure `invalid_request` says what is wrong. Its time grows with the
 * text: for bodies that are short.
 */
export function parseJson(bytes: Uint8Array): unknown {
  const text = utf8(() => new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw notJson(error);
  }
  const repeated = repeatedMember(text);
  if (repeated !== null)
    throw invalid([{ field: shownName(repeated), message: "is given twice" }], "Give each member once.");
  return value;
}

function utf8(decode: () => string): string {
  try {
    return decode();
  } catch {
    throw new Failure("invalid_request", "The body is not UTF-8.", { fix: "Send JSON as UTF-8 (RFC 8259 8.1)." });
  }
}

function notJson(why: unknown): Failure {
  const said = why instanceof SyntaxError ? why.message.replace(/^JSON Parse error: /, "") : why;
  const reason = typeof said === "string" ? ` (${said})` : "";
  return new Failure("invalid_request", `The body is not JSON${reason}.`, { fix: "Send one JSON object." });
}
