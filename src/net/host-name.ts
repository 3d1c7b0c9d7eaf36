/** Host and domain names: the only place that decides what is one, and which two belong to one organization. */
import { domainToASCII, domainToUnicode } from "node:url";
import { getDomain } from "tldts";

declare const checked: unique symbol;

/**
 * A name that can be looked up in DNS and compared: at least two labels of lower-case letters, digits and hyphens,
 * without the root dot; the last label is not a number (RFC 1123 2.1, RFC 5890 2.3.1). Only `hostName` makes one.
 */
export type HostName = string & { readonly [checked]: true };

/** The limit of RFC 1035 2.3.4, without the root. */
const NAME_CHARS_MAX = 253;
const label = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;
/** URL parsers and some resolvers read such a last label as part of an IPv4 address. */
const numericLabel = /^(?:\d+|0x[0-9a-f]*)$/;

/**
 * The checked name, or null if the text is not a host name. ASCII is only lower-cased. A U-label becomes an A-label
 * only if it is already in the form that the A-label decodes to (RFC 5891 4.4). Text that needs a mapping first, such
 * as full-width letters, soft hyphens or other dots, is rejected: programs read it as different names.
 */
export function hostName(text: string): HostName | null {
  if (text.length > NAME_CHARS_MAX) return null;
  const name = asciiLabels(text);
  const labels = name.split(".");
  const valid = name.length <= NAME_CHARS_MAX && labels.length > 1 && labels.every((part) => label.test(part));
  return valid && !numericLabel.test(labels.at(-1) ?? "") ? (name as HostName) : null;
}

/** Each label lower-cased and as an A-label, as `hostName` reads it, or empty if it has none. Checks nothing else. */
export function asciiLabels(text: string): string {
  return text.split(".").map(aLabel).join(".");
}

/** The A-label of one label; "" unless it decodes to this text exactly, apart from case and NFC. */
function aLabel(text: string): string {
  if (isAscii(text)) return text.toLowerCase();
  const plain = text.normalize("NFC").toLowerCase();
  const ascii = domainToASCII(plain);
  // NFC can make the text ASCII: it turns the Kelvin sign into "k".
  return !isAscii(plain) && domainToUnicode(ascii) === plain ? ascii : "";
}

/**
 * Whether two domains belong to one organization by the Public Suffix List, private suffixes included:
 * `a.example.com` and `example.com` do, `alice.github.io` and `github.io` do not.
 */
export function sameOrganization(a: HostName, b: HostName): boolean {
  return a === b || organization(a) === organization(b);
}

/** The registrable domain; a public suffix stands for itself. tldts must not parse the name as a URL. */
function organization(name: HostName): string {
  return getDomain(name, { allowPrivateDomains: true, extractHostname: false }) ?? name;
}

const addressDomain = /^(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;

/**
 * The canonical domain of an address, for storing and showing: lower-case A-labels without the root dot, or null.
 * More lenient than `hostName` (underscores, one label, a number at the end), so it proves nothing.
 */
export function asciiDomain(domain: string): string | null {
  // Mapping takes time quadratic in the number of labels.
  if (domain.length > NAME_CHARS_MAX + 1) return null;
  const ascii = asciiLabels(domain.replace(/\.$/, ""));
  return ascii.length <= NAME_CHARS_MAX && addressDomain.test(ascii) ? ascii : null;
}

/** The same for a domain that a user types, with full-width letters and ideographic dots mapped (UTS 46). */
export function typedDomain(domain: string): string | null {
  if (domain.length > NAME_CHARS_MAX + 1) return null;
  return asciiDomain(isAscii(domain) ? domain : domainToASCII(domain));
}

function isAscii(text: string): boolean {
  return !/[^\x00-\x7f]/.test(text);
}
