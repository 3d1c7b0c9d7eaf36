/** Messages between the server and its children over a pipe: a length, a head, and raw bytes behind it. */
import { deserialize, serialize } from "node:v8";

/** What one side sends the other: plain data, and byte strings that travel beside it without being encoded. */
export interface Frame {
  /** Anything `structuredClone` takes, without large byte arrays. */
  head: unknown;
  blobs: Uint8Array[];
}

/** A byte string as one piece or as the pieces it arrived in. */
export type Bytes = Uint8Array | readonly Uint8Array[];

/** The pieces of a byte string. */
export function piecesOf(bytes: Bytes): readonly Uint8Array[] {
  return bytes instanceof Uint8Array ? [bytes] : bytes;
}

export function lengthOf(bytes: Bytes): number {
  return piecesOf(bytes).reduce((sum, piece) => sum + piece.byteLength, 0);
}

/** Written at once; then the pipe has to take it before more is copied, so that a large frame never stalls the loop. */
const SLICE_BYTES = 256 * 1024;
/** Head length and number of blobs. */
const PREFIX_BYTES = 8;
/** Added to the number of blobs: the head is JSON, not a structured clone. */
const JSON_FLAG = 0x8000_0000;
/** Text and HTML of a message at their limits are 5 MB, and held mail is up to 40 MB; more is a broken sender. */
const HEAD_BYTES_MAX = 128 * 1024 * 1024;
/** Attachments of one message. */
const BLOBS_MAX = 10_000;

/** The half of Bun's FileSink that a writer needs. */
export interface Sink {
  write(chunk: Uint8Array): unknown;
  flush(): unknown;
}

/** Writes frames in order; small ones that come together leave together. */
export class FrameWriter {
  private queue: { head: Uint8Array; blobs: readonly Bytes[]; isJson: boolean }[] = [];
  private isWriting = false;

  /** @param onError Called when the other side is gone; what is still queued is dropped. */
  constructor(
    private readonly sink: Sink,
    private readonly onError: (error: unknown) => void,
  ) {}

  /** @param isJson For a head that JSON can carry: a third of the cost of a structured clone. */
  send(head: unknown, blobs: readonly Bytes[] = [], isJson = false): void {
    this.queue.push({ head: isJson ? Buffer.from(JSON.stringify(head)) : serialize(head), blobs, isJson });
    if (this.isWriting) return;
    this.isWriting = true;
    queueMicrotask(() => {
      this.drain()
        .catch((error: unknown) => {
          this.queue = [];
          this.onError(error);
        })
        .finally(() => {
          this.isWriting = false;
        });
    });
  }

  private async drain(): Promise<void> {
    let pending = 0;
    const write = async (chunk: Uint8Array) => {
      this.sink.write(chunk);
      pending += chunk.byteLength;
      if (pending < SLICE_BYTES) return;
      pending = 0;
      await this.sink.flush();
    };
    for (;;) {
      const frame = this.queue.shift();
      if (!frame) {
        if (pending === 0) return;
        pending = 0;
        await this.sink.flush();
        continue;
      }
      const prefix = Buffer.alloc(PREFIX_BYTES + 4 * frame.blobs.length);
      prefix.writeUInt32LE(frame.head.byteLength, 0);
      prefix.writeUInt32LE(frame.blobs.length + (frame.isJson ? JSON_FLAG : 0), 4);
      for (const [i, blob] of frame.blobs.entries()) prefix.writeUInt32LE(lengthOf(blob), PREFIX_BYTES + 4 * i);
      await write(prefix);
      for (const piece of [frame.head, ...frame.blobs.flatMap(piecesOf)])
        for (let start = 0; start < piece.byteLength; start += SLICE_BYTES)
          await write(piece.subarray(start, start + SLICE_BYTES));
    }
  }
}

/** Puts frames together from the chunks of a pipe. Each byte is copied once. Throws RangeError on a broken stream. */
export class FrameReader {
  /** The field being filled, and how far. */
  private target = Buffer.alloc(PREFIX_BYTES);
  private filled = 0;
  private stage: "prefix" | "lengths" | "head" | "blobs" = "prefix";
  private headBytes = 0;
  private isJson = false;
  private lengths: number[] = [];
  private head: unknown;
  private blobs: Buffer[] = [];

  constructor(private readonly onFrame: (frame: Frame) => void) {}

  push(chunk: Uint8Array): void {
    let at = 0;
    while (at < chunk.byteLength) {
      const taken = Math.min(chunk.byteLength - at, this.target.byteLength - this.filled);
      this.target.set(chunk.subarray(at, at + taken), this.filled);
      this.filled += taken;
      at += taken;
      // A field of length 0 is complete without another byte.
      while (this.filled === this.target.byteLength) this.advance();
    }
  }

  private expect(stage: FrameReader["stage"], bytes: number): void {
    this.stage = stage;
    this.target = Buffer.allocUnsafeSlow(bytes);
    this.filled = 0;
  }

  private advance(): void {
    const field = this.target;
    if (this.stage === "prefix") {
      this.headBytes = field.readUInt32LE(0);
      const flagged = field.readUInt32LE(4);
      this.isJson = flagged >= JSON_FLAG;
      const count = flagged - (this.isJson ? JSON_FLAG : 0);
      if (this.headBytes > HEAD_BYTES_MAX || count > BLOBS_MAX) throw new RangeError("a frame is too large");
      this.expect("lengths", 4 * count);
    } else if (this.stage === "lengths") {
      this.lengths = Array.from({ length: field.byteLength / 4 }, (_, i) => field.readUInt32LE(4 * i));
      this.blobs = [];
      this.expect("head", this.headBytes);
    } else if (this.stage === "head") {
      this.head = this.isJson ? JSON.parse(field.toString()) : deserialize(field);
      this.nextBlob();
    } else {
      this.blobs.push(field);
      this.nextBlob();
    }
  }

  private nextBlob(): void {
    const bytes = this.lengths[this.blobs.length];
    if (bytes !== undefined) {
      this.expect("blobs", bytes);
      return;
    }
    const { head, blobs } = this;
    this.head = undefined;
    this.blobs = [];
    this.expect("prefix", PREFIX_BYTES);
    this.onFrame({ head, blobs });
  }
}
