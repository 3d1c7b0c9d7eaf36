import { Failure, type FailureDetails, StartRefused } from "../util/errors.ts";
import type { LogFields } from "../util/log.ts";
import type { Signal } from "./engine/engine.ts";
import type { Role } from "./engine/folder-lock.ts";
import type { Migration } from "./engine/migrate.ts";

/** Byte arrays of at least this size are transferred to the other thread instead of copied again. */
const HANDED_OVER_BYTES_MIN = 16 * 1024;

/** How a thread opens a database: to write (a SQLite file as its owner), or only to read beside the writer. */
export type Opening =
  | { kind: "sqlite writer"; path: string; migrations: readonly Migration[]; role: Role }
  | { kind: "sqlite reader"; path: string }
  | { kind: "postgres writer"; url: string; migrations: readonly Migration[]; poolSize: number }
  | { kind: "postgres reader"; url: string; poolSize: number };

/** What a store's thread is told. `database` numbers its open databases, `call` the calls of one database. */
export type Order =
  | { kind: "open"; database: number; opening: Opening }
  | { kind: "calls"; database: number; calls: Call[] }
  | { kind: "close"; database: number }
  /** Empties SQLite's logs and closes the files while the process ends; then sets `done[0]` to 1. */
  | { kind: "leave"; done: Int32Array };

export interface Call {
  call: number;
  verb: string;
  args: unknown[];
}

export interface Answer {
  call: number;
  result?: unknown;
  error?: SentError;
}

/** What a store's thread reports. Signals come with the answers of the same commit, and apply after them. */
export type Report =
  | { kind: "opened"; database: number; error?: SentError }
  | { kind: "answers"; database: number; answers: Answer[]; signals: Signal[] }
  | { kind: "fault"; database: number; reason: string | null }
  | {
      kind: "log";
      database: number;
      level: "info" | "warn" | "error";
      event: string;
      fields: LogFields;
      error?: SentError;
    }
  | { kind: "closed"; database: number; error?: SentError };

/** A thrown value as plain data. Errors of a thread keep their causes for the log. */
export type SentError =
  | { kind: "failure"; code: Failure["code"]; message: string; details: FailureDetails; cause?: SentError }
  | { kind: "refused"; message: string; code: string; fix: string }
  | { kind: "error"; name: string; message: string; code?: string | undefined; stack?: string | undefined };

/** Turns an error into plain data that can be sent to a thread. */
export function errorToSend(error: unknown): SentError {
  if (error instanceof Failure) {
    const { cause, ...details } = error.details;
    const sent = { kind: "failure" as const, code: error.code, message: error.message, details };
    return cause === undefined ? sent : { ...sent, cause: errorToSend(cause) };
  }
  if (error instanceof StartRefused)
    return { kind: "refused", message: error.message, code: error.code, fix: error.fix };
  if (!(error instanceof Error)) return { kind: "error", name: "Error", message: String(error) };
  const { name, message, stack } = error;
  const code = (error as { code?: unknown }).code;
  return { kind: "error", name, message, stack, code: typeof code === "string" ? code : undefined };
}

/** Restores the error, in its own class. */
export function errorReceived(sent: SentError): Error {
  if (sent.kind === "failure")
    return new Failure(sent.code, sent.message, {
      ...sent.details,
      ...(sent.cause && { cause: errorReceived(sent.cause) }),
    });
  if (sent.kind === "refused") return new StartRefused(sent.message, sent.code, sent.fix);
  const error = new Error(sent.message);
  error.name = sent.name;
  if (sent.stack) error.stack = sent.stack;
  return sent.code === undefined ? error : Object.assign(error, { code: sent.code });
}

const given = new WeakSet<Uint8Array>();

/** Marks bytes that their owner no longer needs: the store takes their memory, uncopied, and leaves them empty. */
export function giveAway<B extends Uint8Array>(bytes: B): B {
  given.add(bytes);
  return bytes;
}

/**
 * Sends a message to the other side of a thread. Large byte arrays are copied once and transferred; the sender keeps
 * its own, except those passed to `giveAway`. Everything else is cloned: dates, sets and `undefined` arrive unchanged,
 * a Buffer as a Uint8Array (see `received`).
 *
 * @param givesAll the sender needs nothing in the message any more
 */
export function send(
  port: { postMessage(message: unknown, transfer: ArrayBuffer[]): void },
  message: Order | Report,
  givesAll = false,
): void {
  const transfer = new Set<ArrayBuffer>();
  const sent = withoutLarge(message, givesAll, transfer);
  port.postMessage(sent, [...transfer]);
}

function withoutLarge(value: unknown, givesAll: boolean, transfer: Set<ArrayBuffer>): unknown {
  if (!isComposite(value) || value instanceof Int32Array) return value;
  if (value instanceof Uint8Array) {
    if (value.length < HANDED_OVER_BYTES_MIN) return value;
    const isOwn = value.buffer instanceof ArrayBuffer && value.buffer.byteLength === value.length;
    const handed = isOwn && (givesAll || given.has(value)) ? value : Buffer.allocUnsafeSlow(value.length);
    if (handed !== value) handed.set(value);
    transfer.add(handed.buffer as ArrayBuffer);
    return handed;
  }
  if (Array.isArray(value)) {
    if (!value.some(isComposite)) return value;
    return value.map((item) => withoutLarge(item, givesAll, transfer));
  }
  if (Object.getPrototypeOf(value) !== Object.prototype) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, withoutLarge(item, givesAll, transfer)]));
}

/** Restores each byte array of a received message to the Buffer it was. Changes the value in place. */
export function received<T>(value: T): T {
  if (!isComposite(value)) return value;
  if (value instanceof Uint8Array) return Buffer.from(value.buffer, value.byteOffset, value.byteLength) as unknown as T;
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) if (isComposite(value[i])) value[i] = received(value[i]);
    return value;
  }
  if (Object.getPrototypeOf(value) !== Object.prototype) return value;
  const fields = value as Record<string, unknown>;
  for (const key of Object.keys(fields)) if (isComposite(fields[key])) fields[key] = received(fields[key]);
  return value;
}

function isComposite(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}
