/** One HTTP exchange with a server: key in, JSON out, and what went wrong in words. */
import { version } from "../version.ts";
import { CliError, exitCode, type Problem } from "./failure.ts";

export type Query = Record<string, string | number | undefined>;

/** Told again and again while a request's body leaves: the bytes handed to the network so far, and all of them. */
export type OnSent = (sentBytes: number, totalBytes: number) => void;

export interface RequestOptions {
  query?: Query;
  body?: unknown;
  headers?: Record<string, string>;
  /** Milliseconds until the request is given up, beside the time its body may need. */
  timeoutMs?: number;
  /** Ends the request; it then fails as `unreachable`. */
  signal?: AbortSignal;
  onSent?: OnSent;
}

/** Longer than any answer of the API needs, shorter than a person's patience. */
const requestTimeoutMs = 30_000;
/** The slowest line on which a request is not given up: 50 KB/s. */
const slowestBytesPerMs = 50;
/** What is handed to the network at once: small enough to count by, large enough to cost nothing. */
const pieceBytes = 64 * 1024;
/** An answer is lost when a proxy or the server restarts; after this many new tries it is more than that. */
const lostAnswersMax = 2;
/** Before the second, third … try of a request; together longer than the 10 s in which the server answers a send. */
const retryWaitsMs = [200, 1000, 4000, 7000];

/** One server, one key. Every method throws CliError: exit 4 for 401 and 403, else 1. */
export class Exchange {
  constructor(
    /** Base URL without trailing slash. */
    readonly url: string,
    private readonly apiKey: string | null,
  ) {}

  /**
   * POSTs what must happen once, such as a mail, under an Idempotency-Key, by default a new one. After a lost answer it
   * asks again with the same key, so the server replays its answer instead of doing it twice.
   */
  protected async once<T>(path: string, options: RequestOptions, key: string = crypto.randomUUID()): Promise<T> {
    const headers = { ...options.headers, "idempotency-key": key };
    let lostAnswers = 0;
    for (let tries = 0; ; tries++) {
      try {
        return await this.json<T>("POST", path, { ...options, headers });
      } catch (error) {
        const waitMs = retryWaitsMs[tries];
        const lost = error instanceof CliError && isLost(error, tries);
        // Only the request that we lost can still be running under a key that nobody else knows.
        const running = error instanceof CliError && lostAnswers > 0 && error.problem.status === 409;
        if (lost) lostAnswers++;
        if (waitMs === undefined || !(running || (lost && lostAnswers <= lostAnswersMax))) {
          const late = error instanceof CliError && error.problem.code === "timeout";
          throw lost || running || late ? uncertain(error) : error;
        }
        await Bun.sleep(waitMs);
      }
    }
  }

  protected authorization(): Record<string, string> {
    if (this.apiKey === null) {
      throw new CliError(`No API key for ${this.url}.`, {
        exit: exitCode.auth,
        code: "unauthenticated",
        fix: "Run `e2a login`, or set E2A_API_KEY. `e2a bootstrap` makes the first key of a new server.",
      });
    }
    return { authorization: `Bearer ${this.apiKey}` };
  }

  protected async json<T>(method: string, path: string, options: RequestOptions = {}): Promise<T> {
    const response = await this.ask(method, path, options);
    const text = await this.reading(() => response.text());
    if (text === "") return null as T;
    try {
      return JSON.parse(text) as T;
    } catch (cause) {
      throw this.notOurs(cause);
    }
  }

  protected async ask(method: string, path: string, options: RequestOptions): Promise<Response> {
    const url = new URL(`${this.url}/api/v1${path}`);
    for (const [name, value] of Object.entries(options.query ?? {}))
      if (value !== undefined) url.searchParams.set(name, String(value));
    const headers: Record<string, string> = {
      accept: "application/json",
      "user-agent": `e2a/${version}`,
      ...this.authorization(),
      ...options.headers,
    };
    const body = options.body === undefined ? null : new TextEncoder().encode(JSON.stringify(options.body));
    if (body !== null) Object.assign(headers, { "content-type": "application/json", "content-length": body.length });
    const timeoutMs = (options.timeoutMs ?? requestTimeoutMs) + (body?.length ?? 0) / slowestBytesPerMs;
    const response = await this.reading(() =>
      fetch(url, {
        method,
        headers,
        // A redirect is reported, not followed: the key stays with the server it was given for.
        redirect: "manual",
        signal: AbortSignal.any([
          AbortSignal.timeout(Math.ceil(timeoutMs)),
          ...(options.signal ? [options.signal] : []),
        ]),
        ...(body === null ? {} : { body: options.onSent ? counted(body, options.onSent) : body }),
      }),
    );
    if (response.ok) return response;
    throw await this.refusal(response);
  }

  private async refusal(response: Response): Promise<CliError> {
    const { status } = response;
    const location = response.headers.get("location");
    if (status >= 300 && status < 400 && location) {
      return new CliError(`${this.url} redirects to ${location}.`, {
        fix: "Set --url or E2A_URL to the final address.",
      });
    }
    const problem = asProblem(await this.reading(() => response.text()));
    if (problem === null) return this.notOurs(undefined, status);
    const auth = status === 401 || status === 403;
    const retryAfter = response.headers.get("retry-after");
    const waiting = retryAfter && /^\d+$/.test(retryAfter) ? { retry_after_seconds: Number(retryAfter) } : {};
    const fix = problem.fix ?? this.remedy(status, waiting.retry_after_seconds);
    return new CliError(problem.detail ?? problem.title ?? `The server answered ${status}.`, {
      exit: auth ? exitCode.auth : exitCode.failed,
      problem: { status, ...waiting, ...problem },
      ...(fix === undefined ? {} : { fix }),
    });
  }

  private remedy(status: number, retryAfterSeconds: number | undefined): string | undefined {
    if (status === 401) return "Check the API key: `e2a login`, or E2A_API_KEY.";
    return retryAfterSeconds === undefined ? undefined : `Try again in ${retryAfterSeconds} s.`;
  }

  private notOurs(cause: unknown, status?: number): CliError {
    const said = status === undefined ? "did not answer in JSON" : `answered ${status} without a reason`;
    return new CliError(`${this.url} ${said}.`, {
      code: "not_e2a",
      fix: "Check that --url or E2A_URL is the address of an e2a server.",
      cause,
      ...(status === undefined ? {} : { problem: { status } }),
    });
  }

  /** Runs one step of an exchange and says what a broken connection means. */
  protected async reading<T>(step: () => Promise<T>): Promise<T> {
    try {
      return await step();
    } catch (cause) {
      const { code, name, message } = cause as { code?: string; name?: string; message?: string };
      if (name === "TimeoutError") {
        throw new CliError(`${this.url} did not answer in time.`, { code: "timeout", fix: "Try again.", cause });
      }
      throw new CliError(`Cannot reach ${this.url} (${code ?? message}).`, {
        code: "unreachable",
        fix: "Is the server running? Start it with `e2a serve` or set --url.",
        cause,
      });
    }
  }
}

/** Bytes as a stream that is pulled as the network takes them. */
function counted(body: Uint8Array<ArrayBuffer>, onSent: OnSent): ReadableStream<Uint8Array> {
  let sent = 0;
  return new ReadableStream(
    {
      pull(controller) {
        // Asked for more: what was given before is gone.
        onSent(sent, body.length);
        if (sent === body.length) return controller.close();
        const piece = body.subarray(sent, sent + pieceBytes);
        sent += piece.length;
        controller.enqueue(piece);
      },
    },
    { highWaterMark: 0 },
  );
}

/** No answer of the server's own: the line broke, or a proxy spoke for it. One that was never reached lost nothing. */
function isLost({ problem, cause }: CliError, tries: number): boolean {
  if (problem.code === "unreachable") return tries > 0 || (cause as { code?: string }).code !== "ECONNREFUSED";
  return problem.code === "not_e2a" && (problem.status ?? 0) >= 500;
}

/** What to do when nobody knows whether the mail left. */
function uncertain(error: unknown): unknown {
  if (!(error instanceof CliError)) return error;
  const { exit, problem, cause, message } = error;
  return new CliError(message, {
    exit,
    problem,
    cause,
    fix: "The server may have accepted the mail: check `e2a outbox` before you send it again.",
  });
}

function asProblem(text: string): Problem | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && ("detail" in value || "title" in value)
      ? (value as Problem)
      : null;
  } catch {
    return null;
  }
}
