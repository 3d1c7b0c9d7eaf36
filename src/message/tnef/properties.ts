import { terminated } from "./codepages.ts";

/** Properties by their ids; names of one's own, and lists, are left out. */
export type Properties = Map<number, string | number | bigint | Buffer>;

/** Bytes of values of fixed size, by their type (MS-OXCDATA 2.11.1). Short ones are padded to four. */
const fixedBytes: Record<number, number> = {
  ...{ 0: 0, 1: 0, 2: 4, 3: 4, 4: 4, 5: 8, 6: 8, 7: 8, 10: 4, 11: 4 },
  ...{ 20: 8, 64: 8, 72: 16 },
};
const INTEGER = 0x0003;
const TIME = 0x0040;
const STRING8 = 0x001e;
const UNICODE = 0x001f;
const OBJECT = 0x000d;
const BINARY = 0x0102;
/** A list of values of the type in the other bits. */
const MULTIPLE = 0x1000;
/** From here on, a property is known by a name. */
const NAMED_FIRST = 0x8000;
/** Outlook writes some 150. */
const PROPERTIES_MAX = 20_000;
/** Values of one property; more than a message has recipients. */
const VALUES_MAX = 20_000;

/**
 * Reads a list of MAPI properties (MS-OXTNEF 2.1.3.4). Throws RangeError if a length points past the end, and for a
 * type of unknown size or more values than a limit: what follows could not be read.
 * @param decode Decodes strings that are not in Unicode.
 */
export function readProperties(bytes: Buffer, decode: (bytes: Buffer) => string): Properties {
  const found: Properties = new Map();
  const count = bytes.readUInt32LE(0);
  if (count > PROPERTIES_MAX) throw new RangeError("There are too many properties.");
  let at = 4;
  for (let i = 0; i < count; i++) {
    const type = bytes.readUInt16LE(at);
    const id = bytes.readUInt16LE(at + 2);
    at += 4;
    if (id >= NAMED_FIRST) {
      // A set's GUID, then a number or a name.
      const isNumber = bytes.readUInt32LE(at + 16) === 0;
      at += isNumber ? 24 : 24 + padded(bytes.readUInt32LE(at + 20));
    }
    const plain = type & ~MULTIPLE;
    const isList = (type & MULTIPLE) !== 0;
    const fixed = fixedBytes[plain];
    const isVariable = [STRING8, UNICODE, OBJECT, BINARY].includes(plain);
    // Values of no size would cost time without bytes.
    if (!isVariable && (fixed === undefined || (isList && fixed === 0))) throw new RangeError("The type is unknown.");
    const values = isVariable || isList ? bytes.readUInt32LE(at) : 1;
    if (isVariable || isList) at += 4;
    if (values > VALUES_MAX) throw new RangeError("A property has too many values.");
    for (let value = 0; value < values; value++) {
      let length = fixed ?? 0;
      if (isVariable) {
        length = bytes.readUInt32LE(at);
        at += 4;
      }
      if (at + length > bytes.length) throw new RangeError("A value is longer than its list.");
      if (!isList && id < NAMED_FIRST) {
        const read = readValue(bytes.subarray(at, at + length), plain, decode);
        if (read !== null) found.set(id, read);
      }
      at += padded(length);
    }
  }
  return found;
}

function padded(length: number): number {
  return Math.ceil(length / 4) * 4;
}

function readValue(
  bytes: Buffer,
  type: number,
  decode: (bytes: Buffer) => string,
): string | number | bigint | Buffer | null {
  if (type === UNICODE) return terminated(bytes.toString("utf16le"));
  if (type === STRING8) return terminated(decode(bytes));
  if (type === BINARY || type === OBJECT) return bytes;
  if (type === INTEGER) return bytes.readUInt32LE(0);
  return type === TIME ? bytes.readBigUInt64LE(0) : null;
}
