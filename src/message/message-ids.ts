import { cleanLine } from "./text/clean.ts";

/** RFC 5322 2.1.1: an id does not fold. */
const MESSAGE_ID_BYTES_MAX = 998;
const IDS_MAX = 200;

/**
 * The Message-IDs of an unfolded Message-ID, In-Reply-To or References field, with angle brackets and in order (RFC
 * 5322 3.6.4). White space inside of the brackets, which obsolete syntax allows around dots and some programs write
 * anywhere, is left out, so that ids can be compared. Each id comes once, and of more than 200 come the first and the
 * last hundred: mail programs keep a few dozen (RFC 5537 3.4.4), while a field of 1 MiB holds 200,000. Words with an
 * "@" outside of brackets count as ids too: in References in their place, otherwise after the others, because obsolete
 * In-Reply-To fields are phrases that name authors.
 */
export function messageIdsIn(value: string, field: "references" | "other" = "other"): string[] {
  const bracketed: string[] = [];
  const bare: string[] = [];
  for (const [, inside, outside = ""] of value.matchAll(/<([^<>]*)>|([^<>]+)/g)) {
    const list = inside !== undefined || field === "references" ? bracketed : bare;
    if (inside !== undefined) list.push(...insideBrackets(inside));
    else list.push(...outside.split(/[\s,;()"]+/).filter((word) => addrSpec.test(word)));
  }
  const ids = [...new Set([...bracketed, ...bare])];
  const ends = ids.length > IDS_MAX ? [...ids.slice(0, IDS_MAX / 2), ...ids.slice(-IDS_MAX / 2)] : ids;
  return ends
    .map((id) => `<${cleanLine(id)}>`)
    .filter((id) => id !== "<>" && Buffer.byteLength(id) <= MESSAGE_ID_BYTES_MAX);
}

const addrSpec = /^[^@]+@[^@]+$/;

function insideBrackets(inside: string): string[] {
  const words = inside.split(/\s+/).filter((word) => word !== "");
  // Ids that share a pair of brackets.
  if (words.length > 1 && words.every((word) => addrSpec.test(word))) return words;
  const whole = words.join("");
  return words.length > 1 && !addrSpec.test(whole) ? [] : [whole];
}
