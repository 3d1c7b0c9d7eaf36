/**
 * JSON bodies. A body that may have attachments is processed while it arrives: long texts and base64 are decoded piece
 * by piece and left out of the text that is parsed. So parsing costs only as much as the short members, however large
 * the body is.
 */
import { Failure, type FieldError } from "../../util/errors.ts";
import { Base64Bytes } from "../../util/pieces.ts";
import { shownName } from "../../util/unknown-name.ts";
import { invalid } from "../framework/input.ts";
import { Base64Reader } from "./base64.ts";
import { repeatedMember } from "./json-members.ts";
import { JsonShape, wrongShape } from "./json-shape.ts";

/** Longer strings are taken out. Only `longMembers` may be longer than this. */
const LONG_BYTES = 4 * 1024;
/** The text left to parse: a hundred attachments and three thousand addresses, without the long strings. */
const SKELETON_BYTES_MAX = 2 * 1024 * 1024;

/**
 * The largest text or HTML of a message, in UTF-8. Mail programs cut much earlier (Gmail at 102 KB), and it is read,
 * searched and stored as one string.
 */
export const TEXT_BYTES_MAX = 4 * 1024 * 1024;

/** The error for a text that is too long. */
export function textTooLong(field: string): FieldError {
  return { field, message: `has more than ${TEXT_BYTES_MAX} bytes: send it as an attachment` };
}

/**
 * Bytes kept of a string that is too long: even if all of them are six-byte escapes of one character, it stays too long
 * for its schema.
 */
const CUT_BYTES = 16 * 1024;

/** A string that is taken out of the JSON text. Its pieces are the bytes between its quotes, cut anywhere. */
interface LongString {
  /** The caller may change the bytes after the call. */
  push(piece: Uint8Array): void;
  /** The value that replaces the string in the parsed body. */
  end(): string | Base64Bytes;
}

/** Members that may be long, by name, at any depth. */
const longMembers: Record<string, (bytesMax: number) => LongString> = {
  body: () => new LongText("body"),
  html_body: () => new LongText("html_body"),
  body_text: () => new LongText("body_text"),
  body_html: () => new LongText("body_html"),
  data: (bytesMax) => new LongBase64(bytesMax),
};

/**
 * Reads a JSON body piece by piece. Throws the Failures `invalid_request` of `JsonShape` and of `parseJson`, each as
 * soon as the error is found.
 */
export class JsonBodyReader {
  private readonly shape = new JsonShape({
    bare: (bytes, start, end) => this.bare(bytes, start, end),
    text: (bytes, start, end) => this.text(bytes, start, end),
    textEnd: () => this.textEnd(),
  });
  private bytes = 0;
  /** The text left to parse. */
  private readonly skeleton = new Skeleton();
  /**
   * Where the current string begins in the skeleton (-1 outside a string), and the place of the last string before it.
   */
  private textStart = -1;
  private lastText = { start: 0, end: 0 };
  /** The last string followed by a colon. */
  private name = { start: 0, end: 0 };
  /** The current string, once it is long. */
  private long: LongString | null = null;
  private readonly taken: (string | Base64Bytes)[] = [];
  /** Begins the text that stands for a long string. Clients cannot know it, so no string of theirs begins with it. */
  private readonly mark = `${crypto.randomUUID()}:`;

  /** @param bytesMax Bytes that the body may have, if that is known. */
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

  /** The value with the long strings back in their places. `JsonShape` has limited its depth and number of values. */
  private restored(value: unknown): unknown {
    if (typeof value === "string")
      return value.startsWith(this.mark) ? this.taken[Number(value.slice(this.mark.length))] : value;
    if (Array.isArray(value)) return value.map((one) => this.restored(one));
    if (typeof value !== "object" || value === null) return value;
    const members = Object.entries(value).map(([name, one]) => [`${this.restored(name)}`, this.restored(one)]);
    return Object.fromEntries(members);
  }
}

/** A growing buffer of bytes. */
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

  /** The bytes from `start` to before `end`, valid until more are added. */
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
/** Copying this many bytes by hand is faster than a call. */
const COPIED_BY_CALL = 32;
const QUOTE = 0x22;
const COLON = 0x3a;

/** A whole text, with its escapes decoded. */
class LongText implements LongString {
  private readonly decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  private readonly parts: string[] = [];
  private rest = "";
  private chars = 0;

  /** @param member Its name, for the error if it is too long. */
  constructor(private readonly member: string) {}

  push(piece: Uint8Array): void {
    this.take(utf8(() => this.decoder.decode(piece, { stream: true })));
  }

  end(): string {
    this.take(utf8(() => this.decoder.decode()));
    if (this.rest !== "") throw notJson("Unterminated string");
    return this.parts.join("");
  }

  /** The text without an escape or character that was cut at its end. */
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

/** Base64, as the bytes that it encodes. */
class LongBase64 implements LongString {
  private readonly reader: Base64Reader;
  private rest = "";

  constructor(bytesMax: number) {
    this.reader = new Base64Reader(bytesMax);
  }

  push(piece: Uint8Array): void {
    // A character that is not ASCII is not base64 either, so any one-byte charset will do.
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

/** A character that begins an escape, or that JSON does not allow in a string (RFC 8259 7). */
const mayNotStand = /[\\\x00-\x1f]/;

/** Replaces a string that was not base64, and is refused as such. */
const notBase64 = "?";

/** A string too long for any member, of which only the beginning is kept. */
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

/** Where the last complete escape ends (RFC 8259 7); an incomplete one follows, if anything does. */
function wholeEscapes(text: string): number {
  const last = text.lastIndexOf("\\");
  if (last < 0 || last < text.length - UNICODE_ESCAPE_CHARS) return text.length;
  let run = 1;
  while (text[last - run] === "\\") run++;
  // Backslashes come in pairs; the last of an odd number escapes the character after it.
  if (run % 2 === 0) return text.length;
  return text.length - last < (text[last + 1] === "u" ? UNICODE_ESCAPE_CHARS : 2) ? last : text.length;
}

const UNICODE_ESCAPE_CHARS = "\\u0000".length;

/** Decodes the content of a JSON string. */
function withoutEscapes(text: string): string {
  try {
    return JSON.parse(`"${text}"`) as string;
  } catch (error) {
    throw notJson(error);
  }
}

/** Decodes the content of a string that may not be JSON; returns it unchanged if it is not. */
function unescaped(text: string): string {
  if (!text.includes("\\")) return text;
  try {
    return JSON.parse(`"${text}"`) as string;
  } catch {
    return text;
  }
}

/**
 * Parses strict UTF-8, then JSON without repeated members. Failure `invalid_request` says what is wrong. For short
 * bodies: its time grows with the text.
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
