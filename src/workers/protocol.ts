import type { SentError } from "./errors.ts";

/** Heads of the frames that go to a child. */
export type ToChild =
  | { kind: "task"; id: number; name: string; input: unknown }
  | { kind: "answer"; call: number; value?: unknown; error?: SentError }
  | { kind: "ping" };

/** Heads of the frames that come from a child. The first one is `ready`. */
export type FromChild =
  | { kind: "ready" }
  | { kind: "pong" }
  | { kind: "done"; id: number; output: unknown }
  | { kind: "failed"; id: number; error: SentError }
  /** A call to the server, such as a DNS look-up; the result comes back as `answer`. */
  | { kind: "call"; call: number; id: number; name: string; args: unknown[] }
  | { kind: "abort"; call: number }
  /** The task waits for something outside of both processes, such as DNS; `resumes` follows when it continues. */
  | { kind: "waits"; id: number }
  | { kind: "resumes"; id: number };
