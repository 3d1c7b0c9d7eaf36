/**
 * mailauth's DKIM checks for a message that is completely in memory. The library reads a stream, byte by byte; here it
 * gets the header at once, and bodies are canonicalized by searches and replacements of the runtime (RFC 6376 3.4).
 */
import { createHash, type Hash } from "node:crypto";
import type { DKIMVerifyOptions, DKIMVerifyResult } from "mailauth";
import { DkimVerifier } from "mailauth/lib/dkim/dkim-verifier.js";

export interface Verified extends Pick<DKIMVerifyResult, "headerFrom" | "fromFields" | "results"> {
  arc?: unknown;
  /** The header as the verifier read it. */
  fields: readonly VerifiedField[];
}

/** A field as a verifier reads it. */
export interface VerifiedField {
  /** Its name in lower case; null for a line that begins with a colon. */
  key: string | null;
  /** The whole field without its last line end. */
  line: Buffer;
}

/**
 * Finds what mailauth's `dkimVerify` finds, except `mimeStructureStart`.
 * @param message Each LF in it has a CR before it.
 * @param bodyStart After the empty line that ends the header, or the message's length.
 */
export async function verifyDkim(message: Buffer, bodyStart: number, options: DKIMVerifyOptions): Promise<Verified> {
  const verifier = new MessageVerifier(options);
  await verifier.emitHeaders(message.subarray(0, bodyStart));
  if (bodyStart < message.byteLength) await verifier.nextChunk(message.subarray(bodyStart));
  await verifier.finalChunk();
  const { headerFrom, fromFields, results, arc, headers } = verifier;
  return { headerFrom, fromFields, results, arc, fields: headers ? headers.parsed : [] };
}

class MessageVerifier extends DkimVerifier {
  override addBodyHash(canonicalization: string, algorithm: string, maxBodyLength: number | ""): string {
    const key = [canonicalization, algorithm, maxBodyLength].join(":");
    if (!this.bodyHashes.has(key)) {
      const lengthMax = typeof maxBodyLength === "number" ? maxBodyLength : Number.POSITIVE_INFINITY;
      this.bodyHashes.set(key, new BodyHash(canonicalization === "relaxed", algorithm, lengthMax));
    }
    return key;
  }
}

const crlf = Buffer.from("\r\n");
const LF = 0x0a;
const CR = 0x0d;
const SPACE = 0x20;
const TAB = 0x09;

/** A body whose white space must change is changed in pieces of at least this size, so it is never in memory twice. */
const PIECE_BYTES = 256 * 1024;

/** The hash of a body, with the members that the verifier reads. */
class BodyHash {
  /** Bytes of the body as received. */
  byteLength = 0;
  /** Bytes of the canonicalized body, and how many of them `l=` covers. */
  canonicalizedLength = 0;
  bodyHashedBytes = 0;
  private readonly hash: Hash;

  constructor(
    private readonly isRelaxed: boolean,
    algorithm: string,
    private readonly lengthMax: number,
  ) {
    this.hash = createHash(algorithm);
  }

  /** The verifier passes the type here to find the first part, which is not used. */
  setContentType(): void {}
  getMimeStructureStart(): undefined {}

  /** Takes the whole body. */
  update(body: Buffer): void {
    this.byteLength = body.byteLength;
    const content = body.subarray(0, this.isRelaxed ? contentEndRelaxed(body) : contentEnd(body));
    if (this.isRelaxed) this.takeRelaxed(content);
    else this.take(content);
  }

  /** An empty body hashes as an empty line, or as nothing if relaxed (RFC 6376 3.4.3, 3.4.4). */
  digest(encoding: "base64"): string {
    if (!this.isRelaxed || this.canonicalizedLength > 0) this.take(crlf);
    return this.hash.digest(encoding);
  }

  private take(bytes: Buffer): void {
    this.canonicalizedLength += bytes.byteLength;
    const left = this.lengthMax - this.bodyHashedBytes;
    const hashed = bytes.byteLength > left ? bytes.subarray(0, left) : bytes;
    if (hashed.byteLength === 0) return;
    this.bodyHashedBytes += hashed.byteLength;
    this.hash.update(hashed);
  }

  /** @param content Does not end in white space. */
  private takeRelaxed(content: Buffer): void {
    for (let start = 0; start < content.byteLength; ) {
      const lineEnd = content.indexOf(LF, start + PIECE_BYTES);
      const end = lineEnd < 0 ? content.byteLength : lineEnd + 1;
      const piece = content.subarray(start, end);
      this.take(isRelaxed(piece) ? piece : Buffer.from(relaxed(piece.toString("latin1")), "latin1"));
      start = end;
    }
  }
}

/** Where the line ends at the end of the body begin. */
function contentEnd(body: Buffer): number {
  let end = body.byteLength;
  while (end >= 2 && body[end - 1] === LF && body[end - 2] === CR) end -= 2;
  return end;
}

/** Where the white space and line ends at the end of the body begin. */
function contentEndRelaxed(body: Buffer): number {
  for (let end = body.byteLength; ; end -= 2) {
    while (end > 0 && (body[end - 1] === SPACE || body[end - 1] === TAB)) end--;
    if (end < 2 || body[end - 1] !== LF || body[end - 2] !== CR) return end;
  }
}

function isRelaxed(lines: Buffer): boolean {
  return !lines.includes("\t") && !lines.includes("  ") && !lines.includes(" \r\n");
}

function relaxed(lines: string): string {
  return lines.replace(/[\t ]+/g, " ").replaceAll(" \r\n", "\r\n");
}
