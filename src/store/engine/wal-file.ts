/** Reads SQLite's write-ahead log as its recovery does (SQLite, "Database File Format" 4, "The Write-Ahead Log"). */

import { readSync } from "node:fs";

export const HEADER_BYTES = 32;
export const FRAME_HEADER_BYTES = 24;
const MAGIC_LITTLE = 0x377f0682;
const MAGIC_BIG = 0x377f0683;

type Checksum = readonly [number, number];

export interface LogHeader {
  pageBytes: number;
  salt: Checksum;
  checksum: Checksum;
  /** Byte order of the words in the checksum. */
  littleEndian: boolean;
}

/** The header of a log; null if it is missing or damaged, which SQLite treats as an empty log. */
export function readLogHeader(fd: number): LogHeader | null {
  const wal = Buffer.alloc(HEADER_BYTES);
  if (readSync(fd, wal, 0, HEADER_BYTES, 0) < HEADER_BYTES) return null;
  const magic = wal.readUInt32BE(0);
  if (magic !== MAGIC_LITTLE && magic !== MAGIC_BIG) return null;
  const littleEndian = magic === MAGIC_LITTLE;
  const checksum: Checksum = [wal.readUInt32BE(24), wal.readUInt32BE(28)];
  const pageBytes = wal.readUInt32BE(8);
  if (!isSame(sum([0, 0], wal.subarray(0, 24), littleEndian), checksum) || pageBytes < 512) return null;
  return { pageBytes, salt: [wal.readUInt32BE(16), wal.readUInt32BE(20)], checksum, littleEndian };
}

/**
 * The running checksum of the `number`th frame (from 1) of the log open as `fd`; null if it or an earlier frame is
 * missing or damaged. Frames are read one by one: a log that another program kept from being emptied has gigabytes.
 */
export function frameOf(fd: number, header: LogHeader, number: number): Checksum | null {
  let running = header.checksum;
  const frame = Buffer.alloc(FRAME_HEADER_BYTES + header.pageBytes);
  for (let n = 0; n < number; n++) {
    if (readSync(fd, frame, 0, frame.length, HEADER_BYTES + n * frame.length) < frame.length) return null;
    if (!isSame([frame.readUInt32BE(8), frame.readUInt32BE(12)], header.salt)) return null;
    running = sum(running, frame.subarray(0, 8), header.littleEndian);
    running = sum(running, frame.subarray(FRAME_HEADER_BYTES), header.littleEndian);
    if (!isSame([frame.readUInt32BE(16), frame.readUInt32BE(20)], running)) return null;
  }
  return running;
}

/** The values that the database's first page has had in a log at this offset, without a look at the checksums. */
export function wordsOfFirstPage(fd: number, header: LogHeader, offset: number): Set<number> {
  const words = new Set<number>();
  const frame = Buffer.alloc(FRAME_HEADER_BYTES);
  const word = Buffer.alloc(4);
  for (let at = HEADER_BYTES; ; at += FRAME_HEADER_BYTES + header.pageBytes) {
    if (readSync(fd, frame, 0, frame.length, at) < frame.length) return words;
    if (!isSame([frame.readUInt32BE(8), frame.readUInt32BE(12)], header.salt)) return words;
    if (frame.readUInt32BE(0) !== 1) continue;
    if (readSync(fd, word, 0, 4, at + FRAME_HEADER_BYTES + offset) === 4) words.add(word.readUInt32BE(0));
  }
}

function sum(before: Checksum, bytes: Buffer, littleEndian: boolean): Checksum {
  const words = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let [a, b] = before;
  for (let at = 0; at < bytes.length; at += 8) {
    a = (a + words.getUint32(at, littleEndian) + b) >>> 0;
    b = (b + words.getUint32(at + 4, littleEndian) + a) >>> 0;
  }
  return [a, b];
}

function isSame(one: Checksum, other: Checksum): boolean {
  return one[0] === other[0] && one[1] === other[1];
}
