/**
 * JSON bodies. One that may have attachments is taken apart while it arrives: long texts and base64 are decoded piece by
 * piece and are not in the text that is parsed, so that parsing costs what the short members cost, however large it is.
 */
import { Failure, type FieldError } from "../../util/errors.ts";
import { shownName } from "../../util/unknown-name.ts";
import { invalid } from "../framework/input.ts";
import { Base64Bytes, Base64Reader } from "./base64.ts";
import { repeatedMember } from "./json-members.ts";
import { JsonShape, wrongShape } from "./json-shape.ts";

/** Longer strings are taken out. No member may be as long, but for those of `longMembers`. */
const LONG_BYTES = 4 * 1024;
/** What is left to parse: a hundred attachments and three thousand addresses, without what is long in them. */
const SKELETON_BYTES_MAX = 2 * 1024 * 1024;

/**
 * A text or the HTML of a message, in UTF-8. Mail programs cut long before that (Gmail at 102 KB), and it is read, searched
 * and stored as one string.
 */
export const TEXT_BYTES_MAX = 4 * 1024 * 1024;

/** What is wrong with a longer one. */
export function textTooLong(field: string): FieldError {
  return { field, message: `has more than ${TEXT_BYTES_MAX} bytes: send it as an attachment` };
}

/** What is kept of one that is too long: still too long when all of it is escapes of six bytes for one character. */
const CUT_BYTES = 16 * 1024;

/** A string that is taken out of the JSON text; its pieces are what stands between its quotes, cut anywhere. */
interface LongString {
  /** The bytes may change once it has returned. */
  push(piece: Uint8Array): void;
  /** What stands for it in the parsed value. */
  end(): string | Base64Bytes;
}

/** Members that may be long, by name, wherever they are. */
const longMembers: Record<string, (bytesMax: number) => LongString> = {
  body: () => new LongText("body"),
  html_body: () => new LongText("html_body"),
  body_text: () => new LongText("body_text"),
  body_html: () => new LongText("body_html"),
  data: (bytesMax) => new LongBase64(bytesMax),
};

/**
 * Reads a JSON body piece by piece. Failures `invalid_request`: those of `JsonShape` and of `parseJson`, each as soon as
 * it shows.
 */
export class JsonBodyReader {
  private readonly shape = new JsonShape({
    bare: (bytes, start, end) => this.bare(bytes, start, end),
    text: (bytes, start, end) => this.text(bytes, start, end),
    textEnd: () => this.textEnd(),
  });
  private bytes = 0;
  /** What is left to parse. */
  private readonly skeleton = new Skeleton();
  /** Where the string that is being read begins in the skeleton, and the last one before it; -1 when it is not there. */
  private textStart = -1;
  private lastText = { start: 0, end: 0 };
  /** The last string with a colon behind it. */
  private name = { start: 0, end: 0 };
  /** The string that is being read, once it is long. */
  private long: LongString | null = null;
  private readonly taken: (string | Base64Bytes)[] = [];
  /** Begins what stands for a string that was taken out. The client cannot know it, so no string of theirs begins so. */
  private readonly mark = `${crypto.randomUUID()}:`;

  /** @param bytesMax Bytes that the body may have, where that is known. */
  constructor(private readonly bytesMax = 0) {}

  push(bytes: Uint8Array): void {
    this.shape.push(bytes);
    this.bytes += bytes.length;
  }

  /** The parsed value, in which long base64 is `Base64Bytes`. */
  end(): unknown {
    if (this.shape.inString) throw notJson("Unterminated string");
    const value = parseJson(this.skeleton.bytes());
    return this.taken.length === 0 ? value : this.restored(value);
  }

  private bare(bytes: Uint8Array, start: number, end: number): void {
    for (let at = start; at < end; at++) if (bytes[at] === COLON) this.name = this.lastText;
    this.skeleton.add(bytes, start, end);
  }

  private text(bytes: Uint8Array, start: number, end: number): void {
    if (this.long) {
      this.long.push(bytes.subarray(start, end));
      return;
    }
    const { skeleton } = this;
    if (this.textStart < 0) {
      skeleton.addByte(QUOTE);
      this.textStart = skeleton.length;
    }
    if (skeleton.length - this.textStart + end - start <= LONG_BYTES) {
      skeleton.add(bytes, start, end);
      return;
    }
    const name = unescaped(skeleton.bytes(this.name.start, this.name.end).toString("latin1"));
    const make = Object.hasOwn(longMembers, name) ? longMembers[name] : undefined;
    this.long = make ? make(Math.max(0, this.bytesMax - this.bytes)) : new CutText();
    this.long.push(skeleton.bytes(this.textStart));
    this.long.push(bytes.subarray(start, end));
    skeleton.length = this.textStart;
  }

  private textEnd(): void {
    const { skeleton } = this;
    if (this.long) {
      const stand = Buffer.from(`${this.mark}${this.taken.length}`);
      skeleton.add(stand, 0, stand.length);
      this.taken.push(this.long.end());
      this.long = null;
    }
    this.lastText = { start: this.textStart, end: skeleton.length };
    this.textStart = -1;
    skeleton.addByte(QUOTE);
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

/** Bytes that come one behind the other. */
class Skeleton {
  length = 0;
  private room = Buffer.alloc(SKELETON_BYTES_MIN);

  add(bytes: Uint8Array, start: number, end: number): void {
    this.grow(end - start);
    if (end - start > COPIED_BY_CALL) this.room.set(bytes.subarray(start, end), this.length);
    else for (let at = start; at < end; at++) this.room[this.length + at - start] = bytes[at] as number;
    this.length += end - start;
  }

  addByte(byte: number): void {
    this.grow(1);
    this.room[this.length++] = byte;
  }

  /** Those from `start` to before `end`; they stay as they are until others are added. */
  bytes(start = 0, end = this.length): Buffer {
    return this.room.subarray(start, end);
  }

  private grow(by: number): void {
    const needed = this.length + by;
    if (needed > SKELETON_BYTES_MAX)
      throw wrongShape(`has more than ${SKELETON_BYTES_MAX} bytes beside its texts and attachments`);
    if (needed <= this.room.length) return;
    const larger = Buffer.alloc(Math.max(needed, 2 * this.room.length));
    larger.set(this.bytes());
    this.room = larger;
  }
}

const SKELETON_BYTES_MIN = 4 * 1024;
/** A call costs more than copying so many bytes by hand. */
const COPIED_BY_CALL = 32;
const QUOTE = 0x22;
const COLON = 0x3a;

/** All of a text, with its escapes undone. */
class LongText implements LongString {
  private readonly decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  private readonly parts: string[] = [];
  private rest = "";
  private chars = 0;

  /** @param member Its name, for when it is too long. */
  constructor(private readonly member: string) {}

  push(piece: Uint8Array): void {
    this.take(utf8(() => this.decoder.decode(piece, { stream: true })));
  }

  end(): string {
    this.take(utf8(() => this.decoder.decode()));
    if (this.rest !== "") throw notJson("Unterminated string");
    return this.parts.join("");
  }

  /** Without what was cut through at its end. */
  endCut(): string {
    return this.parts.join("");
  }

  private take(text: string): void {
    const given = this.rest + text;
    const end = wholeEscapes(given);
    this.rest = given.slice(end);
    const part = withoutEscapes(given.slice(0, end));
    this.chars += part.length;
    if (this.chars > TEXT_BYTES_MAX) throw invalid([textTooLong(this.member)]);
    this.parts.push(part);
  }
}

/** Base64, as the bytes that it stands for. */
class LongBase64 implements LongString {
  private readonly reader: Base64Reader;
  private rest = "";

  constructor(bytesMax: number) {
    this.reader = new Base64Reader(bytesMax);
  }

  push(piece: Uint8Array): void {
    // What is not ASCII is not base64 either, whatever it stands for.
    const given = this.rest + Buffer.from(piece.buffer, piece.byteOffset, piece.byteLength).toString("latin1");
    const end = wholeEscapes(given);
    this.rest = given.slice(end);
    const whole = given.slice(0, end);
    this.reader.push(mayNotStand.test(whole) ? withoutEscapes(whole) : whole);
  }

  end(): Base64Bytes | string {
    if (this.rest !== "") throw notJson("Unterminated string");
    const bytes = this.reader.end();
    return bytes ? new Base64Bytes(bytes) : notBase64;
  }
}

/** In a JSON string an escape begins so, or it is not JSON (RFC 8259 7). */
const mayNotStand = /[\\\x00-\x1f]/;

/** Stands for what was not base64, and is complained about as that. */
const notBase64 = "?";

/** A text of which only the beginning is kept once it is too long wherever it is. */
class CutText implements LongString {
  private readonly text = new LongText("a text");
  private bytes = 0;

  push(piece: Uint8Array): void {
    if (this.bytes > CUT_BYTES) return;
    this.text.push(piece.subarray(0, CUT_BYTES - this.bytes));
    this.bytes += piece.length;
  }

  end(): string {
    return this.bytes > CUT_BYTES ? this.text.endCut() : this.text.end();
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
