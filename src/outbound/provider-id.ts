/** Replies are one line of at most 500 characters; ids have fewer than 200. */
const REPLY_CHARS_MAX = 1_000;

/**
 * Where servers put their id for a message in the reply to its final dot. Earlier forms count first.
 */
const forms = [
  // A whole Message-ID. Exchange Online: "250 2.0.0 OK <id@….prod.outlook.com> [Hostname=…]"; Brevo: "queued as <id@…>".
  // Elsewhere it may be an address: "250 2.1.5 <return path> accepted", "[BounceId=<id@…>]".
  /(?:^250(?: 2\.[06]\.0)?|\b(?:ok|as|id)[:=]?) {0,2}<([^<>@\s]{1,200}@[^<>@\s]{1,200})>/gi,
  // Exchange echoes the Message-ID that it got, and has a number of its own
  /\bInternalId=(\d{4,40})\b/gi,
  // Postfix, Postmark, Mailgun, SendGrid, Mailjet, Mandrill, Brevo; Yandex says "queued on HOST as ID"
  /\bqueued (?:on \S{1,255} )?as:? <?([\w.+=-]{4,200})/gi,
  // Haraka: "Message Queued (ID)"; Stalwart: "Message queued with id ID"
  /\bqueued (?:\(|with id )([\w.+=-]{4,200})/gi,
  // Exim: "OK id=ID", and others
  /(?:^|\s)(?:message-?)?id[=:] ?<?([\w.+=-]{4,200})/gi,
  // Gmail: "250 2.0.0 OK  TIME ID - gsmtp"
  /\s([\w.-]{8,200}) - gsmtp\b/gi,
  // Sendmail and OpenSMTPD: "250 2.0.0 ID Message accepted for delivery"
  /^250 2\.\d\.\d ([\w.-]{4,200}) Message accepted/gi,
  // Amazon SES: "250 Ok ID"; SparkPost: "250 2.0.0 OK 12/34-56789-ABCDEF"; Campaign Monitor: "OK:ID"
  /^250(?: 2\.\d\.\d)? ok:? {0,2}<?([\w./+=-]{5,200})>?$/gi,
];

/**
 * The upstream's id for a message, from its reply to the final dot: a Message-ID without brackets, or the name of a
 * place in its queue. Null if the reply has none. `known` has what a reply may repeat and is no news: the Message-ID with
 * its brackets, and the addresses of the envelope.
 */
export function providerIdOf(
  reply: string | null,
  known: { messageId: string; recipient: string; sender?: string },
): string | null {
  if (!reply?.startsWith("2")) return null;
  const text = reply.slice(0, REPLY_CHARS_MAX).trim();
  const addresses = [known.messageId.slice(1, -1), known.recipient, known.sender ?? ""].map((one) => one.toLowerCase());
  // Most forms stop at the "@".
  const old = addresses.flatMap((one) => [one, one.slice(0, one.lastIndexOf("@"))]);
  for (const form of forms)
    for (const [, found = ""] of text.matchAll(form)) {
      const id = found.replace(/\.$/, "");
      // A word is not an id: "queued as requested".
      if (/\d/.test(id) && !old.includes(id.toLowerCase())) return id;
    }
  return null;
}

/** Amazon SES, by the host to which mail is submitted, and its region. */
const sesHost = /^(?:[\w-]{1,63}\.){0,2}?email-smtp(?:-fips)?\.([a-z]{2}(?:-[a-z]{1,20}){1,3}-\d{1,2})\./i;
/** The region whose Message-IDs do not name it. */
const sesFirstRegion = "us-east-1";

/**
 * The Message-ID that a message has at its recipients, with brackets, if the upstream at `host` replaced ours and its id
 * says by what; null if it did not, or if that is not known.
 */
export function renamedMessageId(providerId: string | null, host: string | null): string | null {
  if (providerId === null) return null;
  if (providerId.includes("@")) return `<${providerId}>`;
  const region = sesHost.exec(host ?? "")?.[1]?.toLowerCase();
  if (region === undefined) return null;
  return `<${providerId}@${region === sesFirstRegion ? "email" : region}.amazonses.com>`;
}
