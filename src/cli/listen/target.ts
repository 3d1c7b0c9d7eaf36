/** Where `e2a listen` hands messages over to: a URL, a model, a command. */
import type { MessageDetail } from "../connect/shapes.ts";

export interface Target {
  /** Where the messages go, for a person. */
  readonly name: string;
  /** Hands one message over. Returns what became of it, where that says more than "taken". Throws NotTaken. */
  take(message: MessageDetail): Promise<string | undefined>;
}

/** The target did not take the message; another try may do better. `message` says what it answered. */
export class NotTaken extends Error {
  override readonly name = "NotTaken";

  constructor(
    message: string,
    /** The target takes nothing at all now, whichever message it is: there is no use in going on to the next one. */
    readonly isAway = false,
    /** When it wants to be asked again. */
    readonly waitMs?: number,
  ) {
    super(message);
  }
}
