import type { Database } from "bun:sqlite";
import { randomInt } from "node:crypto";
import { closeSync, existsSync, fdatasyncSync, openSync, readFileSync, readSync, statSync, writeSync } from "node:fs";
import { crc32 } from "node:zlib";
import { StartRefused } from "../../util/errors.ts";
import { FRAME_HEADER_BYTES, frameOf, HEADER_BYTES, readLogHeader, wordsOfFirstPage } from "./wal-file.ts";

const MAGIC = "e2amark2";
const MARKED_BASE_AT = 32;
const HEAD_OF_MARK_BYTES = 36;
/** The latest pages written, each with a checksum: a mail writes some 30, and a single page may be unchanged. */
const PAGES_MAX = 16;
const PAGE_ENTRY_BYTES = 8;
const MARK_BYTES = HEAD_OF_MARK_BYTES + PAGES_MAX * PAGE_ENTRY_BYTES + 4;
/** Head of SQLite's shared memory: two copies of the log's state, then what was copied ("WAL-mode File Format" 2). */
const STATE_BYTES = 48;
const BACKFILLED_AT = 96;
const PAGE_SIZE_IN_STATE_AT = 14;
const HEAD_BYTES = 100;
/** Offset of the page size in a database ("Database File Format" 1.3.2); 1 stands for 65,536. */
const PAGE_SIZE_AT = 16;
const DATABASE_HEAD_BYTES = 18;
/** Offset of `user_version` in a database, and so in its first page ("Database File Format" 1.3). */
const BASE_AT = 60;
/**
 * How many times the log may have restarted since the mark was last written: by a commit whose process died before it
 * wrote the mark, or by a command beside the server. Each restart adds one to the first salt.
 */
const NEWER_LOGS_MAX = 64;

/** What the log held when a commit was last promised. */
interface Mark {
  salt: readonly [number, number];
  /** Frames in the log, and how many of them had been copied into the database. */
  frames: number;
  backfilled: number;
  /** The running checksum of the last frame. */
  checksum: readonly [number, number];
  /** The number of the database (`nameBase`) that the log belongs to; 0 if it has none. */
  base: number;
  /** Page number → CRC-32 of its bytes, for the latest pages written. */
  pages: ReadonlyMap<number, number>;
}

/**
 * Refuses to start if SQLite's log no longer holds commits that were promised.
 *
 * SQLite silently treats a log that is missing, cut short or damaged as empty. `<path>-mark` records how far the log
 * went when the last write was answered, so a start can detect the loss. A mark may be older than the log (it is synced
 * only when the log restarts and after a checkpoint), never newer. Check it before SQLite opens the database: the first
 * write afterwards overwrites the evidence.
 *
 * Another program that opens the database after a crash (sqlite3, a backup, an older e2a) copies the log into it and
 * removes the log. The latest pages are then in the database, and nothing is missing.
 *
 * SQLite also copies a log into an older copy of its database, if somebody puts one back after a crash, and so damages
 * it. The mark names the database, so a start can detect that too.
 *
 * @throws StartRefused with what to do
 */
export function checkLogMark(path: string): void {
  const file = `${path}-mark`;
  const mark = existsSync(file) ? parse(readFileSync(file)) : null;
  if (mark && isReplaced(mark, path))
    throw new StartRefused(
      `${path} is not the database that its log ${path}-wal was written for: an older copy was put in its place after a crash. ` +
        "The log would damage it.",
      "database_replaced",
      `Put back the database that the log belongs to. Or, to go on with this one, without what the log holds, delete ${path}-wal, ` +
        `${path}-shm and ${file}.`,
    );
  if (!mark || mark.frames <= mark.backfilled || isKept(mark, `${path}-wal`) || isCopied(mark, path)) return;
  throw new StartRefused(
    `The log ${path}-wal does not hold all that was promised: ${mark.frames - mark.backfilled} of its pages had not been ` +
      "copied into the database when the server ended, and they are missing or damaged.",
    "log_missing",
    `Put the file back, or restore a backup. To start without what is lost, delete ${file}. (A program that changed the ` +
      "database since then, such as sqlite3, has copied the pages and removed the log; then nothing is lost.)",
  );
}

function isKept(mark: Mark, walPath: string): boolean {
  if (!existsSync(walPath)) return false;
  const wal = openSync(walPath, "r");
  try {
    const header = readLogHeader(wal);
    if (!header) return false;
    if (header.salt[0] === mark.salt[0] && header.salt[1] === mark.salt[1]) {
      const frame = frameOf(wal, header, mark.frames);
      return frame !== null && frame[0] === mark.checksum[0] && frame[1] === mark.checksum[1];
    }
    // A newer log: SQLite restarts the log only when all of the previous one is in the database.
    const newer = (header.salt[0] - mark.salt[0]) >>> 0;
    return newer >= 1 && newer <= NEWER_LOGS_MAX;
  } finally {
    closeSync(wal);
  }
}

/** Whether the log was removed, as SQLite does once all of it is in the database, and its last pages are there. */
function isCopied(mark: Mark, path: string): boolean {
  if (mark.pages.size === 0 || (existsSync(`${path}-wal`) && statSync(`${path}-wal`).size > 0)) return false;
  const fd = openSync(path, "r");
  try {
    const head = Buffer.alloc(DATABASE_HEAD_BYTES);
    readSync(fd, head, 0, head.length, 0);
    const pageBytes = head.readUInt16BE(PAGE_SIZE_AT) === 1 ? 65_536 : head.readUInt16BE(PAGE_SIZE_AT);
    const page = Buffer.alloc(pageBytes);
    return [...mark.pages].every(
      ([number, sum]) =>
        readSync(fd, page, 0, pageBytes, (number - 1) * pageBytes) === pageBytes && crc32(page) === sum,
    );
  } finally {
    closeSync(fd);
  }
}

/**
 * Whether the log was written for another database. While a log grows, the number in the file changes only by a page
 * that is in the log.
 */
function isReplaced(mark: Mark, path: string): boolean {
  if (mark.base === 0 || !existsSync(path) || !existsSync(`${path}-wal`)) return false;
  const [database, wal] = [openSync(path, "r"), openSync(`${path}-wal`, "r")];
  try {
    const base = baseOf(database);
    const header = readLogHeader(wal);
    if (base === null || base === mark.base || !header) return false;
    if (header.salt[0] !== mark.salt[0] || header.salt[1] !== mark.salt[1]) return false;
    return !wordsOfFirstPage(wal, header, BASE_AT).has(base);
  } finally {
    closeSync(database);
    closeSync(wal);
  }
}

/** The number of the database open as `fd`; null if it is too short to have one. */
function baseOf(fd: number): number | null {
  const bytes = Buffer.alloc(4);
  return readSync(fd, bytes, 0, 4, BASE_AT) < 4 ? null : bytes.readUInt32BE(0);
}

/**
 * Gives the database a new number. Call it before the log may restart, so that no copy from before is taken for the
 * database of the next log.
 */
export function nameBase(client: Database): void {
  client.exec(`PRAGMA user_version = ${randomInt(1, 2 ** 31)}`);
}

export interface LogMark {
  /** Records how far the log goes. `lasting`: syncs the mark, before the log may restart. */
  write(lasting?: boolean): void;
  /** Call it only after the database is closed: closing a file drops the process's locks on it (POSIX, fcntl). */
  close(): void;
}

/** Maintains the mark of an open database. */
export function openLogMark(path: string): LogMark {
  const file = `${path}-mark`;
  const fd = openSync(file, existsSync(file) ? "r+" : "wx+", 0o600);
  const shared = openSync(`${path}-shm`, "r");
  const wal = openSync(`${path}-wal`, "r");
  const database = openSync(path, "r");
  const head = Buffer.alloc(HEAD_BYTES);
  const bytes = Buffer.alloc(MARK_BYTES);
  bytes.write(MAGIC, "latin1");
  let salt = "";
  let seen = { salt: "", frames: 0 };
  const pages = new Map<number, number>();

  /** Records the pages of the frames added since the last mark. Committed frames do not change. */
  function notePages(now: string, frames: number): void {
    const first = Math.max(seen.salt === now ? Math.min(seen.frames, frames) : 0, frames - PAGES_MAX);
    seen = { salt: now, frames };
    if (first === frames) return;
    const size = head.readUInt16LE(PAGE_SIZE_IN_STATE_AT);
    const pageBytes = size === 1 ? 65_536 : size;
    const frameBytes = FRAME_HEADER_BYTES + pageBytes;
    const fresh = Buffer.alloc((frames - first) * frameBytes);
    if (readSync(wal, fresh, 0, fresh.length, HEADER_BYTES + first * frameBytes) < fresh.length) {
      pages.clear();
      return;
    }
    for (let at = 0; at < fresh.length; at += frameBytes) {
      const number = fresh.readUInt32BE(at);
      pages.delete(number);
      pages.set(number, crc32(fresh.subarray(at + FRAME_HEADER_BYTES, at + frameBytes)));
    }
    for (const number of [...pages.keys()].slice(0, -PAGES_MAX)) pages.delete(number);
  }

  return {
    write(lasting = false) {
      if (readSync(shared, head, 0, HEAD_BYTES, 0) < HEAD_BYTES) return;
      // Another process is committing; the next mark is enough.
      if (head.compare(head, STATE_BYTES, 2 * STATE_BYTES, 0, STATE_BYTES) !== 0) return;
      // Salts stay big-endian, as in the log; the rest is native: little-endian on every platform that Bun supports.
      head.copy(bytes, 8, 32, 40);
      bytes.writeUInt32BE(head.readUInt32LE(16), 16);
      bytes.writeUInt32BE(head.readUInt32LE(BACKFILLED_AT), 20);
      bytes.writeUInt32BE(head.readUInt32LE(24), 24);
      bytes.writeUInt32BE(head.readUInt32LE(28), 28);
      bytes.writeUInt32BE(baseOf(database) ?? 0, MARKED_BASE_AT);
      const now = bytes.toString("latin1", 8, 16);
      notePages(now, head.readUInt32LE(16));
      bytes.fill(0, HEAD_OF_MARK_BYTES);
      [...pages].forEach(([number, sum], n) => {
        bytes.writeUInt32BE(number, HEAD_OF_MARK_BYTES + n * PAGE_ENTRY_BYTES);
        bytes.writeUInt32BE(sum, HEAD_OF_MARK_BYTES + n * PAGE_ENTRY_BYTES + 4);
      });
      bytes.writeUInt32BE(crc32(bytes.subarray(0, MARK_BYTES - 4)), MARK_BYTES - 4);
      writeSync(fd, bytes, 0, MARK_BYTES, 0);
      if (!lasting && now === salt) return;
      fdatasyncSync(fd);
      salt = now;
    },
    close() {
      closeSync(fd);
      closeSync(shared);
      closeSync(wal);
      closeSync(database);
    },
  };
}

/** Returns null if it is not a valid mark: torn by a power cut, or damaged. It then proves nothing. */
function parse(bytes: Buffer): Mark | null {
  if (bytes.length < MARK_BYTES || bytes.toString("latin1", 0, 8) !== MAGIC) return null;
  if (bytes.readUInt32BE(MARK_BYTES - 4) !== crc32(bytes.subarray(0, MARK_BYTES - 4))) return null;
  return {
    salt: [bytes.readUInt32BE(8), bytes.readUInt32BE(12)],
    frames: bytes.readUInt32BE(16),
    backfilled: bytes.readUInt32BE(20),
    checksum: [bytes.readUInt32BE(24), bytes.readUInt32BE(28)],
    base: bytes.readUInt32BE(MARKED_BASE_AT),
    pages: new Map(
      Array.from({ length: PAGES_MAX }, (_, n) => HEAD_OF_MARK_BYTES + n * PAGE_ENTRY_BYTES)
        .filter((at) => bytes.readUInt32BE(at) > 0)
        .map((at) => [bytes.readUInt32BE(at), bytes.readUInt32BE(at + 4)]),
    ),
  };
}
