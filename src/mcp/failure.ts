import { APIError, E2AConnectionError, E2ATimeoutError, type FieldError } from "../../sdks/typescript/src/index.ts";
import { withoutUnseen } from "../message/text/visible.ts";

/** The failure of a tool. Its message is for the model: one sentence, and what to do next. */
export class ToolFailure extends Error {
  override readonly name = "ToolFailure";

  constructor(
    message: string,
    readonly details: {
      /** What to do next, in one or two sentences. */
      fix: string;
      code?: string | undefined;
      /** The status of the API's answer, if there was one. */
      status?: number;
      errors?: readonly FieldError[] | undefined;
      /** Text that others may have written: from another server, or containing addresses. */
      quoted?: unknown;
    },
  ) {
    super(message);
  }
}

const wrongFix = "Correct the arguments and call the tool again.";
const tryAgain = "Try again; if it fails again, tell the user.";
const askUser = "Do not try again on your own: tell the user.";

/** What a model should do about a failure whose API advice is meant for programmers. */
const fixes: Record<string, string> = {
  unauthenticated: `The API key in this client's configuration is no longer valid. ${askUser}`,
  not_found: "Check ids and addresses: list_agents, list_messages and list_conversations show them.",
  forbidden: `This key does not allow it. ${askUser}`,
  invalid_request: wrongFix,
  conflict: "It has changed, or is still in progress: get_message or list_pending shows its state.",
  recipient_suppressed:
    "Mail to this address bounced permanently or was reported as spam. Leave it out, or ask the user for another address.",
  upstream_not_configured: `This server sends no mail to the outside; its operator must set outbound_smtp. ${askUser}`,
  upstream_rejected:
    "No recipient got it. If an address is wrong, correct it and send a new message; otherwise tell the user what the server said.",
  idempotency_key_reused: "Use a new idempotency_key for a different message, or leave it out.",
  too_large: "Send less: fewer or smaller attachments.",
};

/** What a model is told about a failure; null for an unexpected one. */
export function failureOf(error: unknown): ToolFailure | null {
  if (error instanceof ToolFailure) return error;
  if (error instanceof APIError) return refusalOf(error);
  const isLate = error instanceof E2ATimeoutError;
  if (!isLate && !(error instanceof E2AConnectionError)) return null;
  const { code = "no connection" } = (error.cause ?? {}) as { code?: string };
  return new ToolFailure(
    `Cannot reach the e2a server at ${error.origin} (${isLate ? "it did not answer in time" : code}).`,
    {
      code: "unreachable",
      fix: "Tell the user: is the server running, and is E2A_URL right? Then call the tool again; nothing is done twice.",
    },
  );
}

/** e2a's own sentence for a refusal whose words are quoted. */
const refusals: Record<string, string> = {
  upstream_rejected: "No recipient accepted the message.",
  upstream_not_configured: "No upstream is configured for mail to a recipient.",
  recipient_suppressed: "A recipient is on the suppression list.",
};

/** An address may read like a sentence, and a reply goes to addresses that the sender chose. */
const namesAnAddress = (text: string) => /\S@\S/.test(text);

function refusalOf({ status, code, fix, errors: wrong, problem }: APIError): ToolFailure {
  if (code === "unexpected_answer" || code === "redirected")
    return new ToolFailure(`The server answered ${status} without a reason.`, {
      fix: `Something between this client and e2a failed. ${askUser}`,
      status,
    });
  const errors = wrong.map(({ field, message }) => ({ field: plain(field), message: plain(message) }));
  const detail = plain(String(problem.detail));
  const remedy = fixes[code] ?? plain(fix ?? "");
  const about = { fix: namesAnAddress(remedy) || remedy === "" ? tryAgain : remedy, code, status };
  const isQuoted =
    code === "upstream_rejected" || [detail, ...errors.map(({ message }) => message)].some(namesAnAddress);
  if (!isQuoted) return new ToolFailure(detail, { ...about, errors });
  const quoted = errors.length > 0 ? errors.map(({ field, message }) => `${field} ${message}`.trim()) : detail;
  return new ToolFailure(refusals[code] ?? "The server refused it.", { ...about, quoted });
}

const DETAIL_CHARS_MAX = 1_000;

function plain(text: string): string {
  return withoutUnseen(text).text.replace(/\s+/g, " ").slice(0, DETAIL_CHARS_MAX).toWellFormed();
}
