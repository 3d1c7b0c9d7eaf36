import type { components } from "../../../sdks/typescript/src/schema.ts";

export type Problem = components["schemas"]["Problem"];

/** A failed request: the server's problem document (RFC 9457), or why no answer came. */
export class ApiError extends Error {
  override readonly name = "ApiError";
  readonly code: string;
  /** HTTP status; 0 if no answer came. */
  readonly status: number;
  /** What to do next, in one sentence. */
  readonly fix: string | undefined;
  readonly requestId: string | undefined;
  /** The wrong fields of the request, each with what is wrong. */
  readonly errors: readonly { field: string; message: string }[];

  constructor(problem: Partial<Problem> & { status: number }, options?: ErrorOptions) {
    super(problem.detail || problem.title || `The server answered ${problem.status}.`, options);
    this.code = problem.code ?? "unknown";
    this.status = problem.status;
    this.fix = problem.fix;
    this.requestId = problem.request_id;
    this.errors = problem.errors ?? [];
  }

  /** What is wrong with one field of the request, or undefined. */
  field(name: string): string | undefined {
    return this.errors.find(({ field }) => field === name)?.message;
  }
}

/** Makes the error for a failed answer. */
export async function errorOf(response: Response): Promise<ApiError> {
  const isProblem = response.headers.get("content-type")?.includes("json");
  const problem: Partial<Problem> = isProblem ? await response.json().catch(() => ({})) : {};
  const requestId = response.headers.get("x-request-id");
  return new ApiError({ ...(requestId && { request_id: requestId }), ...problem, status: response.status });
}

/** Makes the error for a request without an answer. Reads are retried automatically; writes are not. */
export function unreachable(cause: unknown, isRead: boolean): ApiError {
  return new ApiError(
    {
      status: 0,
      code: "unreachable",
      detail: "The server did not answer.",
      fix: `Check that \`e2a serve\` is running and that this machine is online${isRead ? "; this page retries automatically" : ", then try again"}.`,
    },
    { cause },
  );
}
