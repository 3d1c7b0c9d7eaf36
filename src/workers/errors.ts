import { DnsError } from "../net/dns.ts";
import { Failure } from "../util/errors.ts";

/** A thrown value as plain data, for the other side of a pipe. */
export type SentError =
  | { kind: "failure"; code: Failure["code"]; message: string; details: Omit<Failure["details"], "cause"> }
  | { kind: "dns"; code: DnsError["code"]; type: string; hostname: string }
  | { kind: "error"; name: string; message: string; stack?: string; isPassedOn: boolean };

/** Errors that came from the other side. */
const received = new WeakSet<Error>();

export function errorAsData(error: unknown): SentError {
  if (error instanceof Failure) {
    const { cause: _, ...details } = error.details;
    return { kind: "failure", code: error.code, message: error.message, details };
  }
  if (error instanceof DnsError) return { kind: "dns", code: error.code, type: error.type, hostname: error.hostname };
  if (!(error instanceof Error)) return { kind: "error", name: "Error", message: String(error), isPassedOn: false };
  const { name, message, stack } = error;
  return { kind: "error", name, message, ...(stack ? { stack } : {}), isPassedOn: received.has(error) };
}

/** Restores the error with its class, so that `instanceof` and `DnsError.temporary` work on both sides. */
export function errorFromData(sent: SentError): Error {
  if (sent.kind === "failure") return new Failure(sent.code, sent.message, sent.details);
  if (sent.kind === "dns") return new DnsError(sent.code, sent.type, sent.hostname);
  const error = new Error(sent.message);
  error.name = sent.name;
  if (sent.stack) error.stack = sent.stack;
  received.add(error);
  return error;
}
