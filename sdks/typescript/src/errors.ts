/** The errors of this package: the server refused, it did not answer, or a webhook request could not be verified. */

/** The base class of this package's errors. Thrown itself if the package is used incorrectly. */
export class E2AError extends Error {
  override name = "E2AError";
  /** The server's origin, if the error is about a request. */
  readonly origin: string | undefined;

  constructor(message?: string, options: { cause?: unknown; origin?: string } = {}) {
    super(message, options);
    this.origin = options.origin;
  }
}

/** One wrong field of a request, named by its path in the body or its name in the query. */
export interface FieldError {
  field: string;
  message: string;
}

/** The server's problem document (RFC 9457). For any other failed answer, the members that can be derived from it. */
export interface Problem {
  status: number;
  detail: string;
  code: string;
  fix?: string;
  request_id?: string;
  errors?: FieldError[];
  /** The target of a redirect, which is never followed. */
  location?: string;
}

/** The server refused the request. Decide by `code`, which is stable; `fix` says in one sentence what to do next. */
export class APIError extends E2AError {
  override name = "APIError";
  readonly status: number;
  readonly code: string;
  readonly fix: string | undefined;
  /** Identifies this request in the server's log. */
  readonly requestId: string | undefined;
  /** Every wrong field, if the input is at fault. */
  readonly errors: readonly FieldError[];
  /** Seconds to wait before a new attempt, if the server said so. */
  readonly retryAfter: number | undefined;
  /** The whole problem document, including members specific to this failure. */
  readonly problem: Readonly<Record<string, unknown>>;

  constructor(problem: Problem, retryAfter?: number, origin?: string) {
    super(messageOf(problem), origin === undefined ? {} : { origin });
    this.status = problem.status;
    this.code = problem.code;
    this.fix = problem.fix;
    this.requestId = problem.request_id;
    this.errors = problem.errors ?? [];
    this.retryAfter = retryAfter;
    this.problem = { ...problem };
  }
}

/** 400: `errors` names every wrong field. */
export class InvalidRequestError extends APIError {
  override name = "InvalidRequestError";
}

/** 401: no key, a wrong one, or one that was revoked or has expired. */
export class AuthenticationError extends APIError {
  override name = "AuthenticationError";
}

/** 403: the key is valid, but not allowed to do that. */
export class ForbiddenError extends APIError {
  override name = "ForbiddenError";
}

/** 404: the resource does not exist, or this key has no access to it. */
export class NotFoundError extends APIError {
  override name = "NotFoundError";
}

/** 409: the name is taken, or another request was faster. */
export class ConflictError extends APIError {
  override name = "ConflictError";
}

/** 422: the request is valid, but not in this state: a suppressed recipient, a reused Idempotency-Key, no upstream. */
export class UnprocessableError extends APIError {
  override name = "UnprocessableError";
}

/** 429: too many requests; `retryAfter` says for how long. */
export class RateLimitError extends APIError {
  override name = "RateLimitError";
}

/** 5xx. */
export class ServerError extends APIError {
  override name = "ServerError";
}

/** The server was not reached, or closed the connection; `cause` says why. The request may or may not have run. */
export class E2AConnectionError extends E2AError {
  override name = "E2AConnectionError";
}

/** An open connection has ended. `code` and `reason` are the WebSocket's (RFC 6455). */
export class ConnectionClosedError extends E2AConnectionError {
  override name = "ConnectionClosedError";
  readonly code: number;
  readonly reason: string;

  constructor(code: number, reason: string, origin: string) {
    super(reason ? `connection closed: ${reason}` : `connection lost (${code})`, { origin });
    this.code = code;
    this.reason = reason;
  }
}

/** No answer came in time. The request may or may not have run. */
export class E2ATimeoutError extends E2AError {
  override name = "E2ATimeoutError";
}

/** Another consumer now listens to the agent, which can have only one. */
export class ListenerReplacedError extends E2AError {
  override name = "ListenerReplacedError";
}

/** Why verification failed. `unsigned_field`: the member exists, but no signature covers it. */
export type UnverifiedReason = "missing" | "signature" | "stale" | "future" | "malformed" | "body" | "unsigned_field";

/** Nothing proves that this data comes unchanged from the server. Do not use any of it. */
export class UnverifiedEmailError extends E2AError {
  override name = "UnverifiedEmailError";
  readonly reason: UnverifiedReason;

  constructor(reason: UnverifiedReason, message: string) {
    super(message);
    this.reason = reason;
  }
}

const byStatus: Record<number, typeof APIError> = {
  400: InvalidRequestError,
  401: AuthenticationError,
  403: ForbiddenError,
  404: NotFoundError,
  409: ConflictError,
  422: UnprocessableError,
  429: RateLimitError,
};

/** Makes the error for a problem document, of the class for its status. */
export function apiError(problem: Problem, origin?: string, retryAfter?: number): APIError {
  const Kind = byStatus[problem.status] ?? (problem.status >= 500 ? ServerError : APIError);
  return new Kind(problem, retryAfter, origin);
}

function messageOf({ detail, fix, request_id }: Problem): string {
  return [detail, fix, request_id && `(${request_id})`].filter(Boolean).join(" ");
}
