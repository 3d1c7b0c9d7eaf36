import { createHmac, timingSafeEqual } from "node:crypto";

/** Makes and reads the signed reverse-paths to which bounces return (VERP). */
export interface ReturnPaths {
  /**
   * The reverse-path for mail to one recipient, with at most 64 octets before the "@" (RFC 5321 4.5.3.1.1):
   * `bounce+<32 hex of the message id>.<recipient, base 36>.<signature>@domain`.
   *
   * @throws RangeError if the id is not `msg_` and 32 hex digits, or the recipient's number is not from 0 to 46655
   */
  make(messageId: string, recipient: number): string;
  /**
   * Reads an address. Null: it is not a return path, or belongs to another domain. "forged": it looks like one, but
   * this server did not sign it. Ignores case, because hosts that send bounces may change it.
   */
  read(address: string): { messageId: string; recipient: number } | "forged" | null;
  /** Whether an address is a return path of this domain without its signature. */
  isHidden(address: string): boolean;
}

/** The largest number of three base-36 digits. A message has at most 50 recipients. */
const RECIPIENT_MAX = 36 ** 3 - 1;
/** 100 bits. Each guess costs an SMTP dialogue, so an attacker cannot make enough of them. */
const SIGNATURE_CHARS = 20;
/** Base 32 (RFC 4648 6) in lower case: five bits per character, and it survives a change of case. */
const digits = "abcdefghijklmnopqrstuvwxyz234567";

/** A return path in other text: its signature, after what names the message and the recipient. */
const signatures = /(bounce(?:\+|%2b|=2b)[0-9a-f]{32}\.[0-9a-z]{1,3}\.)[a-z2-7]{20}(?=@|%40|=40)/gi;
const hidden = "x".repeat(SIGNATURE_CHARS);

/**
 * Text without the signatures of return paths in it, at the same length. With a signature, anyone can report that the
 * mail did not arrive, so agents and their clients do not see it.
 */
export function withoutSignatures(text: string): string {
  return text.replace(signatures, (_, before: string) => before + hidden);
}

/** Searched in one step: takes about a millisecond. */
const SEARCHED_AT_ONCE_BYTES = 256 * 1024;
/** The longest match of `signatures` and what must follow it. */
const MATCH_BYTES_MAX = 80;

/**
 * Overwrites the signatures of return paths in a message, in place and in steps; yields after each. What is encoded
 * (base64, a quoted-printable line break inside) stays as it is.
 */
export function* hideSignatures(bytes: Buffer): Generator<void> {
  for (let from = 0; from < bytes.length; from += SEARCHED_AT_ONCE_BYTES) {
    const text = bytes.toString("latin1", from, from + SEARCHED_AT_ONCE_BYTES + MATCH_BYTES_MAX);
    for (const match of text.matchAll(signatures)) {
      const start = from + match.index + (match[1]?.length ?? 0);
      bytes.fill("x", start, start + SIGNATURE_CHARS);
    }
    yield;
  }
}

/** Matches anything that looks like a return path, intact or damaged. */
const resembling = /^bounce\+[0-9a-f]{32}\./;
const wellFormed = /^bounce\+([0-9a-f]{32})\.(0|[1-9a-z][0-9a-z]{0,2})\.([a-z2-7]{20})$/;

/**
 * Makes return paths on `domain`, signed with `key` (32 random bytes, used for nothing else).
 *
 * The signature (truncated HMAC-SHA-256) proves that this server sent that message to that recipient, and that the
 * sender of the bounce has seen its envelope: the recipient, or a host on the way. Without it, an attacker who knows a
 * message id could have addresses suppressed. It does not expire, because bounces may take days. A copy of it is of no
 * use: it concerns only the one recipient, and a second report that mail did not arrive changes nothing.
 */
export function createReturnPaths(key: Uint8Array, domain: string): ReturnPaths {
  const host = domain.toLowerCase();
  const sign = (subject: string): string => {
    // The label separates these signatures from other uses of a key and from a later format.
    const mac = createHmac("sha256", key).update(`e2a return path 1\0${host}\0${subject}`).digest();
    return Array.from(mac.subarray(0, SIGNATURE_CHARS), (byte) => digits[byte & 31]).join("");
  };

  return {
    make(messageId, recipient) {
      const id = /^msg_([0-9a-f]{32})$/.exec(messageId)?.[1];
      if (id === undefined) throw new RangeError(`Not a message id: ${messageId}`);
      if (!Number.isInteger(recipient) || recipient < 0 || recipient > RECIPIENT_MAX)
        throw new RangeError(`A recipient's number is from 0 to ${RECIPIENT_MAX}, not ${recipient}.`);
      const subject = `${id}.${recipient.toString(36)}`;
      return `bounce+${subject}.${sign(subject)}@${host}`;
    },

    read(address) {
      const at = address.lastIndexOf("@");
      if (at < 0 || address.slice(at + 1).toLowerCase() !== host) return null;
      const local = address.slice(0, at).toLowerCase();
      if (!resembling.test(local)) return null;
      const [, id, number, signature] = wellFormed.exec(local) ?? [];
      if (id === undefined || number === undefined || signature === undefined) return "forged";
      if (!timingSafeEqual(Buffer.from(signature), Buffer.from(sign(`${id}.${number}`)))) return "forged";
      return { messageId: `msg_${id}`, recipient: Number.parseInt(number, 36) };
    },

    isHidden(address) {
      const lower = address.toLowerCase();
      return resembling.test(lower) && lower.endsWith(`.${hidden}@${host}`);
    },
  };
}
