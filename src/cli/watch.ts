/**
 * An agent's WebSocket, kept open: unread messages first, then live ones, each handed on once, over as many
 * connections as it takes.
 */
import type { Client } from "./client.ts";
import { CliError, mayPass } from "./failure.ts";

/** One notification. Members beside the id are shown, not relied on. */
export interface Frame {
  message_id: string;
  from?: string;
  recipient?: string;
  subject?: string;
  received_at?: string;
  verified?: boolean;
  [member: string]: unknown;
}

export interface WatchOptions {
  client: Client;
  agent: string;
  /** Ends the watch; `watch` then returns. */
  signal: AbortSignal;
  /** Tell the server that a message was handled, so that it becomes read. */
  acknowledge: boolean;
  /**
   * Frames kept while an earlier one is in hand; more are left to the server, which shows them again once these are
   * done. Without it all are kept: whoever leaves messages unread would see the same ones for ever.
   */
  aheadMax?: number;
  /**
   * Called once a message, in order, one at a time. The message is acknowledged after it returns. "stop" ends the
   * watch; "left" means that nothing was done, so that it comes again with the next connection. `connection` is
   * aborted when the one that brought the frame has ended.
   */
  onFrame(frame: Frame, connection: AbortSignal): Promise<"stop" | "left" | undefined>;
  onConnected(): void;
  /** Called before each wait for another connection. */
  onRetry(reason: string, waitMs: number): void;
}

/** First wait after a lost connection; doubles up to the maximum, then half of it is chance (no thundering herd). */
const retryFirstMs = 500;
const retryMaxMs = 30_000;
/** A connection that lived this long was a good one: waiting starts over. */
const stableAfterMs = 10_000;
const openTimeoutMs = 15_000;
/** We ping this often; a server must answer (RFC 6455 5.5.3), so silence of more than two pings is a dead line. */
const pingEveryMs = 30_000;
const silenceMaxMs = 75_000;
/** How long a polite close may take before the line is cut. */
const closeTimeoutMs = 1_000;
/** Ids remembered against doubles after a reconnect: far more than one backlog, about a megabyte. */
const rememberedMax = 10_000;
/** The server's close code for "a newer consumer took over". */
const replacedCode = 4000;

interface Ending {
  opened: boolean;
  /** We left, to be shown again what was not kept. */
  surplus: boolean;
  livedMs: number;
  code: number;
  reason: string;
}

/** Watches until `signal` or "stop". Throws CliError when trying again cannot help: no right, no agent, replaced. */
export async function watch(options: WatchOptions): Promise<void> {
  const stop = new AbortController();
  const signal = AbortSignal.any([options.signal, stop.signal]);
  const seen = new Set<string>();
  let everOpened = false;
  let failures = 0;
  const take: Take = async (frame, connection) => {
    if (seen.has(frame.message_id)) return true;
    const next = await options.onFrame(frame, connection);
    if (next === "left") return false;
    remember(seen, frame.message_id);
    if (next === "stop") stop.abort();
    return true;
  };
  while (!signal.aborted) {
    const ending = await connect(options, signal, take);
    if (signal.aborted) return;
    if (ending.code === replacedCode) {
      throw new CliError(`Another listener took over ${options.agent}; only one can listen at a time.`, {
        code: "replaced",
        fix: "Stop the other one, or listen for another agent.",
      });
    }
    everOpened ||= ending.opened;
    if (ending.surplus) continue;
    const reason = ending.opened ? closeReason(ending) : await whyRefused(options, everOpened);
    if (ending.livedMs >= stableAfterMs) failures = 0;
    const waitMs = retryWaitMs(failures++, Math.random());
    options.onRetry(reason, waitMs);
    await sleep(waitMs, signal);
  }
}

/** Milliseconds to wait after the n-th failure in a row (n from 0); `chance` is in [0, 1). */
export function retryWaitMs(failures: number, chance: number, firstMs = retryFirstMs, maxMs = retryMaxMs): number {
  const ceiling = Math.min(maxMs, firstMs * 2 ** Math.min(failures, 16));
  return Math.round(ceiling / 2 + (ceiling / 2) * chance);
}

/** Whether the frame was dealt with, now or earlier. */
type Take = (frame: Frame, connection: AbortSignal) => Promise<boolean>;

/** One connection from handshake to close. Frames are handled in order, and all are handled before this returns. */
function connect(options: WatchOptions, signal: AbortSignal, take: Take): Promise<Ending> {
  const { url, headers } = options.client.socket(options.agent);
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(url, { headers });
    let openedAt = 0;
    let heardAt = Date.now();
    let handled = Promise.resolve();
    let ahead = 0;
    let surplus = false;
    const ended = new AbortController();
    let cut: ReturnType<typeof setTimeout> = setTimeout(() => socket.terminate(), openTimeoutMs);
    const pulse = setInterval(() => {
      if (Date.now() - heardAt > silenceMaxMs) socket.terminate();
      else if (socket.readyState === WebSocket.OPEN) socket.ping();
    }, pingEveryMs);
    const leave = () => {
      socket.close(1000);
      clearTimeout(cut);
      cut = setTimeout(() => socket.terminate(), closeTimeoutMs);
    };
    const heard = () => {
      heardAt = Date.now();
    };
    const handle = async (frame: Frame) => {
      if (signal.aborted || !(await take(frame, ended.signal))) return;
      if (options.acknowledge && socket.readyState === WebSocket.OPEN) {
        socket.send(JSON.stringify({ ack: frame.message_id }));
      }
    };
    const done = () => {
      clearTimeout(cut);
      clearInterval(pulse);
      signal.removeEventListener("abort", interrupted);
    };
    // When the interrupt comes from a handled frame, its acknowledgement still has to leave first.
    const interrupted = () => void handled.then(leave, leave);

    if (signal.aborted) leave();
    signal.addEventListener("abort", interrupted);
    socket.addEventListener("ping", heard);
    socket.addEventListener("pong", heard);
    socket.addEventListener("open", () => {
      openedAt = Date.now();
      clearTimeout(cut);
      if (signal.aborted) return leave();
      options.onConnected();
    });
    socket.addEventListener("message", (event) => {
      heard();
      const frame = readFrame(event.data);
      if (frame === null) return;
      if (ahead >= (options.aheadMax ?? Number.POSITIVE_INFINITY)) {
        surplus = true;
        return;
      }
      ahead++;
      handled = handled
        .then(() => handle(frame))
        .then(() => {
          ahead--;
          if (ahead === 0 && surplus) leave();
        });
      // A handler that fails (standard output is gone) ends everything, at once.
      handled.catch((error) => {
        done();
        socket.terminate();
        reject(error);
      });
    });
    socket.addEventListener("close", ({ code, reason }) => {
      done();
      ended.abort();
      const livedMs = openedAt === 0 ? 0 : Date.now() - openedAt;
      handled.then(() => resolve({ opened: openedAt > 0, surplus, livedMs, code, reason }), reject);
    });
  });
}

function readFrame(data: unknown): Frame | null {
  if (typeof data !== "string") return null;
  try {
    const frame = JSON.parse(data) as Partial<Frame> | null;
    return typeof frame?.message_id === "string" ? (frame as Frame) : null;
  } catch {
    return null;
  }
}

function closeReason({ code, reason }: Ending): string {
  return reason ? `connection closed: ${reason}` : `connection lost (${code})`;
}

/**
 * A WebSocket hides why its handshake was refused, so the same path is asked as plain HTTP. Returns the reason when
 * another try can help, throws when it cannot. A server that never answered is an error, one that went away is waited for.
 */
async function whyRefused({ client, agent }: WatchOptions, everOpened: boolean): Promise<string> {
  try {
    await client.socketProblem(agent);
    return "the connection was refused";
  } catch (error) {
    if (!(error instanceof CliError)) throw error;
    const { status } = error.problem;
    const neverThere = status === undefined && !everOpened;
    if (neverThere || !(mayPass(error) || status === upgradeRequired)) throw error;
    return error.message.replace(/\.$/, "");
  }
}

/** "Upgrade first": our key and agent are fine. */
const upgradeRequired = 426;

function remember(seen: Set<string>, id: string): void {
  seen.add(id);
  const [oldest] = seen;
  if (seen.size > rememberedMax && oldest !== undefined) seen.delete(oldest);
}

/** Resolves after `ms`, or at once when `signal` is aborted. */
export function sleep(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const finish = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", finish);
      resolve();
    };
    const timer = setTimeout(finish, signal.aborted ? 0 : ms);
    signal.addEventListener("abort", finish);
  });
}
