import type { RecipientOutcome } from "../store/outbound/queue.ts";
import type { RecipientRow } from "../store/schema.ts";
import type { Store } from "../store/store.ts";
import type { Clock } from "../util/clock.ts";
import { Failure } from "../util/errors.ts";
import type { Log } from "../util/log.ts";
import type { OutcomeJournal } from "./outcome-journal.ts";

/** Pause before an outcome is recorded again. A living process never gives one up. */
const RECORD_RETRY_MS = 1_000;
/** The same, after a failure that is unlikely to pass with time. */
const RECORD_RETRY_LONG_MS = 60_000;
/** An outcome that the store has not taken after this time is written to disk. */
const RECORD_SLOW_MS = 100;
/**
 * A store that has not answered after this time may never answer: a dead connection takes many minutes to fail. Until
 * it answers, no more mail is handed to an upstream.
 */
const RECORD_LATE_MS = 2_000;
/** Mail is handed to an upstream only if a write succeeded this recently: else its outcome might not be recorded. */
const WRITE_FRESH_MS = 5_000;
/**
 * How long a node does not claim after a shared store was away. Leases may have ended meanwhile, and nodes that have
 * outcomes to record, which they try every second, must come first.
 */
const HELD_BACK_MS = 10_000;

/** Records the outcomes of tries, and keeps new tries waiting while an outcome might not be recorded. */
export interface OutcomeRecorder {
  /**
   * Records an outcome, however long the store is away: otherwise mail that the next host has accepted would be sent
   * twice. Returns false if the recipient has passed to another claimer, or is gone.
   *
   * @throws the store's error, once the dispatcher is closing; the journal has the outcome
   */
  record(recipient: RecipientRow, outcome: RecipientOutcome): Promise<boolean>;
  /**
   * Waits until the store takes writes and every outcome is recorded. Returns whether the recipient is still leased to
   * this process: its lease may have ended meanwhile, and another node may have sent it.
   */
  mayHandOver(recipient: RecipientRow): Promise<boolean>;
  /** Call it when the store has taken a write. */
  noteWrite(): void;
  /** Call it when the store has failed. */
  noteFailure(): void;
  /** Whether claims must wait for other nodes to record their outcomes. Throws while the store is away. */
  isHeldBack(): Promise<boolean>;
  /** When to try a claim again; null if claims need not wait. */
  claimAgainAt(): Date | null;
}

/** @param closing aborted when the dispatcher closes: an outcome that the store refuses then stays in the journal */
export function createOutcomeRecorder(options: {
  store: Store;
  clock: Clock;
  log: Log;
  journal: OutcomeJournal;
  leaseUntil(): Date;
  closing: AbortSignal;
}): OutcomeRecorder {
  const { store, clock, log, journal, leaseUntil, closing } = options;
  /** When a write last succeeded. */
  let wroteAt = Number.NEGATIVE_INFINITY;
  /** Set when the store has failed: no claim before this time. */
  let heldBackUntil: number | null = null;

  const pause = (ms: number) => new Promise<void>((resolve) => clock.after(ms, resolve));

  function noteWrite(): void {
    wroteAt = clock.elapsed();
  }

  function noteFailure(): void {
    if (store.dialect === "postgres") heldBackUntil = clock.elapsed() + HELD_BACK_MS;
  }

  return {
    noteWrite,
    noteFailure,
    async record(recipient, outcome) {
      const { messageId, n, leaseToken } = recipient;
      const entry = { recipient: { messageId, n, leaseToken }, outcome, at: new Date(clock.now()) };
      // A note survives a crash of this process, but not of the machine: only `sync` waits for the disk.
      if (outcome.kind === "sent" && outcome.method === "smtp") journal.note(entry);
      const cancelSync = clock.after(RECORD_SLOW_MS, () => journal.sync());
      const keep = () => journal.keep(entry);
      for (;;) {
        const cancelKeep = clock.after(RECORD_LATE_MS, keep);
        try {
          const status = await store.finishRecipient(recipient, outcome, entry.at);
          noteWrite();
          journal.remove(entry);
          return status !== null;
        } catch (error) {
          noteFailure();
          keep();
          log.error("outbound.record_failed", { message: messageId, recipient: n }, error);
          if (closing.aborted) throw error;
          const isTemporary = error instanceof Failure && error.code === "unavailable";
          await pause(isTemporary ? RECORD_RETRY_MS : RECORD_RETRY_LONG_MS);
        } finally {
          cancelKeep();
          cancelSync();
        }
      }
    },
    async mayHandOver(recipient) {
      if (journal.size() === 0 && clock.elapsed() - wroteAt < WRITE_FRESH_MS) return true;
      for (; !closing.aborted; await pause(RECORD_RETRY_MS))
        try {
          const isOurs = await store.renewLease(recipient, leaseUntil());
          noteWrite();
          if (!isOurs || journal.size() === 0) return isOurs;
        } catch (error) {
          noteFailure();
          log.warn("outbound.store_awaited", { message: recipient.messageId, recipient: recipient.n }, error);
        }
      return false;
    },
    async isHeldBack() {
      if (heldBackUntil === null) return false;
      await store.probeWrite(new Date(clock.now()));
      if (clock.elapsed() < heldBackUntil) return true;
      heldBackUntil = null;
      return false;
    },
    claimAgainAt: () => (heldBackUntil === null ? null : new Date(clock.now() + RECORD_RETRY_MS)),
  };
}
