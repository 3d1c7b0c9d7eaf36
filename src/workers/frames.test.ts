import { describe, expect, test } from "bun:test";
import { type Frame, FrameReader, FrameWriter } from "./frames.ts";

/** The bytes that a writer writes for these frames, through a sink that takes `room` bytes at a time. */
function written(frames: readonly Frame[], room = Number.POSITIVE_INFINITY): Buffer {
  const chunks: Buffer[] = [];
  const writer = new FrameWriter({
    write(chunk) {
      const taken = Math.min(room, chunk.byteLength);
      chunks.push(Buffer.from(chunk.subarray(0, taken)));
      return taken;
    },
  });
  for (const { head, blobs } of frames) writer.send(head, blobs);
  for (let before = -1; before < chunks.length; ) {
    before = chunks.length;
    writer.drain();
  }
  return Buffer.concat(chunks);
}

function read(stream: Buffer, chunkBytes: number): Frame[] {
  const frames: Frame[] = [];
  const reader = new FrameReader((frame) => frames.push(frame));
  for (let at = 0; at < stream.byteLength; at += chunkBytes) reader.push(stream.subarray(at, at + chunkBytes));
  return frames.map(({ head, blobs }) => ({ head, blobs: blobs.map((blob) => Buffer.from(blob)) }));
}

const long = "Grüße — \ud800 \u{1f600} ".repeat(100);
const frames: Frame[] = [
  { head: null, blobs: [] },
  { head: { kind: "short", at: new Date(1e12), list: [1, "\0t0:5", "", true], none: null }, blobs: [] },
  { head: { text: long, start: long.slice(0, 700), latin: "é".repeat(2_000), again: long }, blobs: [Buffer.alloc(0)] },
  { head: [Number.POSITIVE_INFINITY, "x".repeat(512)], blobs: [Buffer.alloc(70_000, "ab"), Buffer.from("c")] },
];

describe("frames", () => {
  test.each([1, 2, 3, 7, 64, 4_096, 1_000_000])("arrive as they were sent in chunks of %d bytes", (chunkBytes) => {
    expect(read(written(frames), chunkBytes)).toEqual(frames);
  });

  test.each([1, 5, 100_000])("arrive as they were sent through a sink that takes %d bytes at a time", (room) => {
    const small = room < 100 ? frames.slice(0, 3) : frames;
    expect(read(written(small, room), 1_000)).toEqual(small);
  });

  test("have each text once, also where another one is how it begins", () => {
    const text = "a".repeat(100_000);
    const twice = written([{ head: { text, replyText: text, snippet: text.slice(0, 50_000) }, blobs: [] }]);
    expect(twice.byteLength).toBeLessThan(101_000);
  });

  test("of megabytes of text are decoded in steps of a chunk", () => {
    const text = "ü€".repeat(1_000_000);
    const stream = written([{ head: { text }, blobs: [] }]);
    const lengths: number[] = [];
    const decode = Buffer.prototype.toString;
    Buffer.prototype.toString = function (this: Buffer, ...args: []) {
      const decoded: string = decode.apply(this, args);
      lengths.push(decoded.length);
      return decoded;
    } as typeof decode;
    try {
      expect(read(stream, 65_536)).toEqual([{ head: { text }, blobs: [] }]);
    } finally {
      Buffer.prototype.toString = decode;
    }
    expect(Math.max(...lengths)).toBeLessThanOrEqual(65_536);
  });

  test("of megabytes leave a megabyte a turn, and other work comes in between", async () => {
    let written = 0;
    const writer = new FrameWriter({
      write(chunk) {
        written += chunk.byteLength;
        return chunk.byteLength;
      },
    });
    writer.send({}, [new Uint8Array(10_000_000)]);
    const turns: number[] = [];
    while (written < 10_000_000) {
      const before = written;
      await new Promise(setImmediate);
      turns.push(written - before);
    }
    expect(Math.max(...turns)).toBeLessThanOrEqual(1024 * 1024 + 256 * 1024);
  });

  test("carry plain data only", () => {
    for (const head of [new Map(), { set: new Set() }, [new Uint8Array(1)], { deep: { error: new Error("no") } }])
      expect(() => new FrameWriter({ write: () => 0 }).send(head)).toThrow(TypeError);
  });

  test.each([
    ["head", [0xff, 0xff, 0xff, 0xff]],
    ["parts", [0, 0, 0, 0, 0xff, 0xff, 0xff, 0x7f]],
  ])("with too large a %s are refused before anything is allocated", (_, start) => {
    const broken = Buffer.concat([Buffer.from(start), Buffer.alloc(12)]);
    expect(() => new FrameReader(() => {}).push(broken)).toThrow("a frame is too large");
  });
});
