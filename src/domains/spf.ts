/** SPF records as text (RFC 7208): what they allow, how many look-ups they need, and how to merge them. */

/** More look-ups in one evaluation are an error at the receiver (RFC 7208 4.6.4). */
export const SPF_LOOKUPS_MAX = 10;

/** Mechanisms that need a look-up (RFC 7208 4.6.4). */
const LOOKING_UP = new Set(["include", "a", "mx", "ptr", "exists"]);

/** Terms of a record that are read; receivers give up long before this (RFC 7208 4.6.4). */
const TERMS_MAX = 100;

interface Term {
  /** As it was written. */
  text: string;
  qualifier: "+" | "-" | "~" | "?";
  /** Lower-cased: `mx`, `include`, `redirect`. */
  name: string;
  /** The text after `:` or `=`, without prefix lengths, lower-cased, without a root dot; "" if there is none. */
  target: string;
  isModifier: boolean;
}

/** Whether a TXT value is an SPF record (RFC 7208 4.5). */
export function isSpf(text: string): boolean {
  return /^v=spf1(?: |$)/i.test(text);
}

function termsOf(record: string): Term[] {
  return (
    record
      .split(" ")
      .slice(1)
      // A term has only visible ASCII (RFC 7208 4.6.1).
      .filter((text) => /^[\x21-\x7e]+$/.test(text))
      .slice(0, TERMS_MAX)
      .map(termOf)
  );
}

function termOf(text: string): Term {
  const first = text[0] ?? "";
  const hasQualifier = "+-~?".includes(first);
  const bare = hasQualifier ? text.slice(1) : text;
  const end = bare.search(/[:=/]/);
  const name = (end < 0 ? bare : bare.slice(0, end)).toLowerCase();
  const value = end < 0 || bare[end] === "/" ? "" : bare.slice(end + 1);
  const target = (value.split("/", 1)[0] ?? "").toLowerCase();
  return {
    text,
    qualifier: hasQualifier ? (first as Term["qualifier"]) : "+",
    name,
    target: target.endsWith(".") ? target.slice(0, -1) : target,
    isModifier: end >= 0 && bare[end] === "=",
  };
}

/** The mechanisms that receivers evaluate, which are those before `all` (RFC 7208 5.1). */
function evaluated(terms: Term[]): Term[] {
  const mechanisms = terms.filter(({ isModifier }) => !isModifier);
  const all = mechanisms.findIndex(({ name }) => name === "all");
  return all < 0 ? mechanisms : mechanisms.slice(0, all);
}

/** Whether a record lets this server send: by its name or, if the domain's MX is this server (`byMx`), by the MX. */
export function allowsServer(record: string, domain: string, mailHost: string, byMx: boolean): boolean {
  return evaluated(termsOf(record)).some(
    ({ qualifier, name, target }) =>
      qualifier === "+" &&
      ((byMx && name === "mx" && (target === "" || target === domain)) || (name === "a" && target === mailHost)),
  );
}

/**
 * Makes one record that allows everything the given ones do, and before that `mechanism` (`mx`, `a:mx.example.com`).
 * Its last term (`all`, else `redirect=`) is that of the first record that has one.
 */
export function mergeSpf(records: string[], mechanism: string): string {
  const all = records.map(termsOf);
  const mechanisms = new Map([[mechanism.toLowerCase(), mechanism]]);
  for (const { text } of all.flatMap(evaluated))
    if (!mechanisms.has(text.toLowerCase())) mechanisms.set(text.toLowerCase(), text);
  const find = (wanted: string) => all.flat().find(({ name }) => name === wanted)?.text;
  const last = find("all") ?? find("redirect");
  const explanation = find("exp");
  return ["v=spf1", ...mechanisms.values(), last, explanation].filter((part) => part !== undefined).join(" ");
}

/**
 * Counts how many look-ups a record needs at most, following includes and redirects. The count stops at one more than
 * receivers allow, so a record that loops costs no more. A look-up that fails, or a name with macros, counts as one.
 */
export async function spfLookups(record: string, textsAt: (host: string) => Promise<string[]>): Promise<number> {
  const waiting = [record];
  let count = 0;
  for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
    const terms = termsOf(next);
    const hasAll = terms.some(({ name, isModifier }) => name === "all" && !isModifier);
    const redirects = terms.filter(({ name, isModifier }) => isModifier && name === "redirect" && !hasAll);
    for (const { name, target } of [...evaluated(terms).filter((term) => LOOKING_UP.has(term.name)), ...redirects]) {
      count++;
      if (count > SPF_LOOKUPS_MAX) return count;
      if ((name !== "include" && name !== "redirect") || target === "" || target.includes("%")) continue;
      const found = (await textsAt(target).catch(() => [])).find(isSpf);
      if (found !== undefined) waiting.push(found);
    }
  }
  return count;
}
