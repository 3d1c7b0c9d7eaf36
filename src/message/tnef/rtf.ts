import { decoderOf } from "./codepages.ts";

/** Groups inside groups. */
const DEPTH_MAX = 1_000;

/** MS-OXRTFCP 2.1.2.1: what the dictionary holds at first. */
const dictionaryStart =
  "{\\rtf1\\ansi\\mac\\deff0\\deftab720{\\fonttbl;}{\\f0\\fnil \\froman \\fswiss \\fmodern \\fscript \\fdecor MS Sans " +
  "SerifSymbolArialTimes New RomanCourier{\\colortbl\\red0\\green0\\blue0\r\n\\par \\pard\\plain\\f0\\fs20\\b\\i\\u\\tab\\tx";
const DICTIONARY_BYTES = 4096;
const HEAD_BYTES = 16;
/** "LZFu" and "MELA": compressed or not. */
const COMPRESSED = 0x75465a4c;
const UNCOMPRESSED = 0x414c454d;

/** The bytes that compressed RTF says it has. */
export function rtfBytes(bytes: Buffer): number {
  return bytes.length < HEAD_BYTES ? 0 : bytes.readUInt32LE(4);
}

/** Decompresses RTF (MS-OXRTFCP) up to a limit; "" if it is something else. One character per byte. */
export function uncompressedRtf(bytes: Buffer, bytesMax: number): string {
  if (bytes.length < HEAD_BYTES) return "";
  const kind = bytes.readUInt32LE(8);
  const rawBytes = Math.min(rtfBytes(bytes), bytesMax);
  if (kind === UNCOMPRESSED) return bytes.toString("latin1", HEAD_BYTES, HEAD_BYTES + rawBytes);
  if (kind !== COMPRESSED) return "";
  const dictionary = Buffer.alloc(DICTIONARY_BYTES);
  let write = dictionary.write(dictionaryStart, "latin1");
  const out = Buffer.alloc(rawBytes);
  let length = 0;
  const put = (byte: number) => {
    if (length < rawBytes) out[length++] = byte;
    dictionary[write] = byte;
    write = (write + 1) % DICTIONARY_BYTES;
  };
  for (let at = HEAD_BYTES; at < bytes.length && length < rawBytes; ) {
    const control = bytes[at++] as number;
    for (let bit = 0; bit < 8 && at < bytes.length; bit++) {
      if ((control & (1 << bit)) === 0) {
        put(bytes[at++] as number);
        continue;
      }
      const reference = ((bytes[at] as number) << 8) | (bytes[at + 1] ?? 0);
      at += 2;
      const offset = reference >> 4;
      // A reference to the place of writing is the end.
      if (offset === write) return out.toString("latin1", 0, length);
      for (let i = 0; i < (reference & 0x0f) + 2; i++) put(dictionary[(offset + i) % DICTIONARY_BYTES] as number);
    }
  }
  return out.toString("latin1", 0, length);
}

/** Groups that hold no words of the text; so do all that begin with `\*`. */
const hidden = new Set([
  "fonttbl",
  "colortbl",
  "stylesheet",
  "info",
  "pict",
  "header",
  "footer",
  "listtable",
  "object",
]);
const signs = new Map(
  Object.entries({
    ...{ par: "\n", line: "\n", sect: "\n", page: "\n", row: "\n", cell: "\t", tab: "\t" },
    ...{ lquote: "‘", rquote: "’", ldblquote: "“", rdblquote: "”", bullet: "•", endash: "–", emdash: "—" },
  }),
);
const controlWord = /\\(?:([a-z]{1,32})(-?\d{1,10})? ?|'([0-9a-f]{2})|([^a-z]))/iy;

interface Group {
  isHidden: boolean;
  /** Characters that follow `\u` for readers without Unicode. */
  fallbackChars: number;
}

/** Decodes bytes; those of one letter, which most are, only the first time. */
function shortDecoder(codepage: number): (bytes: number[]) => string {
  const decode = decoderOf(codepage);
  const known = new Map<number, string>();
  return (bytes) => {
    if (bytes.length > 2) return decode(Buffer.from(bytes));
    const key = bytes.length * 0x10000 + (bytes[0] as number) * 0x100 + (bytes[1] ?? 0);
    const text = known.get(key) ?? decode(Buffer.from(bytes));
    known.set(key, text);
    return text;
  };
}

/** What RTF says, without its formatting. Time is linear. */
export function rtfText(rtf: string): string {
  let out = "";
  let bytes: number[] = [];
  let decode: ReturnType<typeof shortDecoder> | null = null;
  const windows1252 = shortDecoder(1252);
  let skip = 0;
  let group: Group = { isHidden: false, fallbackChars: 1 };
  const outer: Group[] = [];
  let tooDeep = 0;
  const flush = () => {
    if (bytes.length > 0) out += (decode ?? windows1252)(bytes);
    bytes = [];
  };
  const say = (text: string) => {
    if (skip > 0) skip--;
    else if (!group.isHidden) {
      flush();
      out += text;
    }
  };
  for (let at = 0; at < rtf.length; ) {
    const character = rtf[at] as string;
    if (character === "{") {
      if (outer.length < DEPTH_MAX) outer.push({ ...group });
      else tooDeep++;
      skip = 0;
      at++;
    } else if (character === "}") {
      if (tooDeep > 0) tooDeep--;
      else group = outer.pop() ?? group;
      skip = 0;
      at++;
    } else if (character === "\\") {
      controlWord.lastIndex = at;
      const [whole = character, word, number, code, sign] = controlWord.exec(rtf) ?? [];
      at += whole.length;
      if (code !== undefined) {
        if (skip > 0) skip--;
        else if (!group.isHidden) bytes.push(Number.parseInt(code, 16));
      } else if (sign !== undefined) {
        if (sign === "*") group.isHidden = true;
        else if ("\\{}".includes(sign)) say(sign);
        else if (sign === "~") say("\u00a0");
        else if (sign === "\n" || sign === "\r") say("\n");
      } else if (word !== undefined) {
        const value = Number(number ?? Number.NaN);
        if (hidden.has(word)) group.isHidden = true;
        // The header has it once.
        else if (word === "ansicpg" && value > 0) decode ??= shortDecoder(value);
        else if (word === "uc") group.fallbackChars = value >= 0 ? Math.min(value, 10) : 1;
        else if (word === "u" && !Number.isNaN(value)) {
          say(String.fromCharCode(value & 0xffff));
          skip = group.fallbackChars;
        } else if (word === "bin") at += Math.max(value || 0, 0);
        else if (signs.has(word)) say(signs.get(word) as string);
      }
    } else {
      if (character !== "\r" && character !== "\n") say(character);
      at++;
    }
  }
  flush();
  return out.toWellFormed().replace(/^\n+/, "").trimEnd();
}
