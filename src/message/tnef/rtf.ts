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
const aside = new Set(["fonttbl", "colortbl", "stylesheet", "info", "pict", "header", "footer", "listtable", "object"]);
const signs = new Map(
  Object.entries({
    ...{ par: "\n", line: "\n", sect: "\n", page: "\n", row: "\n", cell: "\t", tab: "\t" },
    ...{ lquote: "‘", rquote: "’", ldblquote: "“", rdblquote: "”", bullet: "•", endash: "–", emdash: "—" },
  }),
);
const controlWord = /\\(?:([a-z]{1,32})(-?\d{1,10})? ?|'([0-9a-f]{2})|([^a-z]))/iy;

/** Codepages by `\fcharset`; of others, the document's counts. */
const charsets: Record<number, number> = {
  ...{ 0: 1252, 77: 10_000, 128: 932, 129: 949, 130: 1361, 134: 936, 136: 950, 161: 1253, 162: 1254, 163: 1258 },
  ...{ 177: 1255, 178: 1256, 186: 1257, 204: 1251, 222: 874, 238: 1250, 254: 437, 255: 850 },
};
/** Codepages of which some characters have two bytes. */
const doubleBytes = new Set([932, 936, 949, 950, 1361]);
/** Fonts and codepages that are kept. Real documents have fewer than 100 fonts. */
const FONTS_MAX = 10_000;
const CODEPAGES_MAX = 50;

interface Group {
  /** Whether it holds no words of the text. */
  isAside: boolean;
  isFontTable: boolean;
  /** Whether readers do not see its words: `\v`. */
  isHidden: boolean;
  /** The number of its font. */
  font: number;
  /** Characters that follow `\u` for readers without Unicode. */
  fallbackChars: number;
}

interface ShortDecoder {
  decode(bytes: number[]): string;
  /** Whether a character that begins with this byte has another one. */
  isLead(byte: number): boolean;
}

/** Decodes bytes; those of one letter, which most are, only the first time. */
function shortDecoder(codepage: number): ShortDecoder {
  const decode = decoderOf(codepage);
  const known = new Map<number, string>();
  const isDouble = doubleBytes.has(codepage);
  return {
    decode(bytes) {
      if (bytes.length > 2) return decode(Buffer.from(bytes));
      const key = bytes.length * 0x10000 + (bytes[0] as number) * 0x100 + (bytes[1] ?? 0);
      const text = known.get(key) ?? decode(Buffer.from(bytes));
      known.set(key, text);
      return text;
    },
    // In Shift_JIS, katakana have one byte.
    isLead: (byte) => isDouble && byte > 0x80 && !(codepage === 932 && byte >= 0xa0 && byte < 0xe0),
  };
}

/** What RTF says, and what it says in words that readers do not see, both without formatting. Time is linear. */
export function rtfText(rtf: string): { text: string; hidden: string } {
  let out = "";
  let hidden = "";
  /** The codepage of fonts that name none, and the font of text that names none. */
  let usual: number | null = null;
  let usualFont = 0;
  const fonts = new Map<number, number>();
  const decoders = new Map<number, ShortDecoder>();
  let bytes: number[] = [];
  /** Whether the last byte is the first half of a character. */
  let isHalf = false;
  let skip = 0;
  /** The font that the table of fonts describes. */
  let described = 0;
  let group: Group = { isAside: false, isFontTable: false, isHidden: false, font: 0, fallbackChars: 1 };
  const outer: Group[] = [];
  let tooDeep = 0;
  const decoder = (): ShortDecoder => {
    let codepage = fonts.get(group.font) ?? usual ?? 1252;
    if (!decoders.has(codepage) && decoders.size === CODEPAGES_MAX) codepage = 1252;
    const found = decoders.get(codepage) ?? shortDecoder(codepage);
    decoders.set(codepage, found);
    return found;
  };
  const write = (text: string) => {
    if (group.isHidden) hidden += text;
    else out += text;
  };
  /** Writes the bytes that wait; before anything that changes how they are read. */
  const flush = () => {
    if (bytes.length > 0) write(decoder().decode(bytes));
    bytes = [];
    isHalf = false;
  };
  const sayByte = (byte: number) => {
    if (skip > 0) skip--;
    else if (!group.isAside) {
      bytes.push(byte);
      isHalf = !isHalf && decoder().isLead(byte);
    }
  };
  const say = (text: string) => {
    // Some programs write the second half as the letter that it looks like.
    if (isHalf && text.length === 1 && text >= "@" && text < "\x7f") return sayByte(text.charCodeAt(0));
    if (skip > 0) skip--;
    else if (!group.isAside) {
      flush();
      write(text);
    }
  };
  const setFont = (font: number) => {
    flush();
    group.font = font;
  };
  const setHidden = (isHidden: boolean) => {
    flush();
    group.isHidden = isHidden;
  };
  for (let at = 0; at < rtf.length; ) {
    const character = rtf[at] as string;
    if (character === "{") {
      if (outer.length < DEPTH_MAX) outer.push({ ...group });
      else tooDeep++;
      skip = 0;
      at++;
    } else if (character === "}") {
      flush();
      if (tooDeep > 0) tooDeep--;
      else group = outer.pop() ?? group;
      skip = 0;
      at++;
    } else if (character === "\\") {
      controlWord.lastIndex = at;
      const [whole = character, word, number, code, sign] = controlWord.exec(rtf) ?? [];
      at += whole.length;
      if (code !== undefined) sayByte(Number.parseInt(code, 16));
      else if (sign !== undefined) {
        if (sign === "*") group.isAside = true;
        else if ("\\{}".includes(sign)) say(sign);
        else if (sign === "~") say("\u00a0");
        else if (sign === "\n" || sign === "\r") say("\n");
      } else if (word !== undefined) {
        const value = Number(number ?? Number.NaN);
        if (word === "fonttbl") group.isFontTable = true;
        if (aside.has(word)) group.isAside = true;
        // The header has it once.
        else if (word === "ansicpg" && value > 0) usual ??= value;
        else if (word === "deff") {
          usualFont = value;
          setFont(value);
        } else if (word === "f" && group.isFontTable) described = value;
        else if (word === "f") setFont(value);
        else if ((word === "fcharset" || word === "cpg") && group.isFontTable) {
          const codepage = word === "cpg" ? value : charsets[value];
          if (codepage !== undefined && codepage > 0 && fonts.size < FONTS_MAX) fonts.set(described, codepage);
        } else if (word === "plain") {
          setFont(usualFont);
          setHidden(false);
        } else if (word === "v") setHidden(value !== 0);
        else if (word === "uc") group.fallbackChars = value >= 0 ? Math.min(value, 10) : 1;
        else if (word === "u" && !Number.isNaN(value)) {
          say(String.fromCharCode(value & 0xffff));
          skip = group.fallbackChars;
        } else if (word === "bin") at += Math.max(value || 0, 0);
        else if (signs.has(word)) say(signs.get(word) as string);
      }
    } else {
      if (character > "\x7f") sayByte(character.charCodeAt(0));
      else if (character !== "\r" && character !== "\n") say(character);
      at++;
    }
  }
  flush();
  return { text: trimmed(out), hidden: trimmed(hidden) };
}

function trimmed(text: string): string {
  return text.toWellFormed().replace(/^\n+/, "").trimEnd();
}
