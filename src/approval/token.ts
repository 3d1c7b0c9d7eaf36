import { createHmac, timingSafeEqual } from "node:crypto";

/** What a magic link stands for: one decision, about exactly this content, by one reviewer. */
export interface Approval {
  /** `msg_` and 32 hex digits. */
  messageId: string;
  action: "approve" | "reject";
  /** SHA-256 over what would leave, 64 lower-case hex digits. */
  contentHash: string;
  /** The address that the link was mailed to. */
  reviewer: string;
}

/** Makes and reads the tokens of magic links. */
export interface ApprovalTokens {
  /**
   * URL-safe text (base64url): about 150 characters, under 400 for every reviewer address up to 212 bytes, and 456 at most.
   *
   * @throws RangeError when a part is not of the form above, or the address is longer than an address can be
   */
  make(approval: Approval & { expiresAt: Date }): string;
  /**
   * What a token stands for. "expired": this server made it, and its time is up. "forged": this server did not make it,
   * or it was damaged on the way. Never throws, whatever comes.
   */
  read(token: string, now: Date): ({ kind: "valid" | "expired" } & Approval) | { kind: "forged" };
}

/** RFC 5321 4.5.3.1.3: a path of 256 octets, less its brackets. */
const REVIEWER_BYTES_MAX = 254;
const ID_BYTES = 16;
const HASH_BYTES = 32;
const MAC_BYTES = 32;
/** Six bytes of milliseconds last until the year 10889. */
const TIME_BYTES = 6;
/** Everything has its fixed place and the address comes last, so no two approvals share their bytes. */
const REVIEWER_AT = 1 + TIME_BYTES + ID_BYTES + HASH_BYTES;
const tokenCharsMax = Math.ceil(((REVIEWER_AT + REVIEWER_BYTES_MAX + MAC_BYTES) * 4) / 3);
/** The first byte of the payload. */
const actions = ["approve", "reject"] as const;

/**
 * Tokens signed with `key` (32 random bytes; HMAC-SHA-256 under a label of its own, so that no other use of the key makes
 * one).
 *
 * Nothing is stored, and still a token works once: a message that is decided takes no further decision, and a token names
 * the hash of the content, so a change voids all that were made before it. Whoever acts on a token has to check both in
 * the transaction that decides: this file only says what the server once wrote. The action is signed too, so a link that
 * rejects cannot be bent into one that approves.
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
      // The decoder passes over what is no base64url; a token has one spelling.
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
  if (Number.isNaN(expiresAt.getTime())) throw new RangeError("The expiry is no time.");
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
