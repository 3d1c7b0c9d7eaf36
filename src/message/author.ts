/** Who wrote a message, as far as its From field leaves no doubt. */
import libmime from "libmime";
import { asciiDomain } from "../net/host-name.ts";
import { fieldsNamed, fieldText, type HeaderBlock, hasStrayBytes } from "./headers.ts";
import { withoutEnds } from "./text/clean.ts";

export interface Author {
  /** Bare addr-spec, lower-cased and in NFC, domain in A-labels. */
  address: string;
  domain: string;
}

const plainAddress = /^([^\x00-\x20"(),:;<>@[\\\]\x7f]+)@([^\x00-\x20"(),:;<>@[\\\]\x7f]+)$/;
const ADDRESS_CHARS_MAX = 320;
/** Two lines of the longest kind (RFC 5322 2.1.1); an address alone is at most 254 characters (RFC 5321 4.5.3.1.3). */
const AUTHOR_CHARS_MAX = 2 * 998;

/**
 * The author, when every reader of the message must find the same one: exactly one `From` field with exactly one
 * plain address, alone or behind a name. Comments may stand beside it. Null for several fields or mailboxes, groups,
 * quoted local parts, routes, domain literals, a name that is another address, and anything else that two parsers could
 * read differently; such a From proves nothing.
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
  const [, local, domain] = plainAddress.exec(text) ?? [];
  // An encoded word in an address (RFC 2047 5 forbids it) is decoded by some readers and not by others.
  if (!local || !domain || local.includes("=?")) return null;
  if (invisible.test(local)) return null;
  const ascii = asciiDomain(domain);
  return ascii === null ? null : { address: `${local.toLowerCase().normalize("NFC")}@${ascii}`, domain: ascii };
}

/** What shows as nothing, or turns the characters around it. */
const invisible = /[\p{C}\p{Z}\p{Default_Ignorable_Code_Point}]/u;

/**
 * Whether a name leaves the address as the only one. A name that is an address, or has one in angle brackets, is what some
 * readers show, and take, for the author; outside quotes an "@" is not allowed at all, except that many programs repeat the
 * address there.
 */
function fits(name: string, author: Author, names: readonly string[]): boolean {
  if (inUtf7.test(name)) return false;
  const shown = (name.includes("=?") ? libmime.decodeWords(name) : name).normalize("NFKC");
  const isOwn = (text: string) => readAuthor(text)?.address === author.address;
  if (isOwn(withoutWrapping(shown))) return names.length === 1;
  const inside = withoutSigns(shown);
  if (inside.includes("@") && !/\s/.test(inside)) return false;
  if (shown.matchAll(addressInBrackets).some(([, address = ""]) => !isOwn(address))) return false;
  return name.startsWith('"') || !name.normalize("NFKC").includes("@");
}

const ignorable = /\p{Default_Ignorable_Code_Point}/gu;
/** An encoding that writes "@" in letters, which some readers know and others show as it is. */
const inUtf7 = /=\?(?:x-)?(?:unicode-\d-\d-)?utf-?7[?*]/i;
const addressInBrackets = /<([^<>@]+@[^<>@]+)>/g;

/** Without the quotes, brackets and spaces that people put around an address. */
function withoutWrapping(text: string): string {
  return withoutEnds(text, " \t\"'<>()[]");
}

/** Without whatever is neither a letter nor a digit at its ends: a comma there hides no address from its reader. */
function withoutSigns(text: string): string {
  // Fillers are letters that show as nothing.
  const characters = [...text.replace(ignorable, "")];
  const isSaid = (character: string) => /[\p{L}\p{N}]/u.test(character);
  const start = characters.findIndex(isSaid);
  return start < 0 ? "" : characters.slice(start, characters.findLastIndex(isSaid) + 1).join("");
}

const quoted = /"(?:[^"\\\x00-\x1f]|\\[^\x00-\x1f])*"/y;
/** Without nesting, escapes and whatever could make a reader see an address in it (RFC 5322 3.2.2). */
const comment = /\([^"(),:;<>@[\\\]\x00-\x08\x0a-\x1f]*\)/y;
const words = /[^"(),:;<>[\\\]\x00-\x08\x0a-\x1f]+/y;
const bracketed = /<([^<>]+)>/y;

/**
 * Takes a mailbox apart (RFC 5322 3.4): the address as written, and what stands beside it outside comments, each quoted
 * string and each run of words by itself. Null when it has more than one address, or characters that need quotes.
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
      // Between comment and address there is a space: `a@b.test(.c.test)` looks like another domain.
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
    // Behind the address only comments may stand.
    if (address !== null) return null;
    names.push(name);
  }
  if (address === null) {
    const [bare, ...others] = names;
    if (bare === undefined || others.length > 0) return null;
    address = bare.trim();
    names.length = 0;
  }
  return address.length > ADDRESS_CHARS_MAX ? null : { address, names };
}
