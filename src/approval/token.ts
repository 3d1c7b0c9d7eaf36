import { createHmac, timingSafeEqual } from "node:crypto";

/** The decision that a magic link stands for: one action on exactly this content, by one reviewer. */
export interface Approval {
  /** `msg_` and 32 hex digits. */
  messageId: string;
  action: "approve" | "reject";
  /** SHA-256 of what would leave, 64 lower-case hex digits. */
  contentHash: string;
  /** The address that the link was mailed to. */
  reviewer: string;
}

/** Makes and reads the tokens of magic links. */
export interface ApprovalTokens {
  /**
   * Makes a URL-safe token (base64url): about 150 characters, under 400 for every reviewer address up to 212 bytes, and
   * 456 at most.
   *
   * @throws RangeError if a part is not of the form above, or the address is longer than an address can be
   */
  make(approval: Approval & { expiresAt: Date }): string;
  /**
   * Reads what a token stands for. "expired": this server made it, and its time is up. "forged": this server did not
   * make it, or it was damaged on the way. Never throws, whatever the input.
   */
  read(token: string, now: Date): ({ kind: "valid" | "expired" } & Approval) | { kind: "forged" };
}

/** RFC 5321 4.5.3.1.3: a path of 256 octets, less its brackets. */
const REVIEWER_BYTES_MAX = 254;
const ID_BYTES = 16;
const HASH_BYTES = 32;
const MAC_BYTES = 32;
/** Milliseconds in six bytes, which last until the year 10889. */
const TIME_BYTES = 6;
/** Every field has a fixed place and the address comes last, so no two approvals have the same bytes. */
const REVIEWER_AT = 1 + TIME_BYTES + ID_BYTES + HASH_BYTES;
const tokenCharsMax = Math.ceil(((REVIEWER_AT + REVIEWER_BYTES_MAX + MAC_BYTES) * 4) / 3);
/** The first byte of the payload. */
const actions = ["approve", "reject"] as const;

/**
 * Creates tokens that are signed with `key` (32 random bytes; HMAC-SHA-256 under its own label, so that no other use of
 * the key can make one).
 *
 * Tokens are not stored, and still each works only once: a decided message takes no further decision, and a token names
 * the hash of the content, so a change voids all tokens made before it. The caller must check both in the transaction
 * that decides: this file only says what the server once wrote. The action is signed too, so a link that rejects cannot
 * be changed into one that approves.
 */
export function createApprovalTokens(key: Uint8Array): ApprovalTokens {
  const sign = (payload: Uint8Array): Buffer =>
    createHmac("sha256", key).update("e2a approval link 1\0").update(payload).digest();

  return {
    make(approval) {
      const payload = encode(approval);
      return Buffer.concat([payload, sign(payload)]).toString("base64url");
    },

    read(token, now) {
      if (token.length > tokenCharsMax) return { kind: "forged" };
      const bytes = Buffer.from(token, "base64url");
      // The decoder skips characters that are not base64url; a token has one spelling.
      if (bytes.length <= REVIEWER_AT + MAC_BYTES || bytes.toString("base64url") !== token) return { kind: "forged" };
      const payload = bytes.subarray(0, -MAC_BYTES);
      if (!timingSafeEqual(bytes.subarray(-MAC_BYTES), sign(payload))) return { kind: "forged" };
      const { expiresAt, ...approval } = decode(payload);
      return { kind: now.getTime() < expiresAt ? "valid" : "expired", ...approval };
    },
  };
}

function encode({ messageId, action, contentHash, reviewer, expiresAt }: Approval & { expiresAt: Date }): Buffer {
  const id = /^msg_([0-9a-f]{32})$/.exec(messageId)?.[1];
  if (id === undefined) throw new RangeError(`Not a message id: ${messageId}`);
  if (!/^[0-9a-f]{64}$/.test(contentHash)) throw new RangeError(`Not a SHA-256 in hex: ${contentHash}`);
  const address = Buffer.from(reviewer.toWellFormed());
  if (address.length === 0 || address.length > REVIEWER_BYTES_MAX)
    throw new RangeError(`A reviewer's address has 1 to ${REVIEWER_BYTES_MAX} bytes, not ${address.length}.`);
  if (Number.isNaN(expiresAt.getTime())) throw new RangeError("The expiry is not a valid time.");
  const time = Buffer.alloc(TIME_BYTES);
  time.writeUIntBE(expiresAt.getTime(), 0, TIME_BYTES);
  return Buffer.concat([
    Buffer.of(actions.indexOf(action)),
    time,
    Buffer.from(id, "hex"),
    Buffer.from(contentHash, "hex"),
    address,
  ]);
}

function decode(payload: Buffer): Approval & { expiresAt: number } {
  const idAt = 1 + TIME_BYTES;
  return {
    action: actions[payload[0] as number] as Approval["action"],
    expiresAt: payload.readUIntBE(1, TIME_BYTES),
    messageId: `msg_${payload.toString("hex", idAt, idAt + ID_BYTES)}`,
    contentHash: payload.toString("hex", idAt + ID_BYTES, REVIEWER_AT),
    reviewer: payload.toString("utf8", REVIEWER_AT),
  };
}
