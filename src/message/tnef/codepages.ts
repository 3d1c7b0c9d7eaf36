import { wholeDecoder } from "../mime/charset.ts";

/** Text in a codepage of Windows. */
export function decoded(bytes: Buffer, codepage: number): string {
  return decoderOf(codepage)(bytes);
}

/** Decodes texts in a codepage of Windows. Making a decoder costs more than a short text. */
export function decoderOf(codepage: number): (bytes: Buffer) => string {
  const plain = (bytes: Buffer) => bytes.toString("utf8");
  if (codepage === 65_001 || codepage === 20_127) return plain;
  const decode = wholeDecoder(codepages.get(codepage) ?? `cp${codepage}`);
  return (bytes) => decode(bytes) ?? plain(bytes);
}

/** Codepages of which other programs know no `cp` name. */
const codepages = new Map([
  [1200, "utf-16le"],
  [10_000, "macintosh"],
  [20_866, "koi8-r"],
  [21_866, "koi8-u"],
  [28_591, "iso-8859-1"],
  [28_592, "iso-8859-2"],
  [28_595, "iso-8859-5"],
  [28_605, "iso-8859-15"],
  [50_220, "iso-2022-jp"],
  [51_932, "euc-jp"],
  [54_936, "gb18030"],
]);

/** Text without the zero that ends it. */
export function terminated(text: string): string {
  const end = text.indexOf("\0");
  return end < 0 ? text : text.slice(0, end);
}
