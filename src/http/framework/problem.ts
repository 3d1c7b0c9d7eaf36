import { Failure } from "../../util/errors.ts";

/** Answers with a failure as a problem document (RFC 9457), without its cause, which the log has under the same id. */
export function problemResponse(failure: Failure, requestId: string): Response {
  const { status, title } = failure.http;
  const { fix, errors, extra, retryAfterSeconds } = failure.details;
  const headers = new Headers({ "content-type": "application/problem+json" });
  if (retryAfterSeconds !== undefined) headers.set("retry-after", String(Math.max(1, retryAfterSeconds)));
  // Fields that RFC 9110 11.6.1 and 15.5.22 require for these statuses.
  if (status === 401) headers.set("www-authenticate", 'Bearer realm="e2a"');
  if (status === 426) headers.set("upgrade", "websocket");
  const document = {
    ...extra,
    type: `/api/docs#${failure.code}`,
    title,
    status,
    detail: failure.message,
    code: failure.code,
    ...(fix ? { fix } : {}),
    request_id: requestId,
    ...(errors && errors.length > 0 ? { errors } : {}),
  };
  return new Response(JSON.stringify(document), { status, headers });
}

/** The failure for a method that a known path does not support. `allowed` is sent as the Allow header. */
export class MethodNotAllowed extends Failure {
  constructor(
    method: string,
    readonly allowed: readonly string[],
  ) {
    super("method_not_allowed", `This path does not support ${method}.`, { fix: `Use ${allowed.join(" or ")}.` });
  }
}

/**
 * The failure for an unknown or foreign resource: the same for both, so that no caller learns what other accounts have.
 */
export function notFound(what: string): Failure {
  return new Failure("not_found", `There is no such ${what}, or this key may not see it.`);
}
