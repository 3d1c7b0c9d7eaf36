import type { OutboundRow } from "../../store/schema.ts";
import type { Store } from "../../store/store.ts";
import type { Clock } from "../../util/clock.ts";
import type { Log } from "../../util/log.ts";

/** Keeps track of which final answers about messages have reached their clients. */
export interface Answers {
  /** Notes that a final answer about the message is being sent: the same request after it asks for another message. */
  note(messageId: string, requestHash: string): void;
  /**
   * Notes that a caller has named the message by its id. If that caller sent it, it has had its answer, so the same
   * request again is a new message, as after a cancellation.
   */
  named(message: Pick<OutboundRow, "id" | "requestBy">, proofId: string): Promise<void>;
  /** Resolves when the notes about earlier answers to this request are written. */
  noted(requestHash: string): Promise<void>;
}

/**
 * Creates the record of sent answers.
 *
 * The note is written while the answer is being sent, not before: a server that dies in between has not answered, and
 * the client's next try must find the first message. A client can be as fast as the disk, so its next request waits for
 * the note. Another node does not wait: there the note counts once it is committed, usually before that request is
 * read.
 */
export function createAnswers({ store, clock, log }: { store: Store; clock: Clock; log: Log }): Answers {
  const writing = new Map<string, Promise<void>>();
  return {
    note(messageId, requestHash) {
      const earlier = writing.get(requestHash);
      const written = store
        .noteAnswered(messageId, new Date(clock.now()))
        .catch((error) => log.warn("answer.not_noted", { message: messageId }, error))
        .then(() => earlier)
        .finally(() => {
          if (writing.get(requestHash) === written) writing.delete(requestHash);
        });
      writing.set(requestHash, written);
    },
    async named({ id, requestBy }, proofId) {
      if (requestBy === proofId) await store.noteAnswered(id, new Date(clock.now()));
    },
    async noted(requestHash) {
      await writing.get(requestHash);
    },
  };
}
