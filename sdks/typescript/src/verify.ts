import { fromBase64, webCrypto } from "./environment.ts";
import { E2AError, UnverifiedEmailError, type UnverifiedReason } from "./errors.ts";

/** The maximum age of a signature, in seconds, and how far the signer's clock may be ahead. */
const AGE_MAX = 300;
const AGE_MIN = -30;

const encoder = new TextEncoder();

/** Header values by name in lower case; an empty value counts as missing. */
export type Values = ReadonlyMap<string, string>;

/** Headers in any form that frameworks use. */
export type HeadersInput =
  | Iterable<readonly [string, string]>
  | Readonly<Record<string, string | readonly string[] | undefined>>;

export function valuesOf(headers: HeadersInput | null | undefined): Values {
  const entries: Iterable<readonly [string, unknown]> =
    headers && typeof (headers as Iterable<unknown>)[Symbol.iterator] === "function"
      ? (headers as Iterable<readonly [string, string]>)
      : Object.entries(headers ?? {});
  const values = new Map<string, string>();
  for (const [name, value] of entries) {
    const text = Array.isArray(value) ? value.join(", ") : value;
    if (typeof text === "string" && text !== "") values.set(name.toLowerCase(), text);
  }
  return values;
}

/** HMAC-SHA256 with one secret. */
export type Mac = (bytes: Uint8Array<ArrayBuffer>) => Promise<Uint8Array>;

/** Makes a Mac for each secret, in either form. */
export async function macsOf(secrets: readonly string[]): Promise<Mac[]> {
  const { subtle } = await webCrypto();
  const algorithm = { name: "HMAC", hash: "SHA-256" };
  return Promise.all(
    secrets.map(async (secret) => {
      const key = await subtle.importKey("raw", keyBytes(secret), algorithm, false, ["sign"]);
      return async (bytes: Uint8Array<ArrayBuffer>) => new Uint8Array(await subtle.sign("HMAC", key, bytes));
    }),
  );
}

/** The key of a secret: its 64 characters as shown, or `whsec_` and their base64. */
function keyBytes(secret: string): Uint8Array<ArrayBuffer> {
  const bytes = secret.startsWith("whsec_") ? fromBase64(secret.slice("whsec_".length)) : encoder.encode(secret);
  // With an empty key anyone could make a valid signature.
  if (!bytes || bytes.length === 0)
    throw new E2AError(
      "A webhook secret is empty or invalid. Give the 64 characters that were shown when it was created.",
    );
  return bytes;
}

/** Checks the Standard Webhooks signature over the whole body, and its age. */
export async function verifyStandard(
  values: Values,
  body: Uint8Array,
  macs: readonly Mac[],
  nowMs: number,
): Promise<void> {
  const [id, timestamp, signatures] = needed(values, ["webhook-id", "webhook-timestamp", "webhook-signature"]);
  const given = signatures
    .split(" ")
    .filter((one) => one.startsWith("v1,"))
    .map((one) => fromBase64(one.slice("v1,".length)));
  const head = encoder.encode(`${id}.${timestamp}.`);
  const signed = new Uint8Array(head.length + body.length);
  signed.set(head);
  signed.set(body, head.length);
  await verifyMac(signed, given, macs);
  if (!/^\d{1,12}$/.test(timestamp)) throw unverified("malformed", "webhook-timestamp is not a time");
  verifyAge(Number(timestamp) * 1000, nowMs);
}

/** The verified content of the X-E2A-Auth-* headers. */
export interface Proof {
  verified: boolean;
  /** The sender as in its header. */
  sender: string;
  messageId: string;
  /** SHA-256 of the mail, in lower-case hex. */
  bodyHash: string;
  /** All the headers, by the names with which they are sent. */
  headers: Record<string, string>;
}

const prefix = "x-e2a-auth-";

/** Whether there is anything to verify. */
export function hasProof(values: Values): boolean {
  return values.has(`${prefix}signature`);
}

/** Checks the signature of the X-E2A-Auth-* headers (current or previous), and its age. */
export async function verifyProof(values: Values, macs: readonly Mac[], nowMs: number): Promise<Proof> {
  const names = [
    "verified",
    "sender",
    "entity-type",
    "domain-check",
    "delegation",
    "timestamp",
    "message-id",
    "body-hash",
  ];
  const [signature, timestamp, messageId, bodyHash] = needed(values, [
    `${prefix}signature`,
    `${prefix}timestamp`,
    `${prefix}message-id`,
    `${prefix}body-hash`,
  ]);
  const value = (name: string) => values.get(prefix + name) ?? "";
  const given = [signature, ...value("signature-previous").split(" ")].map(fromHex);
  await verifyMac(encoder.encode(names.map(value).join("\n")), given, macs);
  if (!/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/.test(timestamp))
    throw unverified("malformed", "X-E2A-Auth-Timestamp is not a time");
  verifyAge(Date.parse(timestamp), nowMs);
  return {
    verified: value("verified") === "true",
    sender: value("sender"),
    messageId,
    bodyHash,
    headers: Object.fromEntries(
      [...names, "signature", "signature-previous"]
        .filter((name) => value(name) !== "")
        .map((name) => [headerName(name), value(name)]),
    ),
  };
}

/** SHA-256 in lower-case hex. */
export async function sha256(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  const digest = await (await webCrypto()).subtle.digest("SHA-256", bytes);
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

export function unverified(reason: UnverifiedReason, what: string): UnverifiedEmailError {
  return new UnverifiedEmailError(reason, `This webhook request cannot be believed: ${what}.`);
}

/** Computes one MAC per key, however many signatures an attacker sends. Comparisons take constant time. */
async function verifyMac(
  signed: Uint8Array<ArrayBuffer>,
  given: (Uint8Array | null)[],
  macs: readonly Mac[],
): Promise<void> {
  let isGood = false;
  for (const macOf of macs) {
    const mac = await macOf(signed);
    for (const signature of given) if (signature && isEqual(mac, signature)) isGood = true;
  }
  if (!isGood) throw unverified("signature", "no signature is by one of the secrets");
}

function isEqual(mac: Uint8Array, given: Uint8Array): boolean {
  if (given.length !== mac.length) return false;
  let difference = 0;
  for (let i = 0; i < mac.length; i++) difference |= (mac[i] ?? 0) ^ (given[i] ?? 0);
  return difference === 0;
}

function verifyAge(signedMs: number, nowMs: number): void {
  const age = (nowMs - signedMs) / 1000;
  if (age > AGE_MAX) throw unverified("stale", `it was signed ${Math.round(age)} seconds ago; ${AGE_MAX} are allowed`);
  if (age < AGE_MIN)
    throw unverified("future", "it was signed in the future; look whether this machine's clock is right");
}

function needed<const T extends readonly string[]>(values: Values, names: T): { [I in keyof T]: string } {
  const missing = names.filter((name) => !values.has(name));
  if (missing.length > 0) throw unverified("missing", `it has no ${missing.join(", ")}`);
  return names.map((name) => values.get(name) ?? "") as { [I in keyof T]: string };
}

function fromHex(text: string): Uint8Array | null {
  if (!/^(?:[0-9a-f]{2})+$/i.test(text)) return null;
  return Uint8Array.from(text.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
}

/** "body-hash" → "X-E2A-Auth-Body-Hash" */
function headerName(name: string): string {
  return `X-E2A-Auth-${name.replace(/(^|-)[a-z]/g, (start) => start.toUpperCase())}`;
}
