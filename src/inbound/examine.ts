import { createHash } from "node:crypto";
import type { Resolver } from "../dns.ts";
import type { Envelope, ReadMail, Verdict } from "../mail.ts";
import { authenticate, type IsHosted } from "./authenticate.ts";
import { type ReadLimits, readMail } from "./read.ts";
import { withTrace } from "./trace.ts";

/** One message to be examined. */
export interface Examination {
  raw: Uint8Array;
  envelope: Envelope;
  /** The `id` of our Received field. */
  queueId: string;
  /** For mail that this server wrote itself; it is not asked of DNS then. */
  verdict?: Verdict;
}

export interface ExamineSettings {
  /** Our name in trace fields, and the authserv-id of our results (RFC 8601 2.5). */
  hostname: string;
  /** Time for the whole verification with all its DNS questions. */
  verifyBudgetMs: number;
  limits: ReadLimits;
}

export interface Examined {
  verdict: Verdict;
  mail: ReadMail;
  /** The message as it is stored: the received one under our trace fields. */
  stored: Uint8Array;
  /** Lower-hex SHA-256 of `stored`, and of the message as it came. */
  storedSha256: string;
  receivedSha256: string;
}

/**
 * All that costs processor time about a message: authenticate → trace → read. Pure but for the two questions, to DNS and
 * to the store, with plain data in and out, so that it can move to another thread.
 * Read is what is stored: a field that was removed as forged must not come back by another way.
 */
export async function examine(
  job: Examination,
  settings: ExamineSettings,
  resolver: Resolver,
  isHosted: IsHosted,
): Promise<Examined> {
  const { raw, envelope, queueId } = job;
  const { hostname, verifyBudgetMs, limits } = settings;
  const verdict =
    job.verdict ??
    (await authenticate(raw, envelope, { resolver, isHosted, budgetMs: verifyBudgetMs, authservId: hostname }));
  const [only, ...others] = envelope.rcptTo;
  const recipient = others.length === 0 ? only : undefined;
  const stored = withTrace(raw, { envelope, hostname, id: queueId, verdict, ...(recipient ? { recipient } : {}) });
  const mail = await readMail(stored, limits);
  return { verdict, mail, stored, storedSha256: sha256(stored), receivedSha256: sha256(raw) };
}

function sha256(data: Uint8Array): string {
  return createHash("sha256").update(data).digest("hex");
}
