/** Domains of Message-IDs that upstreams make of an id in their replies; also their subdomains. */
const providerDomains = [
  ...["amazonses.com", "mtasv.net", "mailgun.org", "sendgrid.net", "sendgrid.com", "mailjet.com", "sparkpostmail.com"],
  ...["mailin.fr", "sendinblue.com", "brevo.com", "mandrillapp.com", "prod.outlook.com"],
];
/** Shorter names in queues occur in other mail by chance. */
const BARE_CHARS_MIN = 8;
/** Letters and digits that hold more than 100 bits, beside those that tell the time or the host. */
const UNGUESSABLE_CHARS = 32;

/**
 * What a recipient's `providerMessageId` is if its message was sent under this Message-ID (with brackets): the id
 * without brackets, or what stands before its "@", since most upstreams reply with that alone.
 */
export function providerKeys(messageId: string): string[] {
  const whole = messageId.slice(1, -1);
  const at = whole.lastIndexOf("@");
  const [local, domain] = [whole.slice(0, at), whole.slice(at + 1).toLowerCase()];
  if (at <= 0) return [];
  const isProviders = providerDomains.some((one) => domain === one || domain.endsWith(`.${one}`));
  const isBare = isUnguessable(local) || (isProviders && local.length >= BARE_CHARS_MIN);
  return isBare ? [whole, local] : [whole];
}

const uuid = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/i;

/**
 * Whether nobody finds the id by trying: it has a UUID, as with Amazon SES, Postmark and Mailjet, or many letters and
 * digits, as with Exchange Online. Times and counters, as with Brevo, and names in queues do not.
 */
export function isUnguessable(id: string): boolean {
  const local = id.slice(0, id.includes("@") ? id.lastIndexOf("@") : undefined);
  if (uuid.test(local)) return true;
  return /[a-z]/i.test(local) && local.replace(/[^a-z\d]/gi, "").length >= UNGUESSABLE_CHARS;
}
