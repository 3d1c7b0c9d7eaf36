/** All that this package throws on purpose: what the server answered, that it did not, and mail that cannot be believed. */

/** The root of all errors of this package; on its own, a mistake in how it is used. */
export class E2AError extends Error {
  override name = "E2AError";
  /** The server that was asked, where one was. */
  readonly origin: string | undefined;

  constructor(message?: string, options: { cause?: unknown; origin?: string } = {}) {
    super(message, options);
    this.origin = options.origin;
  }
}

/** One wrong field of a request, by its path in the body or its name in the query. */
export interface FieldError {
  field: string;
  message: string;
}

/** What the server says of a failure (RFC 9457); an answer that is no problem document has the members it can have. */
export interface Problem {
  status: number;
  detail: string;
  code: string;
  fix?: string;
  request_id?: string;
  errors?: FieldError[];
  /** Of a redirect, which is not followed: where to. */
  location?: string;
}

/** The server refused. Decide by `code`, which is stable; `fix` says what to do next in one sentence. */
export class APIError extends E2AError {
  override name = "APIError";
  readonly status: number;
  readonly code: string;
  readonly fix: string | undefined;
  /** Finds this request in the server's log. */
  readonly requestId: string | undefined;
  /** Every wrong field, when the input is at fault. */
  readonly errors: readonly FieldError[];
  /** Seconds after which a new attempt makes sense, when the server said so. */
  readonly retryAfter: number | undefined;
  /** The whole answer, with members that only this failure has. */
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

/** 403: the key is good, but may not do that. */
export class ForbiddenError extends APIError {
  override name = "ForbiddenError";
}

/** 404: it is not there, or not for this key. */
export class NotFoundError extends APIError {
  override name = "NotFoundError";
}

/** 409: a taken name, or somebody was faster. */
export class ConflictError extends APIError {
  override name = "ConflictError";
}

/** 422: the request is right, but not in this state: a suppressed recipient, a reused Idempotency-Key, no upstream. */
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

/** The server was not reached, or hung up; `cause` says why. Nothing is known of what became of the request. */
export class E2AConnectionError extends E2AError {
  override name = "E2AConnectionError";
}

/** A connection that was open has ended: `code` and `reason` are those of the WebSocket (RFC 6455). */
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

/** No answer in time. Nothing is known of what became of the request. */
export class E2ATimeoutError extends E2AError {
  override name = "E2ATimeoutError";
}

/** Another consumer listens to the agent now; an agent has one. */
export class ListenerReplacedError extends E2AError {
  override name = "ListenerReplacedError";
}

/** Why a webhook request is not believed; `unsigned_field`: that member is there, but nothing vouches for it. */
export type UnverifiedReason = "missing" | "signature" | "stale" | "future" | "malformed" | "body" | "unsigned_field";

/** Nothing proves that this comes from the server as it is. Do not use any of it. */
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

/** The error for an answer. */
export function apiError(problem: Problem, origin?: string, retryAfter?: number): APIError {
  const Kind = byStatus[problem.status] ?? (problem.status >= 500 ? ServerError : APIError);
  return new Kind(problem, retryAfter, origin);
}

function messageOf({ detail, fix, request_id }: Problem): string {
  return [detail, fix, request_id && `(${request_id})`].filter(Boolean).join(" ");
}
