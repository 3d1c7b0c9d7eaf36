import libmime from "libmime";
import { fieldsNamed, scanHeaders, type WholeHeader } from "../headers.ts";
import { htmlToText } from "../html/text.ts";
import { isAnswerSubject, saysDelayed } from "./bounce-words.ts";
import {
  type DeliveryReport,
  deliveryReports,
  diagnosticLine,
  plainAddress,
  readGroups,
  typedAddress,
  valueIn,
  valuesIn,
} from "./delivery-status.ts";
import { statusIn } from "./hard-bounce.ts";
import { childrenOf, contentOf, fieldOf, fileNameOf, type Part, readableOf, readTop, textOf } from "./parts.ts";
import { announcesFailure, quotesRefusal, readProse } from "./prose.ts";

export type { DeliveryReport } from "./delivery-status.ts";
export { isHardBounce } from "./hard-bounce.ts";

/** A report about mail, written by a machine. Message-IDs include their angle brackets. */
export type Report =
  /** A delivery status notification (RFC 3464, RFC 6533), or a bounce in prose. Unreadable ones have no recipients. */
  | { kind: "delivery"; recipients: DeliveryReport[]; originalMessageId: string | null }
  /**
   * A recipient's opinion on a message (ARF, RFC 5965). `feedbackType` is `abuse`, `fraud`, `virus`, `other` …, or
   * `not-spam`, which is the opposite of a complaint and to be ignored. Often without recipients, because they are
   * redacted (RFC 6590). `returnPath` is the reverse-path of the message complained about, so it may be a signed one.
   */
  | {
      kind: "complaint";
      feedbackType: string;
      recipients: string[];
      originalMessageId: string | null;
      returnPath: string | null;
    }
  /** A read receipt (RFC 8098); `disposition` is `displayed`, `deleted`, `processed` … */
  | { kind: "disposition"; disposition: string; finalRecipient: string | null; originalMessageId: string | null }
  /** An aggregate report on a domain, or one about a message that failed its checks (RFC 7489 7, RFC 6591). */
  | { kind: "dmarc" }
  /** A report on the TLS of a domain's mail (RFC 8460). */
  | { kind: "tls" };

/** Whether a report says what became of a message, or that its reader complained. Others are for people to read. */
export function tellsFate(report: Report): boolean {
  return report.kind === "complaint" || (report.kind === "delivery" && report.recipients.length > 0);
}

export interface ReportOptions {
  /**
   * Whether it came to a signed return path, so it is about our mail. Bounces are then recognised by their text too.
   */
  toReturnPath: boolean;
  /** The message's header, if it has been scanned. */
  block?: WholeHeader | null;
}

/** A status group has about 500 bytes; a notification about 100 recipients fits. */
const STATUS_BYTES_MAX = 256 * 1024;
/** The explanation stands before the copy of the message. */
const PROSE_BYTES_MAX = 64 * 1024;
/** The returned header; its Message-ID comes early in it. */
const ORIGINAL_BYTES_MAX = 64 * 1024;

/**
 * Recognises and reads reports about mail that machines write. Null for an ordinary message, including an automatic
 * reply.
 *
 * People forward bounces and write about them, so the outermost structure decides, never words or attached messages:
 * - a delivery status is multipart/report with that report-type, has such a part right inside it, and comes from a mail
 *   system: by its null reverse-path (RFC 3464 2), Auto-Submitted, or a From such as mailer-daemon@. At a signed return
 *   path a multipart with such a part is enough, since only mail systems write there;
 * - a complaint, a read receipt and a TLS report are multipart/report with that report-type and part, and the fields
 *   that their RFCs require. They come from ordinary reverse-paths, but no mail program lets a person write one.
 *   Outlook.com's older complaints are recognised by their Subject and a field of the attached message;
 * - a DMARC aggregate has a Subject and a file name in the form of RFC 7489 7.2.1.1 that name the same domain;
 * - a bounce in prose is recognised at a return path only, and must come from a mail system.
 *
 * Everything in a report is claimed, not proven. Before it acts on a report that did not come to a signed return path,
 * the caller must find the message and the recipient among its own. Never throws; time is linear in `raw`.
 */
export function readReport(raw: Uint8Array, envelopeFrom: string, options: ReportOptions): Report | null {
  const top = readTop(raw, options.block ?? null);
  // With two Content-Type fields, readers disagree on what the message is.
  if (fieldsNamed(top.header, "content-type").length > 1) return null;
  const { toReturnPath } = options;
  const reportType = top.type === "multipart/report" ? (top.params["report-type"] ?? "").toLowerCase() : "";
  const subject = decodeWords(fieldOf(top.header, "subject")).replace(/\s+/g, " ");

  const aggregateOf = aggregateSubject.exec(subject)?.[1]?.toLowerCase();
  const structured = top.type === "multipart/report" || (toReturnPath && top.type.startsWith("multipart/"));
  const parts = structured || aggregateOf !== undefined ? childrenOf(top) : [];
  const partOf = (pattern: RegExp) => parts.find((part) => pattern.test(part.type)) ?? null;

  const status = partOf(/^message\/(?:global-)?delivery-status$/);
  if (status && (toReturnPath || (/^(?:global-)?delivery-status$/.test(reportType) && bySystem(top, envelopeFrom)))) {
    const report = readDelivery(top, parts, status);
    if (report.recipients.length > 0) return report;
    return (toReturnPath && readBounceProse(top, subject, envelopeFrom)) || report;
  }
  const feedback = partOf(/^message\/feedback-report$/);
  if (feedback && reportType === "feedback-report") return readFeedback(parts, feedback);
  if (top.type === "multipart/mixed" && complaintSubject.test(subject)) {
    const report = readAttachedComplaint(childrenOf(top));
    if (report) return report;
  }
  const disposition = partOf(/^message\/(?:global-)?disposition-notification$/);
  if (disposition && /^(?:global-)?disposition-notification$/.test(reportType))
    return readDisposition(parts, disposition);
  if (isTlsReport(top, parts, reportType)) return { kind: "tls" };
  if (aggregateOf !== undefined && [top, ...parts].some((part) => isAggregate(part, aggregateOf)))
    return { kind: "dmarc" };
  return toReturnPath ? readBounceProse(top, subject, envelopeFrom) : null;
}

/** The names under which mail systems write (RFC 2142 5, RFC 5321 4.5.1, and convention). */
const systemFrom =
  /(?:^|[<\s])(?:mailer[-_.]?daemon|mail-?daemon|postmaster|mdaemon|microsoftexchange[0-9a-f]{32})(?:@[^\s<>@]{0,255})?>?(?:\s{0,9}\([^()]{0,255}\))?$/i;

function bySystem(top: Part, envelopeFrom: string): boolean {
  if (envelopeFrom === "") return true;
  const submitted = fieldOf(top.header, "auto-submitted");
  return (submitted !== "" && !/^no\b/i.test(submitted)) || systemFrom.test(fieldOf(top.header, "from"));
}

function readDelivery(top: Part, parts: Part[], status: Part): Report & { kind: "delivery" } {
  const groups = readGroups(textOf(status, STATUS_BYTES_MAX));
  const recipients = deliveryReports(groups);
  const [only] = recipients;
  // Some systems give the reason only in the text for people. With several recipients, it is unclear whose it is.
  if (only && recipients.length === 1 && only.diagnostic === "") only.diagnostic = diagnosticLine(readable(top));
  const originalMessageId =
    originalOf(parts, status)?.messageId ??
    messageIdIn(valueIn(groups, "x-original-message-id")) ??
    messageIdIn(fieldOf(top.header, "in-reply-to"));
  return { kind: "delivery", recipients, originalMessageId };
}

function readFeedback(parts: Part[], feedback: Part): Report | null {
  const groups = readGroups(textOf(feedback, STATUS_BYTES_MAX));
  const [, feedbackType] = /^([\w-]{1,40})/.exec(valueIn(groups, "feedback-type").toLowerCase()) ?? [];
  // RFC 5965 3.1 requires both User-Agent and Version; some reporters leave one out.
  if (!feedbackType || !(valueIn(groups, "user-agent") || valueIn(groups, "version"))) return null;
  if (feedbackType === "auth-failure" || feedbackType === "dmarc") return { kind: "dmarc" };

  const original = originalOf(parts, feedback);
  const named = [
    ...valuesIn(groups, "original-rcpt-to"),
    ...valuesIn(groups, "removal-recipient"),
    // Outlook.com hides the recipient everywhere else.
    ...(original?.recipient ? [original.recipient] : []),
  ];
  const recipients = named
    .slice(0, COMPLAINT_RECIPIENTS_MAX)
    .map(typedAddress)
    .filter((address) => address !== null && !/^(?:redacted|undisclosed|hidden|[x*]+)\b/.test(address)) as string[];
  return {
    kind: "complaint",
    feedbackType,
    recipients: [...new Set(recipients)],
    originalMessageId: original?.messageId ?? null,
    returnPath: plainAddress(valueIn(groups, "original-mail-from")) ?? original?.returnPath ?? null,
  };
}

/** Outlook.com's complaints before ARF: only the message, with a field that no other message has. */
const complaintSubject = /^complaint about message from /i;

function readAttachedComplaint(parts: Part[]): Report | null {
  const original = originalOf(parts, null);
  if (!original?.recipient) return null;
  const recipient = plainAddress(original.recipient);
  const { messageId: originalMessageId, returnPath } = original;
  return {
    kind: "complaint",
    feedbackType: "abuse",
    recipients: recipient === null ? [] : [recipient],
    originalMessageId,
    returnPath,
  };
}

/** A complaint is about one copy of a message; a list of addresses is not about ours. */
const COMPLAINT_RECIPIENTS_MAX = 50;

function readDisposition(parts: Part[], notification: Part): Report | null {
  const groups = readGroups(textOf(notification, STATUS_BYTES_MAX));
  const [, disposition] = /;\s*([\w-]{1,40})/.exec(valueIn(groups, "disposition")) ?? [];
  if (!disposition || !valueIn(groups, "final-recipient")) return null;
  return {
    kind: "disposition",
    disposition: disposition.toLowerCase(),
    finalRecipient: typedAddress(valueIn(groups, "final-recipient")),
    originalMessageId:
      messageIdIn(valueIn(groups, "original-message-id")) ?? originalOf(parts, notification)?.messageId ?? null,
  };
}

/** RFC 8460 5.3: multipart/report with the part, or the part alone under the field that names the domain. */
function isTlsReport(top: Part, parts: Part[], reportType: string): boolean {
  const isReport = (part: Part) => /^application\/tlsrpt\+(?:gzip|json)$/.test(part.type);
  if (reportType === "tlsrpt") return parts.some(isReport);
  return fieldOf(top.header, "tls-report-domain") !== "" && [top, ...parts].some(isReport);
}

/** `Report Domain: <domain> Submitter: …`, with what some senders put before it; a reply or forward has other beginnings. */
const aggregateSubject =
  /^(?:\[[^\][]{1,40}\] ?)?(?:dmarc )?(?:aggregate )?report domain: ?[<{"]?([\w.-]{1,253})[>}"]?;? .{0,40}submitter:/i;
/** receiver "!" domain "!" begin "!" end [ "!" id ] "." extension (RFC 7489 7.2.1.1). */
const aggregateFile = /^[^!\s]{1,253}!([^!\s]{1,253})!\d{5,12}!\d{5,12}(?:![^!]{1,200})?\.(?:xml|xml\.gz|gz|zip)$/i;

function isAggregate(part: Part, domain: string): boolean {
  return aggregateFile.exec(fileNameOf(part))?.[1]?.toLowerCase() === domain;
}

/** Automatic replies come to return paths as well: a postmaster may be on holiday. */
const answerSubject = /^(?:auto(?:matic)?[- ]?(?:reply|response|answer)|out of (?:the )?office|vacation|abwesenheit)/i;
const bounceSubject =
  /undeliver|failure notice|delivery (?:status|fail|problem|notification|report|delayed)|mail delivery|returned mail|mail system error|delayed mail|could not be delivered/i;

/** Programs that let mail through only when its sender has confirmed it. */
const challengeSubject =
  /(?:sender|your|e-?mail|message|address)\b.{0,40}\b(?:verif(?:y|ication)|confirm(?:ation)?|authenticat(?:e|ion))\b|(?:verify|confirm|authenticate) your\b|\b(?:please|action required|must) (?:verify|confirm)\b|\bwaiting for (?:your )?confirmation|challenge[- ]response|\bboxbe\b/i;

/** Whether a subject is of the kind that programs give their answers: vacation notices and requests to confirm. */
export function isAutomaticSubject(subject: string): boolean {
  return answerSubject.test(subject) || isAnswerSubject(subject) || challengeSubject.test(subject);
}

function readBounceProse(top: Part, subject: string, envelopeFrom: string): Report | null {
  const failed = fieldOf(top.header, "x-failed-recipients");
  if (answerSubject.test(subject) || isAnswerSubject(subject)) return null;
  const text = readable(top);
  const bySubject = bounceSubject.test(subject) || announcesFailure(subject) || saysDelayed(subject);
  const bySystem = systemFrom.test(fieldOf(top.header, "from"));
  // Systems with a name of their own give the code; vacation programs have none.
  const isBounce = failed !== "" || bySystem || (envelopeFrom === "" && (bySubject || quotesRefusal(text)));
  if (!isBounce) return null;

  const prose = readProse(
    subject,
    text,
    failed.split(",").flatMap((address) => plainAddress(address) ?? []),
  );
  if (!prose) return null;
  const { action, explanation } = prose;
  const recipients = prose.recipients.flatMap(({ address, diagnostic, status }): DeliveryReport[] => {
    const finalRecipient = plainAddress(address);
    if (finalRecipient === null) return [];
    const told = diagnosticLine(diagnostic || explanation);
    // With several recipients, it is unclear whose status the explanation has.
    const said = status ?? (diagnostic === "" && prose.recipients.length === 1 ? statusIn(explanation) : null);
    return [{ finalRecipient, originalRecipient: null, action, status: said, diagnostic: told }];
  });
  if (recipients.length === 0) {
    const [status, diagnostic] = [statusIn(explanation), diagnosticLine(explanation)];
    recipients.push({ finalRecipient: null, originalRecipient: null, action, status, diagnostic });
  }
  const originalMessageId = originalOf(childrenOf(top), null)?.messageId ?? prose.originalMessageId;
  return { kind: "delivery", recipients, originalMessageId };
}

/** The report's text for people, as plain text. */
function readable(top: Part): string {
  const part = readableOf(top);
  if (!part) return "";
  const text = textOf(part, PROSE_BYTES_MAX);
  return part.type === "text/html" ? htmlToText(text) : text;
}

/** Fields of the returned message, or of its returned header, which follows the machine-readable part. */
function originalOf(parts: Part[], behind: Part | null) {
  const returned = parts
    .slice(behind ? parts.indexOf(behind) + 1 : 0)
    .find((part) => /^(?:message\/(?:rfc822|global|global-headers|partial)|text\/rfc822-headers?)$/.test(part.type));
  if (!returned) return null;
  const header = scanHeaders(contentOf(returned, ORIGINAL_BYTES_MAX), { bytesMax: ORIGINAL_BYTES_MAX, fieldsMax: 500 });
  return {
    messageId: messageIdIn(fieldOf(header, "message-id")),
    returnPath: plainAddress(fieldOf(header, "return-path")),
    recipient: fieldOf(header, "x-hmxmroriginalrecipient"),
  };
}

/** RFC 5322 2.1.1: an id does not fold, so it is no longer than a line. */
function messageIdIn(text: string): string | null {
  return /<[^<>\s\x00-\x1f\x7f-\x9f]{1,996}>/.exec(text)?.[0] ?? null;
}

/** RFC 2047. Broken encoded words stay as they are. */
function decodeWords(text: string): string {
  if (!text.includes("=?")) return text;
  try {
    return libmime.decodeWords(text);
  } catch {
    return text;
  }
}
