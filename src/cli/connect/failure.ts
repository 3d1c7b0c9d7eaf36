/** How a command fails: one error type, five exit codes, and two ways to show it. */
import { CommanderError } from "commander";
import {
  APIError,
  ConnectionClosedError,
  E2AConnectionError,
  E2ATimeoutError,
} from "../../../sdks/typescript/src/index.ts";
import { Failure, type FieldError, StartRefused } from "../../util/errors.ts";
import type { Io } from "../terminal/io.ts";
import { painter, plain, plainLines, toJson } from "../terminal/output.ts";

/** The exit codes of the process; scripts may rely on these. */
export const exitCode = { ok: 0, failed: 1, usage: 2, held: 3, auth: 4 } as const;
export type ExitCode = (typeof exitCode)[keyof typeof exitCode];

/** A problem document (RFC 9457), as the server sends it; one from another server may lack members. */
export interface Problem {
  type?: string;
  title?: string;
  status?: number;
  detail?: string;
  code?: string;
  fix?: string;
  request_id?: string;
  errors?: FieldError[];
  [member: string]: unknown;
}

export interface CliErrorDetails {
  exit?: ExitCode;
  /** A stable word for scripts; the server's own if it has one. */
  code?: string;
  /** One sentence that says what to do next. */
  fix?: string;
  /** The server's own document, complete, for `--json`. */
  problem?: Problem;
  cause?: unknown;
}

/** An expected failure of a command. `message` is one sentence for a person. */
export class CliError extends Error {
  override readonly name = "CliError";
  readonly exit: ExitCode;
  readonly problem: Problem;

  constructor(message: string, details: CliErrorDetails = {}) {
    super(message, { cause: details.cause });
    this.exit = details.exit ?? exitCode.failed;
    this.problem = {
      type: "about:blank",
      title: "The command failed",
      ...details.problem,
      detail: message,
      code: details.problem?.code ?? details.code ?? "failed",
      ...(details.fix === undefined ? {} : { fix: details.fix }),
    };
  }
}

/** A wrong command line, setting or answer: exit code 2. */
export function usageError(message: string, fix?: string): CliError {
  return new CliError(message, { exit: exitCode.usage, code: "usage", ...(fix === undefined ? {} : { fix }) });
}

/** Statuses that do not judge the request: timeout, too early, slow down. */
const passing = new Set([408, 425, 429]);

/** Whether the same request may succeed later: there was no answer, or it only described the moment. */
export function mayPass({ exit, problem: { status } }: CliError): boolean {
  if (exit === exitCode.auth) return false;
  return status === undefined || status >= 500 || passing.has(status);
}

const failureExit: Partial<Record<Failure["code"], ExitCode>> = {
  invalid_request: exitCode.usage,
  unauthenticated: exitCode.auth,
  forbidden: exitCode.auth,
};

/** Turns any error that a command threw into a CliError; null if the command only showed its help or version. */
export function asCliError(error: unknown): CliError | null {
  const failure = serverFailure(error);
  if (failure !== null) return failure;
  if (error instanceof CommanderError) return fromCommander(error);
  if (error instanceof Failure) {
    return new CliError(error.message, {
      exit: failureExit[error.code] ?? exitCode.failed,
      problem: { title: error.http.title, code: error.code, errors: error.details.errors ?? [] },
      ...(error.details.fix === undefined ? {} : { fix: error.details.fix }),
      cause: error,
    });
  }
  if (error instanceof StartRefused)
    return new CliError(error.message, { exit: exitCode.usage, code: error.code, fix: error.fix, cause: error });
  return new CliError(error instanceof Error ? error.message : String(error), { code: "internal", cause: error });
}

/** A CliError for an error between the CLI and the server, or the error itself if it is one; null for anything else. */
export function serverFailure(error: unknown): CliError | null {
  if (error instanceof CliError) return error;
  if (error instanceof APIError) return refusal(error);
  if (error instanceof E2ATimeoutError)
    return new CliError(`${error.origin} did not answer in time.`, {
      code: "timeout",
      fix: "Try again.",
      cause: error,
    });
  return error instanceof E2AConnectionError ? unreachable(error.origin ?? "", error.cause) : null;
}

/** Why a request is retried, as the beginning of a sentence. */
export function retryReason(error: unknown): string {
  const isClosed = error instanceof ConnectionClosedError;
  return (isClosed ? error.message : (serverFailure(error) ?? (error as Error)).message).replace(/\.$/, "");
}

/** The failure for a server at `url` that cannot be reached; `cause` is what `fetch` threw. */
export function unreachable(url: string, cause: unknown): CliError {
  const { name, code, message } = cause as { name?: string; code?: unknown; message?: string };
  // The code of a DOMException is a number.
  if (name === "TimeoutError")
    return new CliError(`${url} did not answer in time.`, {
      code: "timeout",
      fix: "Is the server running, and is it this one? See --url.",
      cause,
    });
  return new CliError(`Cannot reach ${url} (${typeof code === "string" ? code : message}).`, {
    code: "unreachable",
    fix: "Is the server running? Start it with `e2a serve` or set --url.",
    cause,
  });
}

/** The failure for a server's refusal, or for an answer that is not from an e2a server. */
function refusal(error: APIError): CliError {
  const { origin, status, code, retryAfter, fix } = error;
  const { location, ...problem } = error.problem as Problem & { location?: string };
  if (code === "redirected" && location !== undefined)
    return new CliError(`${origin} redirects to ${location}.`, { fix: "Set --url or E2A_URL to the final address." });
  if (code === "redirected" || code === "unexpected_answer") {
    const isGood = status >= 200 && status < 300;
    return new CliError(`${origin} ${isGood ? "did not answer in JSON" : `answered ${status} without a reason`}.`, {
      code: "not_e2a",
      fix: "Check that --url or E2A_URL is the address of an e2a server.",
      ...(isGood ? {} : { problem: { status } }),
    });
  }
  const waiting = retryAfter === undefined ? {} : { retry_after_seconds: retryAfter };
  const remedy = fix ?? (status === 401 ? "Check the API key: `e2a login`, or E2A_API_KEY." : undefined);
  const wait = retryAfter === undefined ? undefined : `Try again in ${retryAfter} s.`;
  return new CliError(problem.detail ?? `The server answered ${status}.`, {
    exit: status === 401 || status === 403 ? exitCode.auth : exitCode.failed,
    problem: { status, ...waiting, ...problem },
    ...(remedy || wait ? { fix: remedy ?? wait ?? "" } : {}),
  });
}

/** Commander's messages read "error: …", with its suggestion on a second line. */
function fromCommander(error: CommanderError): CliError | null {
  if (error.exitCode === 0) return null;
  const helpAlreadyShown = error.code === "commander.help";
  if (helpAlreadyShown) return new CliError("", { exit: exitCode.usage, code: "usage" });
  const [first = "", suggestion] = error.message.replace(/^error: /, "").split("\n");
  // The API calls the sending agent `from`.
  if (first === "unknown option '--from'") return usageError(`${first}.`, "Name the agent that sends with --agent.");
  return usageError(
    `${first.replace(/\.$/, "")}.`,
    suggestion?.replace(/^\((.*)\)$/, "$1") ?? "Add --help to see what is possible.",
  );
}

/** The text for standard error: one line and a `fix` line, or a problem document with `json`. "" if all was said. */
export function describeFailure(error: CliError, io: Io, json: boolean): string {
  if (error.message === "") return "";
  if (json) return `${toJson(error.problem, false)}\n`;
  const paint = painter(io.colour.stderr);
  const { fix, errors, request_id, status } = error.problem;
  const lines = [paint("red", `error: ${plainLines(error.message)}`)];
  for (const { field, message } of errors ?? [])
    if (!error.message.includes(`${field} ${message}`)) lines.push(`  ${plain(field)}: ${plain(message)}`);
  if (fix) lines.push(`${paint("bold", "fix:")} ${plainLines(fix)}`);
  if (request_id && (status ?? 0) >= 500) lines.push(paint("dim", `request id: ${plain(request_id)}`));
  return `${lines.join("\n")}\n`;
}
