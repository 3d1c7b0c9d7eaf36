/** Plain data, including dates, as JSON. Long strings travel beside it, so neither side quotes or parses them. */

/** From this length a string costs more inside the JSON than beside it. */
const TEXT_CHARS_MIN = 512;
/** A long string is compared with this many before it: a message's new text is often the start of its whole text. */
const TEXTS_COMPARED_MAX = 4;
/** Begins a string that encodes another value. A real string that begins with it gets the mark and an `s` in front. */
const MARK = "\0";
const MARK_IN_JSON = "\\u0000";

export interface PlainData {
  json: string;
  texts: string[];
}

/**
 * Encodes null, booleans, numbers, strings, dates, arrays and plain objects; undefined members are left out.
 * Throws TypeError for anything else.
 */
export function encodePlainData(data: unknown): PlainData {
  const texts: string[] = [];
  const json = JSON.stringify(data, function (this: Record<string, unknown>, key, value: unknown) {
    if (typeof value === "string") {
      if (value.length >= TEXT_CHARS_MIN) return MARK + textMark(value, texts);
      // JSON.stringify has already called the date's toJSON.
      if (typeof this[key] === "object") return `${MARK}d${value}`;
      return value.charCodeAt(0) === 0 ? `${MARK}s${value}` : value;
    }
    if (typeof value === "number") return Number.isFinite(value) ? value : `${MARK}n${value}`;
    if (typeof value === "object" && value !== null && !isPlain(value))
      throw new TypeError(`${key || "the value"} is not plain data`);
    return value;
  });
  return { json, texts };
}

/** Restores the data. Throws SyntaxError for JSON, or RangeError for texts, that `encodePlainData` did not make. */
export function decodePlainData({ json, texts }: PlainData): unknown {
  const data: unknown = JSON.parse(json);
  return json.includes(MARK_IN_JSON) ? restored(data, texts) : data;
}

function isPlain(value: object): boolean {
  const prototype = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null || Array.isArray(value);
}

/** `t`, the text's index and its length; the text may be the beginning of a longer one that is already there. */
function textMark(text: string, texts: string[]): string {
  for (let i = texts.length - 1; i >= 0 && i >= texts.length - TEXTS_COMPARED_MAX; i--)
    if (texts[i]?.startsWith(text)) return `t${i}:${text.length}`;
  texts.push(text);
  return `t${texts.length - 1}:${text.length}`;
}

function restored(value: unknown, texts: readonly string[]): unknown {
  if (typeof value === "string") return value.charCodeAt(0) === 0 ? unmarked(value, texts) : value;
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) value[i] = restored(value[i], texts);
  } else if (typeof value === "object" && value !== null) {
    const members = value as Record<string, unknown>;
    for (const key of Object.keys(members)) {
      const member = members[key];
      const again = restored(member, texts);
      if (again !== member) members[key] = again;
    }
  }
  return value;
}

function unmarked(marked: string, texts: readonly string[]): unknown {
  const kind = marked[1];
  const rest = marked.slice(2);
  if (kind === "s") return rest;
  if (kind === "d") return new Date(rest);
  if (kind === "n") return Number(rest);
  const [index, length] = rest.split(":").map(Number);
  const text = texts[index ?? -1];
  if (kind !== "t" || text === undefined || length === undefined) throw new RangeError("a text is missing");
  return text.length === length ? text : text.slice(0, length);
}
