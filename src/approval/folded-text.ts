/** Calendars and address books (RFC 5545, RFC 6350), whose text is folded and escaped, and which may have files in them. */
import { isCalendar } from "../message/calendar/calendar.ts";
import { base64Readings } from "../message/mime/base64.ts";

/** Whether programs open a file as a calendar or an address book, by its type or its name. */
export function isFolded(type: string, filename: string): boolean {
  return isCalendar(type, filename) || /calendar|vcard|^text\/directory$/.test(type) || foldedName.test(filename);
}

/** File names that calendars and address books open, whatever the type. */
const foldedName = /\.(?:ics|ifb|vcs|vcf)$/i;

/** The text with each property on one line (RFC 5545 3.1). */
export function unfolded(text: string): string {
  return text.replace(/(?:\r\n?|\n)[ \t]/g, "");
}

/** The text without the backslashes before other signs (RFC 5545 3.3.11); programs also drop those that escape nothing. */
export function withoutEscapes(text: string): string {
  return text.replace(/\\([^nN\r\n])/g, "$1");
}

/** A property's value in base64, or a URL that holds its content (RFC 2397). */
const encoded = /base64|;\s{0,5}encoding\s{0,5}=\s{0,5}"?b(?![a-z])/i;

/** The contents of the files in an unfolded calendar or address book, in each reading of their base64. Linear. */
export function filesIn(text: string): Buffer[] {
  return text.split("\n").flatMap((line) => {
    const valueAt = Math.max(line.lastIndexOf(":"), line.lastIndexOf(",")) + 1;
    return encoded.test(line.slice(0, valueAt)) ? base64Readings(Buffer.from(line.slice(valueAt))) : [];
  });
}
