/**
 * Reads a Date field, also in the obsolete forms of RFC 5322 4.3, with white space around colons, and with comments.
 * Null if it is no date, or not between 1970 and 9999.
 */
export function readDate(field: string): Date | null {
  const text = field
    .replace(/\([^()]*\)/g, "")
    .replace(/\s+/g, " ")
    .replace(/ ?: ?/g, ":");
  const date = new Date(text);
  return date.getTime() > 0 && date.getUTCFullYear() < 10_000 ? date : null;
}

/** Writes a date for a Date or Received field (RFC 5322 3.3), in UTC. */
export function writtenDate(date: Date): string {
  return date.toUTCString().replace("GMT", "+0000");
}
