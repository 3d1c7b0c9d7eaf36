import { createHash, createPrivateKey, type KeyObject, sign as signWith } from "node:crypto";
import { promisify } from "node:util";
import { asBuffer, type HeaderBlock, type RawField, scanHeaders } from "./headers.ts";

const sign = promisify(signWith);

export interface DkimSigningKey {
  /** d=, in A-labels. */
  domain: string;
  /** s=. */
  selector: string;
  algorithm: "rsa-sha256" | "ed25519-sha256";
  /** PEM, or better a KeyObject that the caller keeps: reading PEM costs some 0.1 ms. */
  privateKey: KeyObject | string;
}

/**
 * Fields that readers show, thread by, or read the body by. Each is signed once more than it occurs, so that adding
 * another one, or a first one, voids the signature (RFC 6376 8.15).
 */
const sealedFields = [
  ...["from", "reply-to", "to", "cc", "subject", "date", "message-id", "in-reply-to", "references"],
  ...["mime-version", "content-type", "content-transfer-encoding"],
];
/** Fields signed as often as they occur. Submission servers may add a Sender, and mailing lists their List- fields. */
const signedFields = /^(?:sender|auto-submitted|x-auto-response-suppress|content-[a-z-]+|list-[a-z-]+)$/;

/** Body bytes canonicalized at a time; only pieces that need it become strings. */
const PIECE_BYTES = 64 * 1024;
/** Bytes hashed before the event loop gets a turn: about 5 ms. */
const BYTES_PER_TURN = 1024 * 1024;
const LINE_CHARS_MAX = 76;

/**
 * Puts one DKIM-Signature for each key on top of the message, in the order of the keys (RFC 6376, RFC 8463). Signatures
 * are relaxed/relaxed, cover the whole body, seal every field that readers rely on against additions, and do not
 * expire.
 *
 * Takes a message with CRLF line ends. The body is hashed once, a megabyte at a time. The signing runs outside the main
 * thread.
 * Throws for names that a tag cannot hold, keys of another algorithm, and a message without From (RFC 6376 5.4).
 */
export async function signDkim(raw: Uint8Array, keys: readonly DkimSigningKey[], now: Date): Promise<Buffer> {
  const bytes = asBuffer(raw);
  const block = scanHeaders(bytes);
  if (!block.fields.some((field) => field.key === "from")) throw new Error("a message without From cannot be signed");
  const bodyHash = await hashBody(bytes.subarray(block.bodyStart));
  const { names, canonical } = signedHeader(block);
  const signatures = keys.map(async (key) => {
    if (![key.domain, key.selector].every((name) => /^[a-z0-9._-]+$/i.test(name)))
      throw new Error("a DKIM domain or selector is not a name");
    const tags = [
      `v=1; a=${key.algorithm}; c=relaxed/relaxed; d=${key.domain};`,
      `s=${key.selector}; t=${Math.floor(now.getTime() / 1000)};`,
      ...`h=${names.join(":")};`.match(new RegExp(`.{1,${LINE_CHARS_MAX - 2}}(?::|;$)`, "g"))!,
      `bh=${bodyHash};`,
    ];
    const field = `DKIM-Signature: ${tags.join("\r\n ")}\r\n b=`;
    const signature = await signHeader(
      canonical + relaxedField("dkim-signature", field.slice(field.indexOf(":") + 1)),
      key,
    );
    return `${field}${signature.match(new RegExp(`.{1,${LINE_CHARS_MAX - 3}}`, "g"))!.join("\r\n ")}\r\n`;
  });
  return Buffer.concat([Buffer.from((await Promise.all(signatures)).join("")), bytes]);
}

async function signHeader(canonical: string, { algorithm, privateKey }: DkimSigningKey): Promise<string> {
  const data = Buffer.from(canonical, "latin1");
  const key = typeof privateKey === "string" ? createPrivateKey(privateKey) : privateKey;
  const type = algorithm === "rsa-sha256" ? "rsa" : "ed25519";
  if (key.asymmetricKeyType !== type) throw new Error(`the DKIM key is not an ${type} key`);
  // RFC 8463 3: Ed25519 signs the hash, not the data.
  const signature =
    type === "rsa"
      ? await sign("sha256", data, key)
      : await sign(null, createHash("sha256").update(data).digest(), key);
  return signature.toString("base64");
}

/**
 * The h= names and the canonical fields they cover: of fields with one name, the lowest comes first (RFC 6376 5.4.2).
 */
function signedHeader(block: HeaderBlock): { names: string[]; canonical: string } {
  const present = new Map<string, RawField[]>();
  for (const field of block.fields.toReversed()) {
    const found = present.get(field.key);
    if (found) found.push(field);
    else present.set(field.key, [field]);
  }
  const others = [...present.keys()].filter((key) => signedFields.test(key) && !sealedFields.includes(key)).sort();
  const names: string[] = [];
  let canonical = "";
  for (const key of [...sealedFields, ...others]) {
    for (const field of present.get(key) ?? []) {
      names.push(key);
      canonical += `${relaxedField(key, field.binary)}\r\n`;
    }
    if (sealedFields.includes(key)) names.push(key);
  }
  return { names, canonical };
}

/** RFC 6376 3.4.2, without the line end. */
function relaxedField(key: string, binary: string): string {
  return `${key}:${binary
    .replace(/\r\n/g, "")
    .replace(/[ \t]+/g, " ")
    .replace(/^ | $/g, "")}`;
}

/** The bh= value (RFC 6376 3.4.4, 3.7). */
async function hashBody(body: Buffer): Promise<string> {
  const hash = createHash("sha256");
  const end = bodyEnd(body);
  let turnBytes = 0;
  for (let start = 0; start < end; ) {
    const lf = body.indexOf("\n", start + PIECE_BYTES);
    const next = lf < 0 ? end : Math.min(lf + 1, end);
    const piece = body.subarray(start, next);
    if (hasLooseSpace(piece)) {
      const relaxed = piece
        .toString("latin1")
        .replace(/[ \t]+/g, " ")
        .replace(/ (?=\r\n|$)/g, "");
      hash.update(relaxed, "latin1");
    } else hash.update(piece);
    turnBytes += next - start;
    start = next;
    if (turnBytes < BYTES_PER_TURN) continue;
    turnBytes = 0;
    await new Promise((resolve) => setImmediate(resolve));
  }
  if (end > 0 && !endsLine(body, end)) hash.update("\r\n");
  return hash.digest("base64");
}

function hasLooseSpace(piece: Buffer): boolean {
  return piece.includes("\t") || piece.includes("  ") || piece.includes(" \r\n") || piece.at(-1) === 0x20;
}

/** The end of the last line that is not empty, its CRLF included. A line of white space counts as empty. */
function bodyEnd(body: Buffer): number {
  for (let end = body.length; ; ) {
    let at = endsLine(body, end) ? end - 2 : end;
    while (at > 0 && (body[at - 1] === 0x20 || body[at - 1] === 0x09)) at--;
    if (at === 0) return 0;
    if (!endsLine(body, at)) return end;
    end = at;
  }
}

function endsLine(body: Buffer, end: number): boolean {
  return end >= 2 && body[end - 1] === 0x0a && body[end - 2] === 0x0d;
}
