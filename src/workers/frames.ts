/** Messages between the server and its children: lengths, a head of plain data, its long texts, then raw bytes. */
import { decodePlainData, encodePlainData } from "./plain-data.ts";

/** What one side sends the other: plain data, and byte strings that travel beside it without being encoded. */
export interface Frame {
  /** Anything that `encodePlainData` takes. */
  head: unknown;
  blobs: Uint8Array[];
}

/** A byte string as one piece or as the pieces it arrived in. */
export type Bytes = Uint8Array | readonly Uint8Array[];

/** The pieces of a byte string. */
function piecesOf(bytes: Bytes): readonly Uint8Array[] {
  return bytes instanceof Uint8Array ? [bytes] : bytes;
}

export function lengthOf(bytes: Bytes): number {
  return bytes instanceof Uint8Array ? bytes.byteLength : bytes.reduce((sum, piece) => sum + piece.byteLength, 0);
}

/** One write: small frames are combined up to this size and large ones are cut, so that no write stalls the loop. */
const SLICE_BYTES = 256 * 1024;
/** Head length, number of texts, number of blobs. The length of each text and blob follows. */
const PREFIX_BYTES = 12;
/** Added to the length of a UTF-16 text; other texts are Latin-1. Decoding either is a copy. */
const UTF16_FLAG = 0x8000_0000;
/** Written in one turn of the event loop, at most: a reader that keeps up would otherwise hold the loop. */
const TURN_BYTES = 1024 * 1024;
/** Room for the header fields of a message, or the reviews of many. A longer head means a broken sender. */
const HEAD_BYTES_MAX = 128 * 1024 * 1024;
/** Room for the attachments of one message, or its long header fields. */
const PARTS_MAX = 100_000;

/** Where a writer's bytes go. */
export interface Sink {
  /** Takes as many bytes as fit and returns how many. If it does not take all, it calls `FrameWriter.drain` later. */
  write(chunk: Uint8Array): number;
}

/** Writes frames in order; frames sent in the same turn of the event loop leave together. */
export class FrameWriter {
  private queue: Uint8Array[] = [];
  private state: "idle" | "due" | "full" | "closed" = "idle";

  constructor(private readonly sink: Sink) {}

  /** Queues a frame. `blobs` are read later: do not change their bytes until the other side has answered. */
  send(head: unknown, blobs: readonly Bytes[] = []): void {
    if (this.state === "closed") return;
    this.queue.push(opening(head, blobs));
    for (const blob of blobs) for (const piece of piecesOf(blob)) if (piece.byteLength > 0) this.queue.push(piece);
    if (this.state !== "idle") return;
    this.state = "due";
    setImmediate(() => this.drain());
  }

  /** Writes until the sink is full or this turn of the event loop has written enough. */
  drain(): void {
    if (this.state === "closed") return;
    for (let written = 0; this.queue.length > 0; ) {
      if (written >= TURN_BYTES) {
        this.state = "due";
        setImmediate(() => this.drain());
        return;
      }
      const chunk = this.nextChunk();
      const taken = this.sink.write(chunk);
      written += taken;
      // The write may have closed the sink.
      if (this.isClosed()) return;
      if (taken < chunk.byteLength) {
        this.queue.unshift(chunk.subarray(taken));
        this.state = "full";
        return;
      }
    }
    this.state = "idle";
  }

  /** Drops all frames, queued and future ones. */
  close(): void {
    this.state = "closed";
    this.queue = [];
  }

  private isClosed(): boolean {
    return this.state === "closed";
  }

  private nextChunk(): Uint8Array {
    let count = 0;
    for (let bytes = 0; count < this.queue.length; count++) {
      bytes += (this.queue[count] as Uint8Array).byteLength;
      if (bytes > SLICE_BYTES) break;
    }
    if (count > 1) return Buffer.concat(this.queue.splice(0, count));
    const first = this.queue.shift() as Uint8Array;
    if (first.byteLength <= SLICE_BYTES) return first;
    this.queue.unshift(first.subarray(SLICE_BYTES));
    return first.subarray(0, SLICE_BYTES);
  }
}

/** Encodes a frame without its blobs. */
function opening(head: unknown, blobs: readonly Bytes[]): Buffer {
  const { json, texts } = encodePlainData(head);
  const encoded = texts.map((text) => {
    const isUtf16 = /[^\x00-\xff]/.test(text);
    return { bytes: Buffer.from(text, isUtf16 ? "utf16le" : "latin1"), flag: isUtf16 ? UTF16_FLAG : 0 };
  });
  const headBytes = Buffer.byteLength(json);
  const tableEnd = PREFIX_BYTES + 4 * (texts.length + blobs.length);
  const out = Buffer.allocUnsafeSlow(encoded.reduce((sum, { bytes }) => sum + bytes.byteLength, tableEnd + headBytes));
  out.writeUInt32LE(headBytes, 0);
  out.writeUInt32LE(texts.length, 4);
  out.writeUInt32LE(blobs.length, 8);
  let at = PREFIX_BYTES;
  for (const { bytes, flag } of encoded) at = out.writeUInt32LE(bytes.byteLength + flag, at);
  for (const blob of blobs) at = out.writeUInt32LE(lengthOf(blob), at);
  at += out.write(json, at);
  for (const { bytes } of encoded) {
    out.set(bytes, at);
    at += bytes.byteLength;
  }
  return out;
}

/**
 * Assembles frames from the chunks of a stream. A blob that arrives in one chunk is not copied. Texts are decoded as
 * they arrive, so no turn of the event loop decodes more than a chunk. On a broken stream `push` throws RangeError, or
 * what `decodePlainData` throws.
 */
export class FrameReader {
  private stage: "prefix" | "table" | "head" | "text" | "blob" = "prefix";
  /** Length of the next field. */
  private wanted = PREFIX_BYTES;
  /** Collects a field that spans chunks; `filled` says how far. */
  private partial: Buffer | null = null;
  private filled = 0;
  private headBytes = 0;
  private textCount = 0;
  private blobCount = 0;
  private lengths: number[] = [];
  private json = "";
  private texts: string[] = [];
  private text: TextDecoding | null = null;
  private blobs: Uint8Array[] = [];

  constructor(private readonly onFrame: (frame: Frame) => void) {}

  push(bytes: Uint8Array): void {
    const chunk = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    for (let at = 0; ; ) {
      if (this.text) {
        at += this.text.take(chunk.subarray(at));
        if (this.text.left > 0) return;
        this.texts.push(this.text.decoded);
        this.text = null;
        this.nextPart();
      } else if (this.partial === null && chunk.byteLength - at >= this.wanted) {
        const end = at + this.wanted;
        this.advance(chunk.subarray(at, end));
        at = end;
      } else if (at === chunk.byteLength) {
        return;
      } else {
        this.partial ??= Buffer.allocUnsafeSlow(this.wanted);
        const end = Math.min(chunk.byteLength, at + this.wanted - this.filled);
        this.partial.set(chunk.subarray(at, end), this.filled);
        this.filled += end - at;
        at = end;
        if (this.filled < this.wanted) return;
        const field = this.partial;
        this.partial = null;
        this.filled = 0;
        this.advance(field);
      }
    }
  }

  private expect(stage: FrameReader["stage"], bytes: number): void {
    this.stage = stage;
    this.wanted = bytes;
  }

  private advance(field: Buffer): void {
    if (this.stage === "prefix") {
      this.headBytes = field.readUInt32LE(0);
      this.textCount = field.readUInt32LE(4);
      this.blobCount = field.readUInt32LE(8);
      if (this.headBytes > HEAD_BYTES_MAX || this.textCount + this.blobCount > PARTS_MAX)
        throw new RangeError("a frame is too large");
      this.expect("table", 4 * (this.textCount + this.blobCount));
    } else if (this.stage === "table") {
      this.lengths = [];
      for (let at = 0; at < field.byteLength; at += 4) this.lengths.push(field.readUInt32LE(at));
      this.texts = [];
      this.blobs = [];
      this.expect("head", this.headBytes);
    } else if (this.stage === "head") {
      this.json = field.toString();
      this.nextPart();
    } else {
      this.blobs.push(field);
      this.nextPart();
    }
  }

  private nextPart(): void {
    const length = this.lengths[this.texts.length + this.blobs.length];
    if (this.texts.length < this.textCount) {
      this.text = new TextDecoding(length as number);
      this.expect("text", 0);
    } else if (length !== undefined) {
      this.expect("blob", length);
    } else {
      const { json, texts, blobs } = this;
      this.json = "";
      this.texts = [];
      this.blobs = [];
      this.expect("prefix", PREFIX_BYTES);
      this.onFrame({ head: decodePlainData({ json, texts }), blobs });
    }
  }
}

/** Decodes a text as it arrives. */
class TextDecoding {
  decoded = "";
  /** Bytes that have yet to arrive. */
  left: number;
  private readonly isUtf16: boolean;
  /** The first byte of a UTF-16 unit whose second byte comes with the next chunk. */
  private half: number | null = null;

  constructor(flaggedLength: number) {
    this.isUtf16 = flaggedLength >= UTF16_FLAG;
    this.left = flaggedLength - (this.isUtf16 ? UTF16_FLAG : 0);
  }

  /** Takes this text's bytes from the beginning of a chunk, and returns how many. */
  take(chunk: Buffer): number {
    const taken = Math.min(this.left, chunk.byteLength);
    this.left -= taken;
    if (!this.isUtf16) {
      this.decoded += chunk.toString("latin1", 0, taken);
      return taken;
    }
    let start = 0;
    if (this.half !== null && taken > 0) {
      this.decoded += String.fromCharCode(this.half + (chunk[0] as number) * 256);
      this.half = null;
      start = 1;
    }
    const end = taken - ((taken - start) % 2);
    this.decoded += chunk.toString("utf16le", start, end);
    if (end < taken) this.half = chunk[end] as number;
    return taken;
  }
}
