import { generateKeyPairSync } from "node:crypto";
import { dkimSign } from "mailauth";
import type { Zone } from "../support/dns-server.ts";

/** A DKIM key pair, and the place where its public half is published. */
export interface SigningKey {
  domain: string;
  selector: string;
  /** PEM, PKCS #8. */
  privateKey: string;
  /** The key record and its name, ready for a zone. */
  zone: Zone;
}

export interface KeyOptions {
  selector?: string;
  type?: "rsa" | "ed25519";
  /** RSA modulus length. */
  bits?: number;
  /** More tags for the key record, such as `t=y; `. */
  recordTags?: string;
}

/** A new key pair; RSA takes some 50 ms, so tests share one if they can. */
export function signingKey(domain: string, options: KeyOptions = {}): SigningKey {
  const { selector = "sel", type = "rsa", bits = 2048, recordTags = "" } = options;
  const pair = type === "rsa" ? generateKeyPairSync("rsa", { modulusLength: bits }) : generateKeyPairSync("ed25519");
  const spki = pair.publicKey.export({ type: "spki", format: "der" });
  // RFC 8463 4: the bare 32 bytes of an Ed25519 key; an RSA key as SubjectPublicKeyInfo.
  const published = (type === "rsa" ? spki : spki.subarray(-32)).toString("base64");
  return {
    domain,
    selector,
    privateKey: pair.privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
    zone: { [`${selector}._domainkey.${domain}`]: { TXT: [`v=DKIM1; k=${type}; ${recordTags}p=${published}`] } },
  };
}

export interface MailParts {
  from?: string;
  to?: string;
  subject?: string;
  messageId?: string;
  /** Whole header lines, added on top. */
  extra?: string[];
  body?: string;
}

/** A small text message with CRLF line ends. */
export function plainMail(parts: MailParts = {}): Buffer {
  const lines = [
    ...(parts.extra ?? []),
    `From: ${parts.from ?? "Alice <alice@example.com>"}`,
    `To: ${parts.to ?? "bot@agents.example.com"}`,
    `Subject: ${parts.subject ?? "Hello"}`,
    "Date: Fri, 15 May 2026 12:00:00 +0000",
    `Message-ID: ${parts.messageId ?? "<one@example.com>"}`,
    "MIME-Version: 1.0",
    "Content-Type: text/plain; charset=utf-8",
    "",
    parts.body ?? "Hello agent,\r\n\r\nplease read this.\r\n",
  ];
  return Buffer.from(lines.join("\r\n"));
}

export interface SignOptions {
  /** `header/body`; default relaxed/relaxed. */
  canonicalization?: string;
  /** Names of the signed fields; default: the usual ones. */
  headerList?: string[];
  /** l=: how many bytes of the body are signed. */
  maxBodyLength?: number;
  /** t= and x=. */
  signTime?: Date;
  expires?: Date;
  /** By default that of the key's type; "rsa-sha1" for old mail. */
  algorithm?: string;
}

/** Adds one more DKIM-Signature to the message. */
export async function signMail(raw: Buffer, key: SigningKey, options: SignOptions = {}): Promise<Buffer> {
  const { domain: signingDomain, selector, privateKey } = key;
  const signature = { ...options, signingDomain, selector, privateKey };
  const signed = await dkimSign(raw, { ...signature, signatureData: [signature] });
  if (signed.errors.length > 0) throw signed.errors[0]?.err ?? new Error("the message was not signed");
  return Buffer.concat([Buffer.from(signed.signatures), raw]);
}

/** A signed message of about `bytes`, each with its own Message-ID, as benchmarks send it. */
export async function benchmarkMail(key: SigningKey, number: number, bytes = 4_096): Promise<Buffer> {
  const line = "The quick brown fox jumps over the lazy dog, again and again.\r\n";
  const from = `Sender <sender@${key.domain}>`;
  const mail = (body: string) =>
    plainMail({ from, subject: `Message ${number}`, messageId: `<${number}.${bytes}@${key.domain}>`, body });
  // A signature takes some 600 bytes.
  const lines = Math.max(1, Math.floor((bytes - mail("").length - 600) / line.length));
  return signMail(mail(line.repeat(lines)), key);
}

/** The records of a domain that may send from loopback and wants unproven mail refused. */
export function senderZone(domain: string, record = "v=DMARC1; p=reject"): Zone {
  return { [domain]: { TXT: ["v=spf1 ip4:127.0.0.1 -all"] }, [`_dmarc.${domain}`]: { TXT: [record] } };
}
