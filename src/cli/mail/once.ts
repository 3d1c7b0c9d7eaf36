/** Sends a mail once, even if an answer is lost. */
import { APIError, E2AConnectionError, E2ATimeoutError, type PostOptions } from "../../../sdks/typescript/src/index.ts";
import { CliError, serverFailure } from "../connect/failure.ts";

export interface OnceOptions {
  /** Whether to wait until the mail has left, as long as the server does at most. If false, it is only queued. */
  wait: boolean;
  onUpload?: PostOptions["onUpload"];
  /**
   * Identifies the mail across attempts and restarts: the server accepts it once (for 24 hours). Default: a new key.
   */
  idempotencyKey?: string;
}

/** Answers are lost when a proxy or the server restarts. After this many retries there must be another cause. */
const LOST_ANSWERS_MAX = 2;
/** Pauses before the second, third … attempt; together longer than the 10 s in which the server answers a send. */
const retryWaitsMs = [200, 1000, 4000, 7000];

/**
 * POSTs a request that must happen once. After a lost answer it repeats the request under the same Idempotency-Key, so
 * that the server replays its answer and does nothing twice. Throws CliError; after a lost answer, the error says that
 * the mail may have left.
 */
export async function once<T>(
  post: (options: PostOptions) => Promise<T>,
  { wait, onUpload, idempotencyKey = crypto.randomUUID() }: OnceOptions,
): Promise<T> {
  let lostAnswers = 0;
  let isUncertain = false;
  const retries = (error: unknown, tries: number): number | null => {
    const lost = isLost(error, tries);
    // The key is ours alone, so only the request whose answer was lost can still be running under it.
    const running = error instanceof APIError && lostAnswers > 0 && error.status === 409;
    if (lost) lostAnswers++;
    // After a lost answer, only a final refusal proves that the mail did not leave.
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

/**
 * Whether the server's own answer was lost: the connection broke, or a proxy answered in its place. If the server was
 * never reached, nothing was lost.
 */
function isLost(error: unknown, tries: number): boolean {
  if (error instanceof E2AConnectionError)
    return tries > 0 || (error.cause as { code?: string }).code !== "ECONNREFUSED";
  // A problem document without one of our codes comes from a proxy.
  return error instanceof APIError && ["unexpected_answer", "unknown"].includes(error.code) && error.status >= 500;
}
