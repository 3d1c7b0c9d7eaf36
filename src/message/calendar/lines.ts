import { squeezed } from "../text/clean.ts";

/** One property of a calendar (RFC 5545 3.1): `NAME;PARAMETER=VALUE:VALUE`. */
export interface Property {
  /** In upper case. */
  name: string;
  /** By their names in upper case, without quotes and escapes (RFC 6868). Of several values, the first. */
  parameters: Map<string, string>;
  /** As written, with its escapes. */
  value: string;
  /** Whether the end of the value, or parameters, were left out. */
  isCut: boolean;
}

/** The components of a calendar. */
export interface Components {
  components: Component[];
  /** Whether lines were left out because there are too many. */
  isCut: boolean;
}

/** A component, such as VEVENT, with what belongs to it (RFC 5545 3.6). */
export interface Component {
  /** In upper case. */
  name: string;
  properties: Property[];
  components: Component[];
}

/** Lines that are read. An invitation with 1,000 guests has fewer. */
const LINES_MAX = 20_000;
/** Components inside components: a calendar has events, which have alarms. */
const DEPTH_MAX = 4;
const LINE_CHARS_MAX = 32 * 1024;
const PARAMETERS_MAX = 50;

/**
 * Reads the components of a calendar. Lines that are no properties, and what is past a limit, are left out; so is
 * anything before the first component. Components that are not closed count as closed. Time is linear.
 */
export function readComponents(text: string): Components {
  const root: Component = { name: "", properties: [], components: [] };
  const open = [root];
  let tooDeep = 0;
  const whole = text.replace(/\r\n?/g, "\n").replace(/\n[ \t]/g, "");
  for (const line of whole.split("\n", LINES_MAX)) {
    const fitting = line.length > LINE_CHARS_MAX ? squeezed(line) : line;
    const property = readLine(fitting.slice(0, LINE_CHARS_MAX));
    if (!property) continue;
    property.isCut ||= fitting.length > LINE_CHARS_MAX;
    const { name, value } = property;
    if (name === "BEGIN" && open.length > DEPTH_MAX) tooDeep++;
    else if (name === "BEGIN") {
      const begun = { name: value.trim().toUpperCase(), properties: [], components: [] };
      open.at(-1)?.components.push(begun);
      open.push(begun);
    } else if (name === "END" && tooDeep > 0) tooDeep--;
    else if (name === "END") {
      const level = open.findLastIndex((one) => one.name === value.trim().toUpperCase());
      if (level > 0) open.length = level;
    } else if (tooDeep === 0 && open.length > 1) open.at(-1)?.properties.push(property);
  }
  return { components: root.components, isCut: whole.trimEnd().split("\n", LINES_MAX + 1).length > LINES_MAX };
}

function readLine(line: string): Property | null {
  const name = /^[\w-]{1,80}/.exec(line)?.[0];
  if (!name) return null;
  const parameters = new Map<string, string>();
  const last = line.lastIndexOf(":");
  let isCut = false;
  let at = name.length;
  while (line[at] === ";") {
    const equals = line.indexOf("=", at);
    if (equals < 0) return null;
    const key = line
      .slice(at + 1, equals)
      .trim()
      .toUpperCase();
    const values: string[] = [];
    at = equals;
    do {
      const isQuoted = line[at + 1] === '"';
      const end = isQuoted ? line.indexOf('"', at + 2) : endOfValue(line, at + 1, key, last);
      if (end < 0) return null;
      values.push(line.slice(at + (isQuoted ? 2 : 1), end));
      at = isQuoted ? end + 1 : end;
    } while (line[at] === ",");
    if (parameters.size < PARAMETERS_MAX) parameters.set(key, withoutCarets(values[0] ?? ""));
    else isCut = true;
  }
  return line[at] === ":" ? { name: name.toUpperCase(), parameters, value: line.slice(at + 1), isCut } : null;
}

const carets: Record<string, string> = { "^n": "\n", "^^": "^", "^'": '"' };

/** The value of a parameter without its escapes (RFC 6868 3). */
function withoutCarets(value: string): string {
  return value.replace(/\^[n^']/g, (sign) => carets[sign] as string);
}

/** What begins a URI that programs write without the quotes it needs. */
const uriStart = /(?:https?|ldaps?|mailto|cid):/iy;

/**
 * Where a parameter's value without quotes ends. Exchange and Outlook leave out quotes that a value needs (RFC 5545
 * 3.2): `TZID=tzone://Microsoft/Utc`, `TZID=(UTC+01:00) Amsterdam, Berlin`. The times after a TZID have no colon.
 * @param last The last colon of the line.
 */
function endOfValue(line: string, start: number, key: string, last: number): number {
  let at = start;
  if (key === "TZID") {
    while (at < last && line[at] !== ";") at++;
    return at;
  }
  uriStart.lastIndex = start;
  // The last colon ends the parameters, whatever is before it.
  if (uriStart.test(line) && uriStart.lastIndex <= last) at = uriStart.lastIndex;
  while (at < line.length && !":;,".includes(line[at] as string)) at++;
  return at;
}

/** The text of a value of type TEXT, without its escapes (RFC 5545 3.3.11). */
export function textOf(value: string): string {
  return value.replace(/\\([\\;,nN:"])/g, (_, sign: string) => (sign === "n" || sign === "N" ? "\n" : sign));
}
