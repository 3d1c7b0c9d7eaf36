/** The author of a message, if its From field leaves no doubt. */
import { plainLocal } from "../mail.ts";
import { asciiDomain } from "../net/host-name.ts";
import { fieldsNamed, fieldText, type HeaderBlock, hasStrayBytes } from "./headers.ts";
import { decodeWords } from "./mime/words.ts";
import { withoutEnds } from "./text/clean.ts";

export interface Author {
  /** Bare addr-spec, lower-cased and in NFC, domain in A-labels. */
  address: string;
  domain: string;
}

const plainAddress = /^([^\x00-\x20"(),:;<>@[\\\]\x7f]+)@([^\x00-\x20"(),:;<>@[\\\]\x7f]+)$/;
/** A quoted local part without signs in which a reader could see an address, a comment or an escape. */
const quotedAddress = /^("[A-Za-z0-9!#$%&'*+\-/=?^_`{|}~. ]{1,64}")@([^\x00-\x20"(),:;<>@[\\\]\x7f]+)$/;
const ADDRESS_CHARS_MAX = 320;
/** Two lines of the maximum length (RFC 5322 2.1.1). An address has at most 254 characters (RFC 5321 4.5.3.1.3). */
const AUTHOR_CHARS_MAX = 2 * 998;

/**
 * Returns the author if every reader of the message must find the same one: exactly one `From` field with exactly one
 * plain address, alone or after a name, with or without comments. Null for several fields or mailboxes, groups, local
 * parts that need more than quotes, routes, domain literals, a name that is another address, and anything else that two
 * parsers could read differently. Such a From proves nothing.
 */
export function singleAuthor(block: HeaderBlock): Author | null {
  const [from, ...more] = fieldsNamed(block, "from");
  if (!from || more.length > 0 || hasStrayBytes(from)) return null;
  const value = fieldText(from);
  if (value.length > AUTHOR_CHARS_MAX) return null;
  const mailbox = splitMailbox(value);
  const author = mailbox && readAuthor(mailbox.address);
  if (!mailbox || !author) return null;
  return mailbox.names.every((name) => fits(name, author, mailbox.names)) ? author : null;
}

function readAuthor(text: string): Author | null {
  const [, given = "", domain] = plainAddress.exec(text) ?? quotedAddress.exec(text) ?? [];
  const local = plainLocal(given);
  // Some readers decode an encoded word in an address, which RFC 2047 5 forbids; others do not.
  if (!local || !domain || local.includes("=?")) return null;
  if (invisible.test(local.replaceAll(" ", "")) || asciiInDisguise.test(local)) return null;
  const ascii = asciiDomain(domain);
  return ascii === null ? null : { address: `${local.toLowerCase().normalize("NFC")}@${ascii}`, domain: ascii };
}

/** Characters that show as nothing, or change the direction of the text around them. */
const invisible = /[\p{C}\p{Z}\p{Default_Ignorable_Code_Point}]/u;

/** The Kelvin sign and others that NFC turns into ASCII: the address would be read as another mailbox. */
const asciiInDisguise = /[\u037e\u1fef\u212a]/;

/**
 * Whether the name leaves the address as the only possible author. Some readers take a name that is an address, or
 * holds one in angle brackets, for the author. Outside quotes, an "@" is allowed only if the whole name repeats the
 * address, as many programs do.
 */
function fits(name: string, author: Author, names: readonly string[]): boolean {
  if (inUtf7.test(name)) return false;
  const shown = decodeWords(name).normalize("NFKC");
  const isOwn = (text: string) => readAuthor(text)?.address === author.address;
  if (isOwn(withoutWrapping(shown))) return names.length === 1;
  const inside = withoutSigns(shown);
  if (inside.includes("@") && !/\s/.test(inside)) return false;
  if (shown.matchAll(addressInBrackets).some(([, address = ""]) => !isOwn(address))) return false;
  return name.startsWith('"') || !name.normalize("NFKC").includes("@");
}

const ignorable = /\p{Default_Ignorable_Code_Point}/gu;
/** UTF-7, which writes "@" in letters. Some readers decode it; others show it as it is. */
const inUtf7 = /=\?(?:x-)?(?:unicode-\d-\d-)?utf-?7[?*]/i;
const addressInBrackets = /<([^<>@]+@[^<>@]+)>/g;

/** The text without the quotes, brackets and spaces that senders put around an address. */
function withoutWrapping(text: string): string {
  return withoutEnds(text, " \t\"'<>()[]");
}

/** Strips both ends up to a letter or digit: a comma there does not hide an address from a reader. */
function withoutSigns(text: string): string {
  // Hangul fillers are letters that show as nothing.
  const characters = [...text.replace(ignorable, "")];
  const isSaid = (character: string) => /[\p{L}\p{N}]/u.test(character);
  const start = characters.findIndex(isSaid);
  return start < 0 ? "" : characters.slice(start, characters.findLastIndex(isSaid) + 1).join("");
}

const quoted = /"(?:[^"\\\x00-\x1f]|\\[^\x00-\x1f])*"/y;
/** A comment (RFC 5322 3.2.2) without nesting, escapes, or characters that could make a reader see an address in it. */
const comment = /\([^"(),:;<>@[\\\]\x00-\x08\x0a-\x1f]*\)/y;
const words = /[^"(),:;<>[\\\]\x00-\x08\x0a-\x1f]+/y;
const bracketed = /<([^<>]+)>/y;

/**
 * Splits a mailbox (RFC 5322 3.4) into the address as written and the names beside it, without comments: one name for
 * each quoted string and each run of words. Null if it has more than one address, or characters that need quotes.
 */
function splitMailbox(value: string): { address: string; names: string[] } | null {
  const names: string[] = [];
  let address: string | null = null;
  for (let at = 0; at < value.length; ) {
    const take = (pattern: RegExp) => {
      pattern.lastIndex = at;
      const found = pattern.exec(value);
      if (found) at = pattern.lastIndex;
      return found;
    };
    const before = value[at - 1] ?? " ";
    if (take(comment)) {
      // A comment must be set off: `a@b.test(.c.test)` looks like another domain.
      if (!' \t)>"'.includes(before) || !" \t(<".includes(value[at] ?? " ")) return null;
      continue;
    }
    const angle = take(bracketed);
    if (angle) {
      if (address !== null) return null;
      address = angle[1] as string;
      continue;
    }
    const name = take(quoted)?.[0] ?? take(words)?.[0];
    if (name === undefined) return null;
    if (name.trim() === "") continue;
    // Only comments may follow the address.
    if (address !== null) return null;
    names.push(name);
  }
  if (address === null) {
    const isQuoted = names.length === 2 && names[0]?.startsWith('"') && names[1]?.startsWith("@");
    if (names.length !== 1 && !isQuoted) return null;
    address = names.join("").trim();
    names.length = 0;
  }
  return address.length > ADDRESS_CHARS_MAX ? null : { address, names };
}
