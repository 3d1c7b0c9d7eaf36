import { closeSync, existsSync, fdatasync, fdatasyncSync, fstatSync, openSync, readFileSync, writeSync } from "node:fs";
import { promisify } from "node:util";
import type { RecipientOutcome } from "../store/outbound/queue.ts";
import type { RecipientRow } from "../store/schema.ts";
import { Failure } from "../util/errors.ts";
import type { Log } from "../util/log.ts";

/** An outcome takes one slot, or several if its reply is long. A write within a page is done whole or not at all. */
const SLOT_BYTES = 512;
/** Slots allocated from the start, so that outcomes can still be kept when the disk becomes full. */
const JOURNAL_SLOTS = 128;

/** The recipient of an outcome: the lease token shows that no other process has tried it meanwhile. */
export type Leased = Pick<RecipientRow, "messageId" | "n" | "leaseToken">;

/** The outcome of a try, and its time, that the store does not have yet. */
export interface Unrecorded {
  recipient: Leased;
  outcome: RecipientOutcome;
  at: Date;
}

export interface OutcomeJournal {
  /** Outcomes that an earlier process could not record. */
  readonly left: readonly Unrecorded[];
  /**
   * Writes an outcome down until `remove`. A process killed from now on does not lose it; a power cut may, before
   * `sync`. Takes some microseconds.
   */
  note(entry: Unrecorded): void;
  /** Begins to sync the notes to disk. */
  sync(): void;
  /** Notes an outcome that the store is slow to take, or refused, and syncs. */
  keep(entry: Unrecorded): void;
  remove(entry: Unrecorded): void;
  /** How many outcomes are kept because the store is slow or refused them. */
  size(): number;
  /** Forgets the outcomes of an earlier process, once they are recorded. */
  forgetLeft(): void;
  /** Closes the file, after which nothing is written; an attempt is logged. */
  close(): Promise<void>;
}

const syncFile = promisify(fdatasync);

/** Opens the file, creating it if needed, and reads it. */
function openFile(path: string): { fd: number; text: string } {
  try {
    const fd = openSync(path, existsSync(path) ? "r+" : "wx+", 0o600);
    return { fd, text: readFileSync(fd, "utf8") };
  } catch (cause) {
    throw new Failure("unavailable", `The journal ${path} cannot be opened.`, {
      fix: `Let the user that runs e2a read and write it, and move away what is not a file. It holds mail that has been sent and is not recorded yet: deleting it may send that mail again.`,
      cause,
    });
  }
}

/**
 * Keeps the outcomes of outbound mail, from when an upstream accepts it until the store has them, in a file: one line
 * of JSON each, in slots, between zeros. The next start records them before it claims anything, so mail that a next
 * host has accepted is not sent again.
 *
 * A line that remains although it was recorded is harmless: its lease has ended, so it is recorded only once.
 *
 * @throws Failure `unavailable` if the file cannot be opened; `fix` says what to do
 */
export function openOutcomeJournal(path: string, log: Log): OutcomeJournal {
  const slots = new Map<Unrecorded, { first: number; count: number }>();
  const kept = new Set<Unrecorded>();
  const { fd, text } = openFile(path);
  const left = parse(text, log);
  /** The slots in use. The outcomes of an earlier process occupy theirs until they are recorded. */
  const taken: boolean[] = left.length > 0 ? Array(Math.ceil(fstatSync(fd).size / SLOT_BYTES)).fill(true) : [];
  let isDirty = false;
  let isClosed = false;
  let syncing: Promise<void> | null = null;
  try {
    const missing = JOURNAL_SLOTS * SLOT_BYTES - fstatSync(fd).size;
    if (missing > 0) writeSync(fd, Buffer.alloc(missing), 0, missing, JOURNAL_SLOTS * SLOT_BYTES - missing);
    fdatasyncSync(fd);
  } catch (error) {
    log.warn("outbound.journal_failed", {}, error);
  }

  /** The first of `count` consecutive free slots. */
  function freeSlots(count: number): number {
    for (let first = 0, run = 0; ; first++) {
      run = taken[first] ? 0 : run + 1;
      if (run === count) return first - count + 1;
    }
  }

  /** The number of a closed file may belong to another one by now. */
  function requireOpen(): void {
    if (isClosed) throw new Error("The journal is closed.");
  }

  function write(entry: Unrecorded): void {
    requireOpen();
    const line = Buffer.from(`${JSON.stringify(entry)}\n`);
    const count = Math.ceil(line.length / SLOT_BYTES);
    const first = freeSlots(count);
    const bytes = Buffer.alloc(count * SLOT_BYTES);
    line.copy(bytes);
    writeSync(fd, bytes, 0, bytes.length, first * SLOT_BYTES);
    for (let slot = first; slot < first + count; slot++) taken[slot] = true;
    slots.set(entry, { first, count });
    isDirty = true;
  }

  function erase(first: number, count: number): void {
    requireOpen();
    writeSync(fd, Buffer.alloc(count * SLOT_BYTES), 0, count * SLOT_BYTES, first * SLOT_BYTES);
    for (let slot = first; slot < first + count; slot++) taken[slot] = false;
  }

  /** Ignores a failed step: the disk may be the reason the store takes no writes, and memory has the outcome anyway. */
  function attempt(step: () => void): void {
    try {
      step();
    } catch (error) {
      log.error("outbound.journal_failed", { waiting: kept.size }, error);
    }
  }

  function note(entry: Unrecorded): void {
    if (!slots.has(entry)) attempt(() => write(entry));
  }

  function sync(): void {
    if (!isDirty || syncing || isClosed) return;
    isDirty = false;
    syncing = syncFile(fd)
      .catch((error) => log.error("outbound.journal_failed", { waiting: kept.size }, error))
      .then(() => {
        syncing = null;
        // Outcomes noted meanwhile were late as well.
        if (kept.size > 0) sync();
      });
  }

  return {
    left,
    note,
    sync,
    keep(entry) {
      kept.add(entry);
      note(entry);
      sync();
    },
    remove(entry) {
      kept.delete(entry);
      const place = slots.get(entry);
      slots.delete(entry);
      if (place) attempt(() => erase(place.first, place.count));
    },
    size: () => kept.size,
    forgetLeft: () => attempt(() => erase(0, taken.length)),
    async close() {
      while (syncing) await syncing;
      isClosed = true;
      closeSync(fd);
    },
  };
}

function parse(text: string, log: Log): Unrecorded[] {
  const entries: Unrecorded[] = [];
  for (const line of text.split(/[\0\n]+/).filter(Boolean))
    try {
      const { recipient, outcome, at } = JSON.parse(line) as Unrecorded;
      const { messageId, n, leaseToken } = recipient;
      const revived = "at" in outcome ? { ...outcome, at: new Date(outcome.at) } : outcome;
      entries.push({ recipient: { messageId, n, leaseToken }, outcome: revived, at: new Date(at) });
    } catch (error) {
      // The last line of a process that died while writing it.
      log.warn("outbound.journal_line_skipped", { length: line.length }, error);
    }
  return entries;
}
