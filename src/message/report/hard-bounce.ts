/** SMTP replies are shorter, and our diagnostics have at most 500 characters. */
const TEXT_CHARS_MAX = 1_000;

/**
 * Statuses that mean that the recipient does not exist, or permanently takes no mail (RFC 3463 3.2 and 3.3, RFC 7505
 * 4.2). 5.1.7 and 5.1.8 are about the sender and 5.1.4 means an ambiguous address, so they are not here.
 */
const hardStatuses = new Set(["5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10", "5.2.1"]);

/** Statuses that servers use for all kinds of refusals, including an unknown recipient. The text decides. */
const vagueStatus = /^5\.(?:0\.\d+|1\.0|2\.0|3\.0|4\.[14]|5\.0|7\.\d+)$/;

/** Reasons that are temporary, or that another message would not meet. They override everything else. */
const otherReasons = new RegExp(
  [
    /(?:mailbox|inbox|account|storage|quota|disk)\b.{0,40}\b(?:full|exceed\w*|over)\b/,
    /over ?quota|exceed\w*.{0,30}\bquota|out of storage|insufficient .{0,20}(?:storage|space)|not enough .{0,20}space/,
    /gr[ae]y-?\s?list|(?:try|send|retry)\b.{0,20} later|not found, try again|temporar|deferred|rate.?limit|too (?:many|quickly|large|big|fast)|at a rate/,
    /\bspam\b|spamhaus|unsolicited|junk|virus|malware|phish|\b[bd]n?sbl\b|(?:black|block|deny)-?\s?list|\bblocked\b/,
    /reputation|\bspf\b|\bdkim\b|\bdmarc\b|authenticat|\bcontent\b|(?:local|security|administrative|site) policy|policy (?:violation|reasons?)/,
    /relay(?:ing)? (?:access )?(?:denied|not|prohibited)|(?:unable|not permitted|not allowed) to relay|does not relay/,
    /\bsender\b.{0,40}(?:reject|verif|unknown|denied|invalid|not exist|not found)|bad sender|size limit|message size/,
  ]
    .map((pattern) => pattern.source)
    .join("|"),
  "i",
);

/** Words for unknown recipients. `<>` stands for any address. */
const unknownRecipient = new RegExp(
  [
    /(?:user|recipient|mailbox|address|account|alias|local[ -]part) (?:<> )?(?:is )?(?:unknown|not known|not found|invalid$)/,
    /(?:unknown|no such|non-?existent|invalid|bad) (?:or illegal )?(?:virtual )?(?:user|recipient|mailbox|e-?mail address|address|alias|account|person|local[ -]part)\b/,
    /(?:user|recipient|mailbox|address|account|alias|person)\b[^.;]{0,60}\b(?:does not|does ?n'?t|doesn’t|did not|didn't) exist/,
    /(?:user|recipient|mailbox|address|account)\b[^.;]{0,40}\b(?:could ?n[o']t be|could not be|couldn’t be|cannot be|was not|wasn't) found/,
    /(?:user|recipient|mailbox|address|account)\b[^.;]{0,40}\b(?:is|has been|was) (?:permanently )?(?:disabled|deactivated|inactive|closed|deleted|not active)/,
    /<> (?:is )?(?:not found|unknown)|address not found|no mailbox (?:here )?by that name|(?:recipient name|recipient) is not recognized/,
    /is not a (?:valid|known) (?:user|mailbox|recipient|address)|not a valid (?:user|mailbox|recipient)|unrouteable address/,
    /does(?:n['’]t| not) have an? \S+ account|not listed in (?:the )?(?:domino|public|name|address) |there is no one at this address/,
    /resolver\.adr\.(?:exrecipnotfound|recip(?:ient)?notfound)|this address no longer accepts mail/,
  ]
    .map((pattern) => pattern.source)
    .join("|"),
  "i",
);

const unknownDomain = /(?:domain|host)(?: or domain)?(?: name)? (?:not found|does(?:n't| not) exist|unknown)|nxdomain/i;

/**
 * Whether a refusal says that the recipient does not exist or permanently takes no mail, so that writing again is
 * useless.
 *
 * `status` is the enhanced code (RFC 3463) if it is known, `diagnostic` the reply or report. For a direct reply, such
 * as `550 5.1.1 <x>: Recipient address rejected: User unknown`, `status` is null. A code in the text overrides
 * `status`, because it is closer to the server that refused. In doubt the answer is false: a false alarm cuts an agent
 * off from a living correspondent, while a missed one costs one more bounce. "Mailbox unavailable" alone is doubtful:
 * RFC 5321 4.2.3 gives the words to policy refusals too.
 */
export function isHardBounce(report: { status: string | null; diagnostic: string }): boolean {
  const reply = report.diagnostic.slice(0, TEXT_CHARS_MAX);
  const [, basic = "", enhanced = null] = replyCode.exec(reply) ?? [];
  const named = enhanced ?? statusIn(reply);
  const status = named !== null && !/^\d\.0\.0$/.test(named) ? named : (report.status ?? named);
  if (basic.startsWith("4") || [report.status, status].some((code) => code !== null && !code.startsWith("5")))
    return false;

  const text = plainWords(reply);
  if (otherReasons.test(text)) return false;
  if (status === null) return unknownRecipient.test(text);
  if (hardStatuses.has(status)) return true;
  if (!vagueStatus.test(status)) return false;
  if (unknownRecipient.test(text)) return true;
  switch (status) {
    // Exchange Online says this for recipients outside its directory; Postfix says it for policies, with 5.7.1.
    case "5.4.1":
      return /recipient address rejected: access denied/i.test(text);
    // Postfix uses this if the recipient's domain does not exist.
    case "5.4.4":
      return unknownDomain.test(text);
    // Outlook.com says this, with this status, for mailboxes that do not exist or were given up.
    case "5.5.0":
      return /mailbox unavailable/i.test(text);
    default:
      return false;
  }
}

/** A basic code, and the enhanced code after it (RFC 2034 4). */
const replyCode = /(?<![\w.:])([45]\d\d)(?:[- ]+#?([245]\.\d{1,3}\.\d{1,3})(?![\d.]*\d))?(?=[- :]|$)/;

/** The first enhanced status code in a text, or null. Numbers with four parts are IP addresses. */
export function statusIn(text: string): string | null {
  return /(?<![\w.])([245]\.\d{1,3}\.\d{1,3})(?!\.?\w)/.exec(text)?.[1] ?? null;
}

/** The reply without text that may hold misleading words: addresses, links, and the codes that begin each line. */
function plainWords(reply: string): string {
  return reply
    .split(/\s+/)
    .map((word) => (/.@./.test(word) ? "<>" : word))
    .filter(
      (word) =>
        !/^[<(]?https?:/i.test(word) && !/^(?:[245]\d\d(?:-#?[245]\.\d+\.\d+|-)?|#?[245]\.\d+\.\d+)$/.test(word),
    )
    .join(" ")
    .slice(0, TEXT_CHARS_MAX);
}
