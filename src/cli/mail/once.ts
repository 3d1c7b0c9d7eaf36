/** A mail that is sent once, also when an answer is lost on the way. */
import { APIError, E2AConnectionError, E2ATimeoutError, type PostOptions } from "../../../sdks/typescript/src/index.ts";
import { CliError, serverFailure } from "../connect/failure.ts";

export interface OnceOptions {
  /** Wait until the mail has left, at most as long as the server does; else it is only queued. */
  wait: boolean;
  onUpload?: PostOptions["onUpload"];
  /** Names the mail across tries and restarts: the server takes it once (for 24 hours). Default: a new one. */
  idempotencyKey?: string;
}

/** An answer is lost when a proxy or the server restarts; after this many new tries it is more than that. */
const LOST_ANSWERS_MAX = 2;
/** Before the second, third … try of a request; together longer than the 10 s in which the server answers a send. */
const retryWaitsMs = [200, 1000, 4000, 7000];

/**
 * POSTs what must happen once. After a lost answer it asks again under the same Idempotency-Key, so the server replays its
 * answer instead of doing it twice. Throws CliError; one after a lost answer says that the mail may have left.
 */
export async function once<T>(
  post: (options: PostOptions) => Promise<T>,
  { wait, onUpload, idempotencyKey = crypto.randomUUID() }: OnceOptions,
): Promise<T> {
  let lostAnswers = 0;
  let isUncertain = false;
  const retries = (error: unknown, tries: number): number | null => {
    const lost = isLost(error, tries);
    // Only the request that we lost can still be running under a key that nobody else knows.
    const running = error instanceof APIError && lostAnswers > 0 && error.status === 409;
    if (lost) lostAnswers++;
    // After a lost answer only a refusal that is final says that the mail did not leave.
    const isRejected = error instanceof APIError && error.code === "upstream_rejected";
    const isOpen =
      error instanceof APIError && !isRejected && (error.status >= 500 || [401, 429].includes(error.status));
    isUncertain = lost || running || error instanceof E2ATimeoutError || (lostAnswers > 0 && isOpen);
    return running || (lost && lostAnswers <= LOST_ANSWERS_MAX) ? (retryWaitsMs[tries] ?? null) : null;
  };
  const headers: Record<string, string> = wait ? {} : { prefer: "respond-async" };
  try {
    return await post({ headers, onUpload, idempotencyKey, retries });
  } catch (error) {
    const failure = isUncertain ? serverFailure(error) : null;
    if (failure === null) throw error;
    throw new CliError(failure.message, {
      exit: failure.exit,
      problem: failure.problem,
      cause: failure.cause,
      fix: "The server may have accepted the mail: check `e2a outbox` before you send it again.",
    });
  }
}

/** No answer of the server's own: the line broke, or a proxy spoke for it. One that was never reached lost nothing. */
function isLost(error: unknown, tries: number): boolean {
  if (error instanceof E2AConnectionError)
    return tries > 0 || (error.cause as { code?: string }).code !== "ECONNREFUSED";
  // Without a code of ours it is a proxy's problem document.
  return error instanceof APIError && ["unexpected_answer", "unknown"].includes(error.code) && error.status >= 500;
}
