import { DnsError } from "../net/dns.ts";
import { Failure } from "../util/errors.ts";

/** A thrown value as plain data, for the other side of a pipe. */
export type SentError =
  | { kind: "failure"; code: Failure["code"]; message: string; details: Omit<Failure["details"], "cause"> }
  | { kind: "dns"; code: DnsError["code"]; type: string; hostname: string }
  | { kind: "error"; name: string; message: string };

export function errorAsData(error: unknown): SentError {
  if (error instanceof Failure) {
    const { cause: _, ...details } = error.details;
    return { kind: "failure", code: error.code, message: error.message, details };
  }
  if (error instanceof DnsError) return { kind: "dns", code: error.code, type: error.type, hostname: error.hostname };
  if (error instanceof Error) return { kind: "error", name: error.name, message: error.message };
  return { kind: "error", name: "Error", message: String(error) };
}

/** Restores the error with its class, so that `instanceof` and `DnsError.temporary` work on both sides. */
export function errorFromData(sent: SentError): Error {
  if (sent.kind === "failure") return new Failure(sent.code, sent.message, sent.details);
  if (sent.kind === "dns") return new DnsError(sent.code, sent.type, sent.hostname);
  const error = new Error(sent.message);
  error.name = sent.name;
  return error;
}
