/**
 * Obsolete forms of addresses (RFC 5322 4.4): white space and comments around "." and "@", and local parts of several
 * words, some of them quoted. Address parsers take a part of such an address for the whole one.
 */
import { quotedLocal } from "../mail.ts";

interface Token {
  kind: "word" | "dot" | "at" | "between" | "other";
  text: string;
}

const space = /\s+/y;
const quoted = /"(?:[^"\\]|\\[\s\S])*"/y;
const atom = /[^\s"(),.:;<>@[\]\\]+/y;
const literal = /\[[^[\]\\]*\]/y;

/**
 * Writes each address of a From, Reply-To, To or Cc field in its current form. Outside angle brackets, an address with
 * white space only after a dot is left out: `Dr. jo@a.example` is one address, or a name and another.
 */
export function withoutObsoleteSyntax(value: string): string {
  if (!value.includes("@")) return value;
  const tokens = tokensOf(value);
  const out: Token[] = [];
  let isInBrackets = false;
  for (let at = 0; at < tokens.length; at++) {
    const token = tokens[at] as Token;
    if (token.text === "<" || token.text === ">") isInBrackets = token.text === "<";
    const local = token.kind === "at" ? wordsBefore(out) : [];
    const domain = local.length > 0 ? wordsAfter(tokens, at + 1) : [];
    if (domain.length === 0) {
      out.push(token);
      continue;
    }
    out.length -= local.length;
    at += domain.length;
    const isDoubtful = !isInBrackets && (endsInSpace(local) || endsInSpace(domain));
    if (!isDoubtful) out.push({ kind: "other", text: `${localOf(local)}@${textsOf(domain).join(".")}` });
  }
  return out.map(({ text }) => text).join("");
}

function tokensOf(value: string): Token[] {
  const tokens: Token[] = [];
  // One that is never closed would be searched for again and again.
  const isOpen = { comment: false, quoted: false };
  for (let at = 0; at < value.length; ) {
    const take = (pattern: RegExp) => {
      pattern.lastIndex = at;
      return pattern.exec(value)?.[0];
    };
    const char = value[at] as string;
    let token: Token = { kind: char === "." ? "dot" : char === "@" ? "at" : "other", text: char };
    if (char === "(" && !isOpen.comment) {
      const text = commentAt(value, at);
      isOpen.comment = text === null;
      if (text !== null) token = { kind: "between", text };
    } else if (char === '"' && !isOpen.quoted) {
      const text = take(quoted);
      isOpen.quoted = text === undefined;
      if (text !== undefined) token = { kind: "word", text };
    } else if (token.kind === "other") {
      const [between, text] = [take(space), take(atom) ?? take(literal)];
      if (between !== undefined) token = { kind: "between", text: between };
      else if (text !== undefined) token = { kind: "word", text };
    }
    tokens.push(token);
    at += token.text.length;
  }
  return tokens;
}

/** The comment that begins here, with the comments inside it; null if it never ends. */
function commentAt(value: string, start: number): string | null {
  let depth = 0;
  for (let at = start; at < value.length; at++) {
    if (value[at] === "\\") at++;
    else if (value[at] === "(") depth++;
    else if (value[at] === ")" && --depth === 0) return value.slice(start, at + 1);
  }
  return null;
}

/** The tokens at the end that are words with dots between them, with white space and comments; empty if none are. */
function wordsBefore(tokens: readonly Token[]): Token[] {
  let start = tokens.length;
  let expected: Token["kind"] = "word";
  for (let at = tokens.length - 1; at >= 0; at--) {
    const { kind } = tokens[at] as Token;
    if (kind === "between") continue;
    if (kind !== expected) break;
    if (kind === "word") start = at;
    expected = kind === "word" ? "dot" : "word";
  }
  return tokens.slice(start);
}

/** The same from `start` on; no word is quoted. */
function wordsAfter(tokens: readonly Token[], start: number): Token[] {
  let end = start;
  let expected: Token["kind"] = "word";
  for (let at = start; at < tokens.length; at++) {
    const { kind, text } = tokens[at] as Token;
    if (kind === "between") continue;
    if (kind !== expected || text.startsWith('"')) break;
    if (kind === "word") end = at + 1;
    expected = kind === "word" ? "dot" : "word";
  }
  return tokens.slice(start, end);
}

/** Whether a dot has white space only after it, as if it ended an abbreviation or a sentence. */
function endsInSpace(tokens: readonly Token[]): boolean {
  const isBetween = (at: number) => tokens[at]?.kind === "between";
  return tokens.some(({ kind }, at) => kind === "dot" && !isBetween(at - 1) && isBetween(at + 1));
}

function textsOf(tokens: readonly Token[]): string[] {
  return tokens.filter(({ kind }) => kind === "word").map(({ text }) => text);
}

function localOf(tokens: readonly Token[]): string {
  const words = textsOf(tokens);
  if (!words.some((text) => text.startsWith('"'))) return words.join(".");
  return quotedLocal(words.map((text) => (text.startsWith('"') ? unquoted(text) : text)).join("."));
}

function unquoted(text: string): string {
  return text.slice(1, -1).replace(/\\([\s\S])/g, "$1");
}
