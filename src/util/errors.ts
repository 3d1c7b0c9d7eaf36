/**
 * Every failure the product can report, in one table: the stable code that
 * clients see, its HTTP status and title, and the SMTP reply for the codes that
 * can arise while a message is being received (RFC 5321 4.2, RFC 3463).
 *
 * Clients see a safe message and what to do next; the cause is only logged.
 */
interface CodeRow {
  readonly status: number;
  readonly title: string;
  /** Basic and enhanced status code of the SMTP reply. Absent: 451 4.3.0, "try again later". */
  readonly smtp?: readonly [basic: number, enhanced: string];
}

const table = {
  invalid_request: { status: 400, title: "The request is not valid" },
  unauthenticated: { status: 401, title: "Authentication is required" },
  forbidden: { status: 403, title: "This key may not do that" },
  not_found: { status: 404, title: "Not found" },
  method_not_allowed: { status: 405, title: "Method not allowed" },
  request_timeout: { status: 408, title: "The request took too long to arrive" },
  conflict: { status: 409, title: "Conflict with the current state" },
  domain_not_verified: { status: 412, title: "The domain is not verified yet" },
  too_large: { status: 413, title: "The request is too large", smtp: [552, "5.3.4"] },
  unsupported_media_type: { status: 415, title: "Unsupported media type" },
  idempotency_key_reused: { status: 422, title: "The Idempotency-Key was used for another request" },
  recipient_suppressed: { status: 422, title: "A recipient is on the suppression list" },
  upstream_not_configured: { status: 422, title: "No upstream is configured for mail to other servers" },
  upgrade_required: { status: 426, title: "This path is for WebSockets" },
  rate_limited: { status: 429, title: "Too many requests", smtp: [451, "4.7.1"] },
  upstream_rejected: { status: 502, title: "The upstream refused the message" },
  internal: { status: 500, title: "Something went wrong on our side" },
  unavailable: { status: 503, title: "Not ready" },
  // Codes that only a mail client on the SMTP side can meet.
  mailbox_unknown: { status: 404, title: "No such mailbox", smtp: [550, "5.1.1"] },
  relay_denied: { status: 403, title: "Relaying denied", smtp: [550, "5.7.1"] },
  message_refused: { status: 422, title: "The message was refused", smtp: [550, "5.7.1"] },
  dns_trouble: { status: 503, title: "DNS did not answer", smtp: [451, "4.4.3"] },
  message_malformed: { status: 400, title: "The message is malformed", smtp: [554, "5.6.0"] },
  overloaded: { status: 503, title: "Too busy", smtp: [452, "4.3.1"] },
  mail_loop: { status: 422, title: "Mail loop", smtp: [554, "5.4.6"] },
} as const satisfies Record<string, CodeRow>;

export type FailureCode = keyof typeof table;

/** One wrong field of a request or of the configuration: a dotted path and a sentence. */
export interface FieldError {
  field: string;
  message: string;
}

export interface FailureDetails {
  /** One sentence that says what to do next. */
  fix?: string;
  /** Every wrong field, if the input is at fault. */
  errors?: FieldError[];
  /** Whole seconds until a retry makes sense. Sent as Retry-After. */
  retryAfterSeconds?: number;
  /** Members added to the problem document as they are (RFC 9457 3.2). */
  extra?: Record<string, unknown>;
  /** The inner cause. Logged, never shown. */
  cause?: unknown;
}

/** An expected failure. `message` is shown to the client; `cause` is not. */
export class Failure extends Error {
  override readonly name = "Failure";

  constructor(
    readonly code: FailureCode,
    message: string,
    readonly details: FailureDetails = {},
  ) {
    super(message, { cause: details.cause });
  }

  /** HTTP status and problem title of this failure (RFC 9457). */
  get http(): { status: number; title: string } {
    return table[this.code];
  }

  /** Basic and enhanced SMTP status. A temporary one unless the table proves it permanent. */
  get smtp(): readonly [basic: number, enhanced: string] {
    const row: CodeRow = table[this.code];
    return row.smtp ?? [451, "4.3.0"];
  }
}

/** The server cannot start with the files or the database that it found; the operator must decide what to do. */
export class StartRefused extends Error {
  override readonly name = "StartRefused";

  /**
   * @param message One sentence that says what is wrong, with the file or folder it is about.
   * @param code Stable word for scripts.
   * @param fix What to do.
   */
  constructor(
    message: string,
    readonly code: string,
    readonly fix: string,
  ) {
    super(message);
  }
}

/** Returns the failure itself, or wraps anything unexpected as `internal` without leaking its text. */
export function asFailure(error: unknown): Failure {
  if (error instanceof Failure) return error;
  return new Failure("internal", "The server ran into an unexpected error.", {
    fix: "Try again. If the error persists, look for the request_id in the server's log.",
    cause: error,
  });
}
