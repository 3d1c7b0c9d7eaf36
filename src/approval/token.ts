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
const reviewerBytesMax = 254;
const idBytes = 16;
const hashBytes = 32;
const macBytes = 32;
/** Six bytes of milliseconds last until the year 10889. */
const timeBytes = 6;
/** Everything has its fixed place and the address comes last, so no two approvals share their bytes. */
const reviewerAt = 1 + timeBytes + idBytes + hashBytes;
const tokenCharsMax = Math.ceil(((reviewerAt + reviewerBytesMax + macBytes) * 4) / 3);
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
      if (bytes.length <= reviewerAt + macBytes || bytes.toString("base64url") !== token) return { kind: "forged" };
      const payload = bytes.subarray(0, -macBytes);
      if (!timingSafeEqual(bytes.subarray(-macBytes), sign(payload))) return { kind: "forged" };
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
  if (address.length === 0 || address.length > reviewerBytesMax)
    throw new RangeError(`A reviewer's address has 1 to ${reviewerBytesMax} bytes, not ${address.length}.`);
  if (Number.isNaN(expiresAt.getTime())) throw new RangeError("The expiry is no time.");
  const time = Buffer.alloc(timeBytes);
  time.writeUIntBE(expiresAt.getTime(), 0, timeBytes);
  return Buffer.concat([
    Buffer.of(actions.indexOf(action)),
    time,
    Buffer.from(id, "hex"),
    Buffer.from(contentHash, "hex"),
    address,
  ]);
}

function decode(payload: Buffer): Approval & { expiresAt: number } {
  const idAt = 1 + timeBytes;
  return {
    action: actions[payload[0] as number] as Approval["action"],
    expiresAt: payload.readUIntBE(1, timeBytes),
    messageId: `msg_${payload.toString("hex", idAt, idAt + idBytes)}`,
    contentHash: payload.toString("hex", idAt + idBytes, reviewerAt),
    reviewer: payload.toString("utf8", reviewerAt),
  };
}
