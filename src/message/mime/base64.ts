/** What a byte of base64 is, if it is no digit. */
const EQUALS = 64;
const FOREIGN = 65;

/** The value of each byte as a digit (RFC 4648 4), EQUALS or FOREIGN. */
const standard = new Uint8Array(256).fill(FOREIGN);
for (const [value, digit] of [..."ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"].entries())
  standard[digit.charCodeAt(0)] = value;
standard["=".charCodeAt(0)] = EQUALS;

/** The same, with the digits of RFC 4648 5 as well. */
const withUrlSafe = standard.slice();
withUrlSafe["-".charCodeAt(0)] = 62;
withUrlSafe["_".charCodeAt(0)] = 63;

export function isDigit(byte: number): boolean {
  return (standard[byte] as number) < EQUALS;
}

/**
 * What decoders do at a "=". `completes`: it ends a group of digits that it makes a whole one, and is ignored elsewhere,
 * as in Python. `ends`: it ends any group. `ignored`: it is never a digit, as in Thunderbird and Node.
 * `zero`: it is a digit, as in GLib.
 */
type Equals = "completes" | "ends" | "ignored" | "zero";
const everyEquals: readonly Equals[] = ["completes", "ends", "ignored", "zero"];

/** Decodes base64 with padding between its pieces. Characters that are no digits are ignored (RFC 2045 6.8). */
export function decodeLeniently(bytes: Uint8Array): Buffer {
  return decode(bytes, standard, "completes");
}

/** Everything that decoders make of the same base64 with foreign characters or padding inside; each reading once. Linear. */
export function base64Readings(bytes: Uint8Array): Buffer[] {
  const alphabets = hasUrlSafe(bytes) ? [standard, withUrlSafe] : [standard];
  const readings: Buffer[] = [];
  for (const alphabet of alphabets)
    for (const equals of hasInnerEquals(bytes) ? everyEquals : everyEquals.slice(0, 1)) {
      const reading = decode(bytes, alphabet, equals);
      if (!readings.some((other) => other.equals(reading))) readings.push(reading);
    }
  return readings;
}

function hasUrlSafe(bytes: Uint8Array): boolean {
  return bytes.includes(0x2d) || bytes.includes(0x5f);
}

/** Whether a digit follows a "=". */
function hasInnerEquals(bytes: Uint8Array): boolean {
  const at = bytes.indexOf(0x3d);
  return at >= 0 && bytes.subarray(at).some((byte) => (withUrlSafe[byte] as number) < EQUALS);
}

function decode(bytes: Uint8Array, values: Uint8Array, equals: Equals): Buffer {
  const out = Buffer.allocUnsafe(Math.ceil(bytes.length / 4) * 3);
  let length = 0;
  /** The group that is read: its digits, their bits, and how many "=" follow them. */
  let [digits, bits, pads] = [0, 0, 0];
  const endGroup = (count: number) => {
    for (let i = 0; i < count; i++) out[length++] = (bits << (24 - 6 * digits)) >> (16 - 8 * i);
    digits = 0;
    bits = 0;
    pads = 0;
  };
  for (let i = 0; i < bytes.length; i++) {
    const value = values[bytes[i] as number] as number;
    if (value === FOREIGN) continue;
    if (value === EQUALS) {
      pads++;
      if (equals === "zero") {
        bits <<= 6;
        if (++digits === 4) endGroup(Math.max(1, 3 - pads));
      } else if (equals === "ends" || (equals === "completes" && digits >= 2 && digits + pads >= 4))
        endGroup((digits * 6) >> 3);
    } else {
      pads = 0;
      bits = (bits << 6) | value;
      if (++digits === 4) endGroup(3);
    }
  }
  endGroup((digits * 6) >> 3);
  return out.subarray(0, length);
}
