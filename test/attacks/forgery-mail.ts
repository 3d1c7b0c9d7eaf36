/** Mail as a forger writes it: signatures over any content, with tags that no honest signer would use. */
import { createHash, createPublicKey, generateKeyPairSync, type KeyObject, sign } from "node:crypto";

export interface ForgeryKey {
  privateKey: KeyObject;
  /** The key record to publish (RFC 8463 4). */
  record: string;
}

export function forgeryKey(): ForgeryKey {
  const { privateKey } = generateKeyPairSync("ed25519");
  const published = createPublicKey(privateKey).export({ type: "spki", format: "der" }).subarray(-32);
  return { privateKey, record: `v=DKIM1; k=ed25519; p=${published.toString("base64")}` };
}

export interface MailToSign {
  /** Header lines, from the top. */
  header: readonly string[];
  body: string;
}

/**
 * Makes a DKIM-Signature line with these literal tags, such as `d=x; s=y` (RFC 6376, RFC 8463), relaxed/relaxed. It is
 * valid for every verifier that accepts the tags. Signs `fields` in this order, of equal names the lowest first.
 */
export function signatureLine({ header, body }: MailToSign, key: ForgeryKey, tags: string, fields: readonly string[]) {
  const left = header.map(splitLine).reverse();
  const signed = fields.map((name) => {
    const at = left.findIndex((field) => field.key === name.toLowerCase());
    return at < 0 ? "" : `${relaxed(left.splice(at, 1)[0] as Field)}\r\n`;
  });
  const hash = createHash("sha256").update(body).digest("base64");
  const value = `v=1; a=ed25519-sha256; c=relaxed/relaxed; ${tags}; h=${fields.join(":")}; bh=${hash}; b=`;
  const data = `${signed.join("")}${relaxed({ key: "dkim-signature", value })}`;
  const signature = sign(null, createHash("sha256").update(data).digest(), key.privateKey);
  return `DKIM-Signature: ${value}${signature.toString("base64")}`;
}

interface Field {
  key: string;
  value: string;
}

function splitLine(line: string): Field {
  const colon = line.indexOf(":");
  return { key: line.slice(0, colon).trim().toLowerCase(), value: line.slice(colon + 1) };
}

/** Relaxed header canonicalization (RFC 6376 3.4.2). */
function relaxed({ key, value }: Field): string {
  return `${key}:${value
    .replace(/\r\n/g, "")
    .replace(/[ \t]+/g, " ")
    .trim()}`;
}
