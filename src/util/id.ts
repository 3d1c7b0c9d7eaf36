/** Prefixes of our ids. The rest is 32 hex digits of a version 7 UUID, so ids sort by time (RFC 9562 5.7). */
export type IdPrefix =
  | "msg"
  | "apk"
  | "wsec"
  | "evt"
  | "dlv"
  | "whk"
  | "conv"
  | "usr"
  | "dom"
  | "dkim"
  | "ses"
  | "req"
  | "aud";

/** A new id such as `msg_0198f3…`: time-ordered, also within a millisecond of this process. */
export function newId(prefix: IdPrefix): string {
  return `${prefix}_${Bun.randomUUIDv7("hex").replaceAll("-", "")}`;
}
