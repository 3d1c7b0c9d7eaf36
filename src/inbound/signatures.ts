import { asBuffer, fieldsNamed, type HeaderBlock, type RawField } from "../message/headers.ts";
import { type HostName, hostName, sameOrganization } from "../net/host-name.ts";
import type { VerifiedField } from "./dkim-verify.ts";

/** A DKIM signature by its tags, verified or not. */
export interface SignatureName {
  /** Null if `d=` is not a host name. Such a signature proves nothing and aligns with nothing. */
  domain: HostName | null;
  selector: string;
  algorithm: string;
}

/** Each costs a key look-up, a hash of the body and a verification. Real mail has one to four. */
const SIGNATURES_MAX = 10;
/** Each l= length costs another hash of the whole body. */
const BODY_LENGTHS_MAX = 1;
/** Beyond this number, signatures are not even named. */
const SIGNATURES_NAMED_MAX = 20;
/** Longer ones can only list thousands of names in h=, and each is searched for in the whole header. */
const SIGNATURE_BYTES_MAX = 8 * 1024;

/**
 * Selects the signatures that are worth verifying, those of the author's organization first, and hides the others from
 * the verifier. `bytes` is the message without the hidden ones, the same buffer if there are none. `skipped` names
 * them.
 */
export function selectSignatures(
  raw: Uint8Array,
  block: HeaderBlock,
  authorDomain: HostName | null,
): { bytes: Buffer; skipped: SignatureName[] } {
  const bytes = asBuffer(raw);
  const all = fieldsNamed(block, "dkim-signature");
  const aligned = (field: RawField) => {
    const { domain } = signatureName(field);
    return authorDomain !== null && domain !== null && sameOrganization(domain, authorDomain);
  };
  const ranked = all.length > 1 ? [...all.filter(aligned), ...all.filter((field) => !aligned(field))] : all;
  const kept = new Set<RawField>();
  let bodyLengths = 0;
  for (const field of ranked) {
    if (kept.size === SIGNATURES_MAX || field.end - field.start > SIGNATURE_BYTES_MAX) continue;
    if (/[;:]\s*l\s*=/i.test(`:${field.binary}`) && ++bodyLengths > BODY_LENGTHS_MAX) continue;
    kept.add(field);
  }
  const hidden = all.filter((field) => !kept.has(field));
  if (hidden.length === 0) return { bytes, skipped: [] };
  const pieces: Buffer[] = [];
  let position = 0;
  for (const field of hidden) {
    pieces.push(bytes.subarray(position, field.start));
    position = field.end;
  }
  pieces.push(bytes.subarray(position));
  return {
    bytes: Buffer.concat(pieces),
    skipped: hidden.slice(0, SIGNATURES_NAMED_MAX - kept.size).map(signatureName),
  };
}

/** Names the signatures of a header that is not worth verifying, up to the limit. */
export function signatureNames(block: HeaderBlock): SignatureName[] {
  return fieldsNamed(block, "dkim-signature").slice(0, SIGNATURES_NAMED_MAX).map(signatureName);
}

function signatureName(field: RawField): SignatureName {
  const tags = field.binary.slice(0, SIGNATURE_BYTES_MAX).split(";");
  const tag = (name: string) => {
    const found = tags.find((text) => text.slice(0, text.indexOf("=")).trim() === name);
    return found ? found.slice(found.indexOf("=") + 1).replace(/\s+/g, "") : "";
  };
  return signatureFrom(tag("d"), tag("s"), tag("a"));
}

/** Makes the names in a signature fit for storing and showing, whatever the message contains. */
export function signatureFrom(domain: string, selector: string, algorithm: string): SignatureName {
  return {
    domain: hostName(domain),
    selector: printable(selector),
    algorithm: printable(algorithm.toLowerCase()),
  };
}

/** The longest name that DNS allows (RFC 1035 2.3.4). */
const NAME_CHARS_MAX = 255;

function printable(text: string): string {
  return text.slice(0, NAME_CHARS_MAX).replace(/[^\x21-\x7e]/g, "?");
}

/** Fields that readers show or rely on and that RFC 5322 3.6, RFC 2045 or RFC 2183 allow once. */
const singletons = [
  ...["from", "sender", "reply-to", "to", "cc", "subject", "date", "message-id", "in-reply-to", "references"],
  // RFC 2183: Content-Disposition turns the body into a file.
  ...["mime-version", "content-type", "content-transfer-encoding", "content-disposition"],
];

/** What a verifier found out about a cryptographically valid signature. */
export interface VerifiedSignature {
  /** The key record has t=y. */
  testing?: boolean;
  /** Bytes of the body beyond the l= length. */
  unsignedBodyBytes?: number;
  /** The result of `isReadAlike`. */
  isReadAlike: boolean;
  /** `dependsOnSpaces` of `Structure`. */
  partsDependOnSpaces: boolean;
  /** The result of `dependsOnUnsignedSpaces`. */
  wordsDependOnSpaces: boolean;
  /** Whether it ignores white space in the header or in the body. */
  isRelaxed: boolean;
  /** Lower-cased names of the signed fields, one per signed occurrence. */
  signedFields: readonly string[];
}

/**
 * Whether a verifier has read the fields of `singletons` as this server reads them, byte for byte. Otherwise its result
 * is about another message: a field that only one of the two sees may be signed without being shown, or the other way
 * round.
 */
export function isReadAlike(verified: readonly VerifiedField[], raw: Uint8Array, block: HeaderBlock): boolean {
  const bytes = asBuffer(raw);
  return singletons.every((name) => {
    const theirs = verified.filter(({ key }) => key === name).map(({ line }) => line.toString("latin1"));
    const fields = fieldsNamed(block, name);
    const ours = fields.map(({ start, end }) => bytes.toString("latin1", start, end));
    if (fields.some(hasBrokenValue)) return false;
    return ours.length === theirs.length && ours.every((line, i) => withoutLineEnd(line) === theirs[i]);
  });
}

/** Whether a line of the value lacks the white space of a fold. A verifier joins such a line; a reader does not. */
function hasBrokenValue({ binary }: RawField): boolean {
  return /\n[^ \t]/.test(binary);
}

function withoutLineEnd(line: string): string {
  let end = line.length;
  while (end > 0 && (line[end - 1] === "\n" || line[end - 1] === "\r")) end--;
  return line.slice(0, end);
}

/**
 * Returns why a valid signature does not prove the message, or null if it does (RFC 6376 8.2, 8.15, RFC 8601 2.7.1
 * "policy"): the key is for testing, the body continues beyond what is signed, a second Subject, From, … stands beside
 * the signed one, or the verifier has read the message differently from its reader.
 */
export function proofGap(signature: VerifiedSignature, block: HeaderBlock): string | null {
  if (signature.testing) return "testing key";
  if (signature.unsignedBodyBytes) return "body longer than signed";
  if (!signature.isReadAlike) return "header can be read in two ways";
  if (signature.partsDependOnSpaces) return "parts depend on unsigned white space";
  if (signature.wordsDependOnSpaces && signature.isRelaxed) return "words depend on unsigned white space";
  for (const name of singletons) {
    const present = fieldsNamed(block, name).length;
    const signed = signature.signedFields.filter((key) => key === name).length;
    if (signed > 0 && signed < present) return "repeated header field";
  }
  return null;
}

/**
 * Names the fields of `singletons` that the message has and these signatures leave out, in the order of RFC 5322 3.6.
 * Any host that passed the message on could have written them. The signatures have no `proofGap`, so each covers all
 * occurrences of a field or none.
 */
export function unsignedFields(signatures: readonly Pick<VerifiedSignature, "signedFields">[], block: HeaderBlock) {
  return singletons
    .filter((name) => fieldsNamed(block, name).length > 0)
    .filter((name) => !signatures.some(({ signedFields }) => signedFields.includes(name)))
    .map((name) => canonicalNames[name] ?? name.replace(/(^|-)[a-z]/g, (start) => start.toUpperCase()));
}

/** Names whose usual spelling does not simply capitalise each word (RFC 5322 3.6.4, RFC 2045 4). */
const canonicalNames: Record<string, string> = { "message-id": "Message-ID", "mime-version": "MIME-Version" };
