import type { Mailbox } from "../mail.ts";
import { isQuoted, splitAddress } from "../mail.ts";
import { typedDomain } from "../net/host-name.ts";

/** RFC 5321 4.5.3.1.1 and 4.5.3.1.3 (a path of 256 octets includes two angle brackets), in UTF-8 (RFC 6531 3.1). */
const LOCAL_BYTES_MAX = 64;
const ADDRESS_BYTES_MAX = 254;
/** Real display names are shorter. With one this long, even encoded, our own reader still finds the author in From. */
export const NAME_CHARS_MAX = 200;
/** Longer text is refused unread. The longest address and the longest name with every character escaped fit. */
const TEXT_CHARS_MAX = 1_000;

/** Control, format, private-use and unassigned characters, lone surrogates, and every kind of space. */
const invisible = /[\p{C}\p{Z}]/u;
/** atext and dots (RFC 5322 3.2.3), and anything beyond ASCII (RFC 6531 3.3). */
const localCharacters = /^[A-Za-z0-9!#$%&'*+\-/=?^_`{|}~.\u0080-\u{10ffff}]+$/u;
const label = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;
/** A label that some resolvers and every URL parser read as part of an IPv4 address. */
const numericLabel = /^(?:\d+|0x[0-9a-f]*)$/;
/** Characters that change the direction of the text around them: in a name, they could reverse the address. */
export const directionControls = /[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;
const nameCharacters = /^[^"(),:;<>@[\\\]]*$/;
const quotedName = /^"((?:[^"\\]|\\.)*)"$/s;

/**
 * Reads one recipient as a client writes it: `a@b.example` or `Name <a@b.example>`, the name plain or in double quotes.
 *
 * The address comes back lower-cased, with its domain in A-labels; white space in the name is folded. Lists, groups,
 * comments, routes and IP literals are refused. `problem` is the rest of a sentence that begins
 * with the field's name: "is not an address: there is no @".
 */
export function readMailbox(text: string): { mailbox: Mailbox } | { problem: string } {
  if (text.trim() === "") return problem("it is empty");
  if (text.length > TEXT_CHARS_MAX) return problem("it is too long");
  if (/[\p{Cc}\u2028\u2029]/u.test(text)) return problem("it has a control character or a line break");
  const { phrase, inner } = splitMailbox(text.trim());
  const read = readAddress(inner);
  if ("problem" in read) return read;
  const name = readName(phrase);
  return typeof name === "string" ? { mailbox: { address: read.address, name } } : name;
}

function splitMailbox(text: string): { phrase: string; inner: string } {
  const open = text.lastIndexOf("<");
  if (open < 0 || !text.endsWith(">")) return { phrase: "", inner: text };
  return { phrase: text.slice(0, open).trim(), inner: text.slice(open + 1, -1) };
}

function readName(phrase: string): string | { problem: string } {
  const [, quoted] = quotedName.exec(phrase) ?? [];
  if (quoted === undefined && !nameCharacters.test(phrase)) {
    return problem('put a name that has any of ( ) < > [ ] : ; @ \\ , " in double quotes, and give only one address');
  }
  const name = (quoted?.replace(/\\(.)/gsu, "$1") ?? phrase).replace(/\s+/g, " ").trim();
  if (!name.isWellFormed() || name.search(directionControls) >= 0)
    return problem("the name has invisible control characters");
  return name.length > NAME_CHARS_MAX ? problem(`the name is longer than ${NAME_CHARS_MAX} characters`) : name;
}

/**
 * Reads a bare addr-spec that every reader and every server takes for the same mailbox: a dot-atom, in UTF-8 if it is
 * not ASCII (RFC 5322 3.4.1, RFC 6531 3.3), or a quoted string, at a host name. Returns it lower-cased, without needless
 * quotes, the domain in A-labels.
 */
export function readAddress(text: string): { address: string } | { problem: string } {
  const parts = splitAddress(text);
  if (!text.includes("@")) return problem("there is no @");
  if (!parts) return problem(`there is nothing ${text.startsWith("@") ? "before" : "after"} the @`);
  const local = parts.local.normalize("NFC");
  const wrong = isQuoted(local) ? problemInQuotes(local, parts.domain) : problemOutsideQuotes(text, local);
  if (wrong !== null) return problem(wrong);
  if (Buffer.byteLength(local) > LOCAL_BYTES_MAX)
    return problem(`the part before the @ is longer than ${LOCAL_BYTES_MAX} bytes`);

  const written = text.slice(text.lastIndexOf("@") + 1);
  if (written.startsWith("[")) return problem("IP addresses are not supported; use a domain name");
  // The conversion to A-labels would decode some of these characters, such as percent signs.
  const domain = /[\x00-,/:-@[-`{-\x7f]|\.$/.test(written) ? null : typedDomain(written);
  const labels = domain?.split(".") ?? [];
  if (!domain || !labels.every((part) => label.test(part))) return problem("the domain is not a valid host name");
  if (numericLabel.test(labels.at(-1) ?? "")) return problem("IP addresses are not supported; use a domain name");
  const address = `${local}@${domain}`;
  if (Buffer.byteLength(address) > ADDRESS_BYTES_MAX) return problem(`it is longer than ${ADDRESS_BYTES_MAX} bytes`);
  return { address };
}

/** A quoted string (RFC 5321 4.1.2) without signs that programs take for the end of the path or of the local part. */
function problemInQuotes(local: string, domain: string): string | null {
  if (invisible.test(local.replaceAll(" ", "") + domain)) return "it has a space or an invisible character";
  if (local.includes("@")) return "there is more than one @";
  return /[<>]/.test(local) ? "the part before the @ has an angle bracket" : null;
}

function problemOutsideQuotes(text: string, local: string): string | null {
  if (invisible.test(text)) return "it has a space or an invisible character";
  if (local.includes("@")) return "there is more than one @";
  if (!localCharacters.test(local)) return "the part before the @ has a character that needs quotes";
  return local.split(".").includes("") ? "the part before the @ has a misplaced dot" : null;
}

function problem(reason: string): { problem: string } {
  return { problem: `is not an address: ${reason}` };
}
