import { plainLocal } from "../mail.ts";

/** RFC 5321 4.5.3.1.3 allows 256 octets with the brackets; forwarders such as Gmail need them all. */
const ADDRESS_CHARS_MAX = 254;
/** RFC 5321 appendix C: a source route is accepted and ignored. */
const sourceRoute = /^@[^\s,:@<>"]+(?:,@[^\s,:@<>"]+)*:/;
const quotedPart = /^"(?:[^"\\]|\\.)*"(?=@)/s;
const plain = /^[^\s"<>@]*/;
/** Control and invisible characters, which smtp-server refuses in the rest of the path too. */
const unsafe = /[\x00-\x1f\x7f-\x9f\u200b\u2060\ufeff]/;

/** The argument of MAIL or RCPT. */
interface PathArgument {
  /** Without needless quotes; null for a word alone, or the null reverse-path. */
  local: string | null;
  /** The domain as given, or the word alone. */
  domain: string;
  /** The text after the path: parameters. */
  rest: string;
}

/** Reads the path after `MAIL FROM:` or `RCPT TO:` (RFC 5321 4.1.2). Null if it is none. Does not check the domain. */
export function readPath(argument: string): PathArgument | null {
  const trimmed = argument.trimStart();
  if (!trimmed.startsWith("<")) return null;
  const inside = trimmed.slice(1).replace(sourceRoute, "");
  const given = (quotedPart.exec(inside) ?? plain.exec(inside))?.[0] ?? "";
  const isAddress = inside[given.length] === "@";
  const domain = isAddress ? (plain.exec(inside.slice(given.length + 1))?.[0] ?? "") : given;
  const tail = inside.slice(isAddress ? given.length + 1 + domain.length : given.length);
  if (!/^>(?:\s|$)/.test(tail)) return null;
  const rest = tail.slice(1);
  if (!isAddress) return { local: null, domain, rest };
  const local = plainLocal(given);
  const isInvalid = unsafe.test(local) || (!local.startsWith('"') && local.split(".").includes(""));
  return isInvalid || local.length + 1 + domain.length > ADDRESS_CHARS_MAX ? null : { local, domain, rest };
}
