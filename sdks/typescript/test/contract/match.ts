/** Matching of the contract (sdks/contract/README.md): how a value differs, or null if it matches. */

type Json = Record<string, unknown>;

const isObject = (value: unknown): value is Json =>
  typeof value === "object" && value !== null && !Array.isArray(value);

export function mismatch(expected: unknown, found: unknown, at = "result"): string | null {
  if (isObject(expected) && Object.keys(expected).some((name) => name.startsWith("$")))
    return first(Object.entries(expected), ([name, value]) => mismatchOfMatcher(name, value, found, at));
  if (Array.isArray(expected)) {
    if (!Array.isArray(found)) return `${at} is no list: ${shown(found)}`;
    if (found.length !== expected.length)
      return `${at} has ${found.length} items, not ${expected.length}: ${shown(found)}`;
    return first([...expected.entries()], ([i, item]) => mismatch(item, found[i], `${at}.${i}`));
  }
  if (isObject(expected)) {
    if (!isObject(found)) return `${at} is no object: ${shown(found)}`;
    return first(Object.entries(expected), ([name, value]) => mismatch(value, found[name], `${at}.${name}`));
  }
  return expected === found ? null : `${at} is ${shown(found)}, not ${shown(expected)}`;
}

function mismatchOfMatcher(name: string, value: unknown, found: unknown, at: string): string | null {
  const not = (what: string) => `${at} ${what}: ${shown(found)}`;
  switch (name) {
    case "$type":
      return typeOf(found) === value ? null : not(`is no ${value}`);
    case "$matches":
      return typeof found === "string" && new RegExp(String(value)).test(found) ? null : not(`does not match ${value}`);
    case "$length":
      return (found as string | unknown[] | undefined)?.length === value ? null : not(`has not the length ${value}`);
    case "$contains":
      if (typeof found === "string")
        return found.includes(String(value)) ? null : not(`does not contain ${shown(value)}`);
      if (!Array.isArray(found)) return not("is no list");
      return first(value as unknown[], (wanted) =>
        found.some((item) => mismatch(wanted, item) === null) ? null : not(`does not contain ${shown(wanted)}`),
      );
    case "$absent":
      return found === undefined || found === null ? null : not("is there");
    case "$not":
      return mismatch(value, found) === null ? not("is what it must not be") : null;
    default:
      throw new Error(`The contract has an unknown matcher ${name}.`);
  }
}

function typeOf(value: unknown): string {
  return value === null ? "null" : Array.isArray(value) ? "array" : typeof value;
}

function first<T>(items: readonly T[], complaint: (item: T) => string | null): string | null {
  for (const item of items) {
    const found = complaint(item);
    if (found !== null) return found;
  }
  return null;
}

function shown(value: unknown): string {
  return (JSON.stringify(value) ?? String(value)).slice(0, 2_000);
}
