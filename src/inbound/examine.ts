import { createHash } from "node:crypto";
import type { Defect, Envelope, ReadMail, Verdict } from "../mail.ts";
import { singleAuthor } from "../message/author.ts";
import { type Automation, automationOf } from "../message/automation.ts";
import { type HeaderBlock, scanHeaders, scanOnce } from "../message/headers.ts";
import { HtmlBudget } from "../message/html/budget.ts";
import { type ReadLimits, readWords, withNewText } from "../message/read.ts";
import { isAutomaticSubject, type Report, readReport, tellsFate } from "../message/report/report.ts";
import { applyTrace, countReceived, type Trace, tracedHeader, traceOf } from "../message/trace.ts";
import type { Resolver } from "../net/dns.ts";
import { hideSignatures } from "../return-path.ts";
import { Failure } from "../util/errors.ts";
import { authenticate, type IsHosted } from "./authenticate.ts";
import { withoutReturnPaths } from "./hidden-return-path.ts";
import { dependsOnUnsignedSpaces } from "./unsigned-spaces.ts";

/** One message to be examined; its bytes are passed separately. */
export interface Examination {
  envelope: Envelope;
  /** The `id` of our Received field. */
  queueId: string;
  /** The verdict for mail that this server wrote itself: DNS is not asked, and it is not a report. */
  verdict?: Verdict;
  /** Whether a recipient is a signed return path. */
  toReturnPath: boolean;
  /** Whether a recipient is anything else. If none is, only the report is read. */
  toMailbox: boolean;
}

export interface ExamineSettings {
  /** Our name in trace fields, and the authserv-id of our results (RFC 8601 2.5). */
  hostname: string;
  /** Time for the whole verification, including DNS. */
  verifyBudgetMs: number;
  limits: ReadLimits;
  /** Received fields that a message may have before it counts as looping (RFC 5321 6.3). */
  hopsMax: number;
}

export interface Examined {
  report: Report | null;
  /** Null if no recipient is a mailbox. */
  message: ExaminedMessage | null;
}

export interface ExaminedMessage extends Automation {
  verdict: Verdict;
  mail: ReadMail;
  /** How the message is stored: with our trace fields on top, without forged ones. */
  trace: Trace;
  /** Lower-case hex SHA-256 of the message as it is stored, and as it was received. */
  storedSha256: string;
  receivedSha256: string;
}

/**
 * Does all the work on a message that costs processor time: count hops → recognise reports → authenticate → trace →
 * read. If what the message says depends on white space that relaxed signatures ignore, the last three are repeated
 * without those signatures. It is pure except for its questions to DNS and to the store, and takes and returns plain
 * data, because it runs in a child process. Throws Failure `mail_loop`.
 *
 * The message is read as it is stored, so that a field that was removed as forged cannot reappear by another way.
 * @param failure Why reading the whole message failed before, if it did. It is among the defects, and only the header
 * and the raw text are read.
 */
export async function examine(
  raw: Uint8Array,
  job: Examination,
  settings: ExamineSettings,
  resolver: Resolver,
  isHosted: IsHosted,
  failure: Defect | null = null,
): Promise<Examined> {
  const { envelope, queueId, toReturnPath } = job;
  const { hostname, verifyBudgetMs, limits, hopsMax } = settings;
  const header = scanOnce(raw);
  const hops = countReceived(raw, hopsMax + 1, header);
  if (hops > hopsMax)
    throw new Failure("mail_loop", `The message has passed more than ${hopsMax} hosts; it seems to loop.`);
  const report =
    job.verdict || failure !== null ? null : readReport(raw, envelope.mailFrom, { toReturnPath, block: header });
  // What else comes to a return path is mail for the agent that wrote, or for the postmaster.
  if (!job.toMailbox && report !== null && tellsFate(report)) return { report, message: null };

  const asking = { resolver, isHosted, budgetMs: verifyBudgetMs, authservId: hostname, block: header };
  const [only, ...others] = envelope.rcptTo;
  // A signed return path is a secret of this server.
  const recipient = others.length === 0 && job.toMailbox ? only : undefined;
  const budget = new HtmlBudget();
  const readWith = async (verdict: Verdict) => {
    const options = { envelope, hostname, id: queueId, verdict, ...(recipient ? { recipient } : {}) };
    const trace = traceOf(raw, options, header);
    const stored = applyTrace([toReturnPath ? unsigned(raw) : raw], trace);
    // Our own fields take no room from those that the sender is proven by.
    const withTrace = { ...limits, maxHeaderBytes: limits.maxHeaderBytes + trace.fields.length };
    const known = toReturnPath ? null : header && tracedHeader(raw, header, trace);
    const words = await readWords(stored, withTrace, failure, known, budget);
    const isDoubtful =
      isProvenBySignature(verdict) && (await dependsOnUnsignedSpaces(stored, words, withTrace, failure, budget));
    return { verdict, trace, stored, words, isDoubtful };
  };
  let read = await readWith(
    job.verdict ? unlessDoubtful(job.verdict, header ?? scanHeaders(raw)) : await authenticate(raw, envelope, asking),
  );
  // The answers of DNS are known by now.
  if (read.isDoubtful) read = await readWith(await authenticate(raw, envelope, { ...asking, dependsOnSpaces: true }));
  const { stored, trace, verdict } = read;
  const said = withNewText(read.words);
  const mail = toReturnPath ? withoutReturnPaths(said) : said;
  const automation = automationOf(mail.headers, envelope.mailFrom);
  // Programs answer to the return path (RFC 3834 4), and people to From or Reply-To.
  if (toReturnPath && (report !== null || isAutomaticSubject(mail.subject)))
    automation.autoSubmitted ??= "auto-replied";
  return {
    report,
    message: {
      verdict,
      mail,
      trace,
      storedSha256: sha256(stored),
      receivedSha256: sha256(raw),
      ...automation,
    },
  };
}

/** A copy without the signatures of return paths. */
function unsigned(raw: Uint8Array): Buffer {
  const copy = Buffer.from(raw);
  for (const _ of hideSignatures(copy));
  return copy;
}

/** Whether nothing but signatures proves the message: its sender's host does not. */
function isProvenBySignature({ authentication: { dmarc }, verified }: Verdict): boolean {
  return verified && dmarc.aligned_by.includes("dkim") && !dmarc.aligned_by.includes("spf");
}

/** Like other mail, mail that this server wrote itself is believed only if its From names one author beyond doubt. */
function unlessDoubtful(verdict: Verdict, block: HeaderBlock): Verdict {
  if (singleAuthor(block)) return verdict;
  const { authentication, domainCheck } = verdict;
  return {
    ...verdict,
    authentication: { ...authentication, dmarc: { result: "permerror", policy: null, aligned_by: [] } },
    verified: false,
    verifiedDomain: null,
    domainCheck: `${domainCheck}; dmarc=permerror`,
  };
}

function sha256(data: Uint8Array): string {
  return createHash("sha256").update(data).digest("hex");
}
