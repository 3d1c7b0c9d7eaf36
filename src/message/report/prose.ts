import { cleanLine } from "../text/clean.ts";
import { statusIn } from "./hard-bounce.ts";

/** A bounce in prose: which recipients were not reached and why, as far as the text says. */
export interface ProseBounce {
  action: "failed" | "delayed";
  recipients: { address: string; diagnostic: string; status: string | null }[];
  /** The whole explanation, on one line. */
  explanation: string;
  /** Message-ID of the returned copy, if one is quoted. */
  originalMessageId: string | null;
}

/** A message has at most 50 recipients. */
const RECIPIENTS_MAX = 100;
const LINES_MAX = 2_000;
const LINE_CHARS_MAX = 1_000;

/** Sentences by which mail systems say that mail did not arrive. The recipients follow. */
const failure = new RegExp(
  [
    // qmail and others that use its format (QSBMF), Yahoo
    /wasn't able to deliver your message|(?:were|was) unable to deliver your message/,
    // Exim, GMX, 1&1, Zoho; Postfix; sendmail
    /could not be delivered to|following address(?:\(es\)|es)? (?:have |has )?failed|had permanent fatal errors/,
    // Exchange 5.5, 2000 and 2003; newer ones
    /did not reach the following recipient|delivery to the following recipients? failed|delivery has failed to these recipients/,
    // Domino; Gmail; others
    /was not delivered to|wasn't delivered to|could ?n[o']t be delivered|not be delivered to (?:the|one)|undeliverable/,
    /delivery to the following (?:recipient|address)\w* (?:has )?failed|error occurred while trying to deliver|unable to deliver/,
    /(?:returned to sender|delivery (?:failure|failed))|message you sent .{0,40}not delivered/,
  ]
    .map((pattern) => pattern.source)
    .join("|"),
  "i",
);

/** Sentences that say mail has not arrived yet. They override `failure`, because they also say what may come. */
const delay =
  /has not (?:yet )?been delivered|not yet been delivered|(?:been|is|was) delayed|delivery delayed|warning message only|do not need to resend|will (?:be retried|continue to (?:try|attempt)|keep trying|retry)|still being retried/i;

/** Where the returned message, or its header, begins. */
const copyBegins =
  /^(?:received: |return-path: |x-received: |original message(?: headers?| follows?)?:?|(?:the )?(?:original )?message (?:header )?follows:?|the header of the original message)/i;
const copyAnnounced =
  /copy of (?:the|your) message|original (?:message|header)|header of the original|message header|returned message|below this line|undelivered message/i;

function beginsCopy(line: string): boolean {
  return copyBegins.test(line) || (line.startsWith("--") && copyAnnounced.test(line));
}

/** An address that begins a line: alone, in quotes or brackets, with its link, or before the reason. */
const leadingAddress =
  /^(?:[\t ]{0,8}|> ?)(?:rcpt to:|to:)?\s?["<(']{0,2}([^\s"<>(),:;'@\\]{1,64}@[\w\x80-\uffff.-]{1,253}?)\.?[">)']{0,2}(?:<mailto:[^<>]{1,320}>)?(?:[:;,.]?$|[:;,]?\s)/i;

/**
 * Reads a bounce that is not in the form of RFC 3464, such as those of qmail (QSBMF), older Exim and Exchange, Domino,
 * Yahoo and Zoho. `failed` are the addresses in X-Failed-Recipients. Null if there are none, and the text has none of
 * the sentences that mail systems use. Only for mail that came to a return path: people who write about a bounce use
 * the same words.
 */
export function readProse(subject: string, text: string, failed: readonly string[]): ProseBounce | null {
  const lines = text.split("\n", LINES_MAX).map((line) => line.slice(0, LINE_CHARS_MAX).trimEnd());
  const copyAt = lines.findIndex(beginsCopy);
  const said = copyAt < 0 ? lines : lines.slice(0, copyAt);
  const explanation = cleanLine(said.join(" "));
  const delayed = delay.test(subject) || delay.test(explanation);
  const announced = failure.test(subject) || failure.test(explanation);
  if (!delayed && !announced && failed.length === 0) return null;

  return {
    action: delayed ? "delayed" : "failed",
    recipients: named(said, failed),
    explanation,
    originalMessageId: copyAt < 0 ? null : quotedMessageId(lines.slice(copyAt)),
  };
}

/** The addresses after the sentence that announces them, each with the lines up to the next one. */
function named(said: string[], failed: readonly string[]): ProseBounce["recipients"] {
  // A sentence may be broken over two lines. The lines before it are fields of the returned message.
  const announcedAt = said.findIndex((line, i) => failure.test(`${line} ${said[i + 1] ?? ""}`) || delay.test(line));
  const found = new Map<string, string[]>();
  let reasons: string[] | null = null;
  for (const line of said.slice(Math.max(0, announcedAt))) {
    const [lead = "", word] = leadingAddress.exec(line) ?? [];
    const address = word?.toLowerCase();
    if (address !== undefined && (found.has(address) || found.size < RECIPIENTS_MAX)) {
      reasons = found.get(address) ?? [];
      found.set(address, reasons);
      reasons.push(line.slice(lead.length));
    } else reasons?.push(line);
  }
  for (const address of failed) if (!found.has(address) && found.size < RECIPIENTS_MAX) found.set(address, []);
  return [...found].map(([address, reason]) => {
    const diagnostic = cleanLine(reason.join(" "));
    return { address, diagnostic, status: statusIn(diagnostic) };
  });
}

function quotedMessageId(copy: string[]): string | null {
  for (const [i, line] of copy.entries()) {
    const [, id] = /^message-id:\s*(<[^<>\s]+>)?/i.exec(`${line}${line.endsWith(":") ? copy[i + 1] : ""}`) ?? [];
    if (id) return id;
  }
  return null;
}
