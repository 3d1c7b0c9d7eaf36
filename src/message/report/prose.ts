import { cleanLine, withoutEnds } from "../text/clean.ts";
import { isOriginalSeparator } from "../text/separators.ts";
import { saysDelayed, saysFailed } from "./bounce-words.ts";
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
  return copyBegins.test(line) || (line.startsWith("--") && (copyAnnounced.test(line) || isOriginalSeparator(line)));
}

/** A reply code or status of a permanent failure (RFC 5321 4.2.1, RFC 3463 2). */
const permanent = /(?<![\w.:/-])5(?:[0-5]\d(?![\w.:])|\.\d{1,3}\.\d{1,3}(?!\.?\w))/;

/** Whether a text says, in any language known here, that mail did not arrive. */
export function announcesFailure(text: string): boolean {
  return failure.test(text) || saysFailed(text);
}

/** Whether a text says so, and why in the words of a server: a code such as `550` or `5.1.1`. */
export function quotesRefusal(text: string): boolean {
  return permanent.test(text) && announcesFailure(text);
}

function announcesDelay(text: string): boolean {
  return delay.test(text) || saysDelayed(text);
}

/** An address that begins a line: alone, in quotes or brackets, with its link, or before the reason. */
const leadingAddress =
  /^(?:[\t ]{0,8}|> ?)(?:rcpt to:|to:)?\s?["<(']{0,2}([^\s"<>(),:;'@\\\u3001-\u3011\uff08-\uff1b]{1,64}@[\w\x80-\u2fff\u3040-\ufeff.-]{1,253}?)\.?[">)']{0,2}(?:<mailto:[^<>]{1,320}>)?(?:[:;,.]?$|[:;,]?\s)/i;

/**
 * Reads a bounce that is not in the form of RFC 3464, such as those of qmail (QSBMF), older Exim and Exchange, Domino,
 * Yahoo and Zoho, and those of providers in some thirty languages. `failed` are the addresses in X-Failed-Recipients.
 * Null if there are none, and the text has none of the sentences that mail systems use. Only for mail that came to a
 * return path: people who write about a bounce use the same words.
 */
export function readProse(subject: string, text: string, failed: readonly string[]): ProseBounce | null {
  const lines = text.split("\n", LINES_MAX).map((line) => line.slice(0, LINE_CHARS_MAX).trimEnd());
  const copyAt = lines.findIndex(beginsCopy);
  const said = copyAt < 0 ? lines : lines.slice(0, copyAt);
  const explanation = cleanLine(said.join(" "));
  // What is said in other languages is known less well: a permanent failure overrides it.
  const isDelayedAbroad = !permanent.test(explanation) && saysDelayed(`${subject}\n${explanation}`);
  const delayed = delay.test(subject) || delay.test(explanation) || isDelayedAbroad;
  const announced = announcesFailure(subject) || announcesFailure(explanation);
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
  const announcedAt = said.findIndex(
    (line, i) => announcesFailure(`${line} ${said[i + 1] ?? ""}`) || announcesDelay(line),
  );
  const found = new Map<string, string[]>();
  let reasons: string[] | null = null;
  for (const line of said.slice(Math.max(0, announcedAt))) {
    const [lead = "", word] = leadingAddress.exec(withoutLabel(line)) ?? [];
    const address = word?.toLowerCase();
    if (address !== undefined && (found.has(address) || found.size < RECIPIENTS_MAX)) {
      reasons = found.get(address) ?? [];
      found.set(address, reasons);
      reasons.push(withoutLabel(line).slice(lead.length));
    } else reasons?.push(line);
  }
  const only = found.size === 0 && failed.length === 0 ? onlyAddress(said) : null;
  if (only) found.set(only, []);
  for (const address of failed) if (!found.has(address) && found.size < RECIPIENTS_MAX) found.set(address, []);
  return [...found].map(([address, reason]) => {
    const diagnostic = cleanLine(reason.join(" "));
    return { address, diagnostic, status: statusIn(diagnostic) };
  });
}

/** What mail systems put before a recipient, in lower case. */
const labels = new Set([
  ...[
    "to",
    "rcpt to",
    "recipient",
    "recipients",
    "original recipient",
    "final recipient",
    "failed recipient",
    "address",
  ],
  ...["an", "empfänger", "adresse", "aan", "ontvanger", "à", "destinataire", "destinataires", "para", "destinatario"],
  ...["destinatário", "destinatari", "a", "til", "till", "mottagare", "modtager", "mottaker", "vastaanottaja", "do"],
  ...["odbiorca", "adresat", "komu", "příjemce", "príjemca", "címzett", "destinatar", "кому", "получатель", "адресат"],
  ...["одержувач", "προς", "παραλήπτης", "alıcı", "kime", "收件人", "收件者", "收信人", "宛先", "受信者", "받는 사람"],
  ...["수신자", "받는사람", "người nhận", "đến", "kepada", "penerima", "ผู้รับ", "אל", "נמען", "المستلم", "إلى"],
]);
const LABEL_CHARS_MAX = 40;

/** The line without a label such as `Empfänger:` before the recipient. */
function withoutLabel(line: string): string {
  const colon = line.slice(0, LABEL_CHARS_MAX).search(/[:：]/);
  if (colon < 0 || !labels.has(line.slice(0, colon).trim().toLowerCase())) return line;
  return line.slice(colon + 1).trimStart();
}

/** What stands between words, and in no plain address. */
const notInAddress = /[^\w.+%=@-]+/;
const bareAddress = /^[^@]{1,64}@[^@.]{1,63}\.[^@]{1,189}$/;
/** Addresses of mail systems, which explanations name too. */
const systemAddress = /^(?:bounce[+-]|mailer-?daemon@|postmaster@|abuse@|support@|help(?:desk)?@)/;
/** The explanation stands at the beginning. */
const SENTENCES_CHARS_MAX = 20_000;

/** The one address that a text names, in lower case; null if it names none, or several. */
function onlyAddress(said: string[]): string | null {
  const words = said.join("\n").slice(0, SENTENCES_CHARS_MAX).split(notInAddress);
  const named = new Set(
    words.map((word) => withoutEnds(word.toLowerCase(), ".-")).filter((word) => bareAddress.test(word)),
  );
  const others = [...named].filter((one) => !systemAddress.test(one));
  return others.length === 1 ? (others[0] as string) : null;
}

function quotedMessageId(copy: string[]): string | null {
  for (const [i, line] of copy.entries()) {
    const [, id] = /^message-id:\s*(<[^<>\s]+>)?/i.exec(`${line}${line.endsWith(":") ? copy[i + 1] : ""}`) ?? [];
    if (id) return id;
  }
  return null;
}
