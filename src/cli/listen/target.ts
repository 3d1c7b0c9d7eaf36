/** The targets of `e2a listen`: a URL, a model, or a command. */
import type { MessageDetail } from "../connect/shapes.ts";

export interface Target {
  /** Where the messages go, as the user reads it. */
  readonly name: string;
  /** Hands one message over. Returns the outcome if it says more than "taken". Throws NotTaken. */
  take(message: MessageDetail): Promise<string | undefined>;
}

/** The target did not take the message; another attempt may succeed. `message` says what it answered. */
export class NotTaken extends Error {
  override readonly name = "NotTaken";

  constructor(
    message: string,
    /** The target takes no message at all now, so trying the next one is useless. */
    readonly isAway = false,
    /** How long the target asks to wait. */
    readonly waitMs?: number,
  ) {
    super(message);
  }
}
