/** Names of hosts and domains: the one place that decides what such a name is, and which two belong together. */
import { domainToASCII, domainToUnicode } from "node:url";
import { getDomain } from "tldts";

declare const checked: unique symbol;

/**
 * A name that DNS can be asked for and that may be compared: at least two labels of lower-case letters, digits and
 * hyphens, without the root dot, the last label not a number (RFC 1123 2.1, RFC 5890 2.3.1). Only `hostName` makes one.
 */
export type HostName = string & { readonly [checked]: true };

/** RFC 1035 2.3.4, less the root. */
const NAME_CHARS_MAX = 253;
const label = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;
/** What URL parsers and some resolvers take for the end of an IPv4 address. */
const numericLabel = /^(?:\d+|0x[0-9a-f]*)$/;

/**
 * The checked name, or null when the text is no host name. ASCII is only lower-cased. U-labels become A-labels when they
 * are in the form that these stand for (RFC 5891 4.4): text that a mapping would first turn into another name, such as
 * full-width letters, soft hyphens or other dots, is read as different names by different programs.
 */
export function hostName(text: string): HostName | null {
  if (text.length > NAME_CHARS_MAX) return null;
  const name = asciiLabels(text);
  const labels = name.split(".");
  const valid = name.length <= NAME_CHARS_MAX && labels.length > 1 && labels.every((part) => label.test(part));
  return valid && !numericLabel.test(labels.at(-1) ?? "") ? (name as HostName) : null;
}

/** Each label lower-cased and as an A-label, as `hostName` reads it; empty where there is none. Checks nothing else. */
export function asciiLabels(text: string): string {
  return text.split(".").map(aLabel).join(".");
}

/** The A-label of one label; "" when the label has none that stands for exactly this text, but for case and NFC. */
function aLabel(text: string): string {
  if (isAscii(text)) return text.toLowerCase();
  const plain = text.normalize("NFC").toLowerCase();
  const ascii = domainToASCII(plain);
  // The Kelvin sign is a "k" in NFC already.
  return !isAscii(plain) && domainToUnicode(ascii) === plain ? ascii : "";
}

/**
 * Two domains of one organization by the Public Suffix List, private suffixes included: `a.example.com` and
 * `example.com` are, `alice.github.io` and `github.io` are not.
 */
export function sameOrganization(a: HostName, b: HostName): boolean {
  return a === b || organization(a) === organization(b);
}

/** The registrable domain; a public suffix stands for itself. Without its own URL reading, tldts sees what we see. */
function organization(name: HostName): string {
  return getDomain(name, { allowPrivateDomains: true, extractHostname: false }) ?? name;
}

const addressDomain = /^(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;

/**
 * The domain of an address in one spelling, for storing and showing: lower-case A-labels without the root dot, or null.
 * More lenient than `hostName` (underscores, one label, a number at the end), so it proves nothing.
 */
export function asciiDomain(domain: string): string | null {
  // Mapping the labels of a longer name takes time that grows with the square of their number.
  if (domain.length > NAME_CHARS_MAX + 1) return null;
  const ascii = asciiLabels(domain.replace(/\.$/, ""));
  return ascii.length <= NAME_CHARS_MAX && addressDomain.test(ascii) ? ascii : null;
}

/** The same for a domain that a person types, with full-width letters and ideographic dots mapped (UTS 46). */
export function typedDomain(domain: string): string | null {
  if (domain.length > NAME_CHARS_MAX + 1) return null;
  return asciiDomain(isAscii(domain) ? domain : domainToASCII(domain));
}

function isAscii(text: string): boolean {
  return !/[^\x00-\x7f]/.test(text);
}
