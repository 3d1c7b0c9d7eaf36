import libmime from "libmime";
import type { Defects } from "../defects.ts";
import { fieldsNamed, fieldText, type HeaderBlock, type RawField } from "../headers.ts";
import { isCharset, isUtf7 } from "./charset.ts";
import type { TransferEncoding } from "./transfer.ts";
import { decodeWords } from "./words.ts";

/** What the header of a part says of its content (RFC 2045, RFC 2183), as a forgiving mail program reads it. */
export interface PartHeader {
  /** In lower case, without parameters. */
  type: string;
  /** Of a multipart; otherwise null. */
  boundary: string | null;
  charset: string | null;
  /** RFC 3676. */
  flowed: { joinsWords: boolean } | null;
  encoding: TransferEncoding;
  /** Null if the header does not say. Anything but `inline` counts as an attachment (RFC 2183 2.8). */
  disposition: "inline" | "attachment" | null;
  fields: HeaderBlock;
}

/** RFC 2046 5.1.1 allows 70. Each line that begins with two hyphens is compared with every open boundary. */
const BOUNDARY_CHARS_MAX = 998;
const describing = ["content-type", "content-transfer-encoding", "content-disposition"];

/** RFC 2045 5.1: what a type and a subtype consist of. */
const mediaType = /^[\w!#$&^.+-]{1,127}\/[\w!#$&^.+-]{1,127}$/;
const mediaTypeFirst = /^([\w!#$&^.+-]{1,127}\/[\w!#$&^.+-]{1,127})[\s,:]/;

/**
 * Reads the fields that describe a part.
 * @param defaultType The type of a part without Content-Type (RFC 2045 5.2, RFC 2046 5.1.5).
 */
export function describePart(fields: HeaderBlock, defaultType: string, defects: Defects): PartHeader {
  const { value: written, params, isRepaired } = contentType(fields);
  const { value: disposed, params: named } = parsed(fields, "content-disposition");
  const disposition = disposed === "" ? null : disposed.toLowerCase() === "inline" ? "inline" : "attachment";
  const isFile =
    disposition === "attachment" || [named, params].some(({ filename, name }) => Boolean(filename ?? name));
  // RFC 2045 5.2: what cannot be read is text, but a file of unknown type stays one.
  const type = written === "" ? defaultType : (written ?? (isFile ? "application/octet-stream" : "text/plain"));
  const isMultipart = type.startsWith("multipart/");
  // A boundary does not end in a space (RFC 2046 5.1.1).
  const given = params.boundary?.trimEnd() ?? "";
  const boundary = isMultipart ? (given.length <= BOUNDARY_CHARS_MAX ? given : "") : null;
  if (boundary === "") defects.add("boundary_missing");

  const encoding = transferEncoding(fields);
  if (encoding === null) defects.add("encoding_unknown");
  const isRepeated = describing.some((key) => fieldsNamed(fields, key).length > 1);
  // RFC 2045 6.4: a multipart is not encoded itself.
  const isEncodedWhole = isMultipart && encoding !== null && encoding.name !== "identity";
  const isOdd = isRepeated || isGivenTwice(fields) || isEncodedWhole || isRepaired || encoding?.isRepaired === true;
  if (isOdd || fields.fields.some((field) => field.key === "" || hasOddLine(field))) defects.add("part_ambiguous");
  const charset = params.charset || null;
  if (type.startsWith("text/") && charset !== null) {
    if (!isCharset(charset)) defects.add("charset_unknown");
    else if (isUtf7(charset)) defects.add("charset_utf7");
  }
  const isFlowed = type === "text/plain" && params.format?.toLowerCase() === "flowed";
  return {
    type,
    boundary: boundary || null,
    charset,
    flowed: isFlowed ? { joinsWords: params.delsp?.toLowerCase() === "yes" } : null,
    encoding: encoding?.name ?? "identity",
    disposition,
    fields,
  };
}

/** Whether a type has a second boundary or charset: programs differ in which one counts. */
function isGivenTwice(fields: HeaderBlock): boolean {
  const [field] = fieldsNamed(fields, "content-type");
  const names = [...lineOf(field).matchAll(/[;\s](boundary|charset)[*\d]{0,4}\s{0,5}=/gi)];
  return new Set(names.map(([, name = ""]) => name.toLowerCase())).size < names.length;
}

interface Parsed {
  value: string;
  params: Record<string, string | undefined>;
}

/** A field's value with one space for each run of white space outside quotes, which a host on the way may lengthen. */
function lineOf(field: RawField | undefined, charset?: string | null): string {
  const pieces = field ? fieldText(field, charset).split('"') : [];
  return pieces.map((piece, i) => (i % 2 === 0 ? piece.replace(/[ \t]+/g, " ") : piece)).join('"');
}

function parsed(fields: HeaderBlock, key: string, charset?: string | null): Parsed {
  const [field] = fieldsNamed(fields, key);
  const text = lineOf(field, charset);
  // Only the parameter, without the value before it: `Content-Disposition: filename="a.pdf"`.
  const isAlone = /^(?:file)?name\*?\d{0,2}\*? ?=/i.test(text);
  return libmime.parseHeaderValue(isAlone ? `;${text}` : text, { stripComments: true });
}

/** The media type, "" if there is none, or null if it cannot be read; `isRepaired` unless it is as it should be. */
function contentType(fields: HeaderBlock): Omit<Parsed, "value"> & { value: string | null; isRepaired: boolean } {
  const [field] = fieldsNamed(fields, "content-type");
  const found = parsed(fields, "content-type");
  const value = found.value.toLowerCase();
  const swapped = /^(plain|html)\/text$/.exec(value)?.[1];
  if (swapped) return { value: `text/${swapped}`, params: found.params, isRepaired: true };
  if (value === "" || mediaType.test(value)) return { value, params: found.params, isRepaired: false };
  const text = lineOf(field);
  const first = mediaTypeFirst.exec(text);
  if (first) {
    // Without the semicolon: `text/plain charset="utf-8"`.
    const params = text.slice(first[0].length).replace(/^[\s,:;]+/, "");
    const repaired = libmime.parseHeaderValue(`${first[1]};${params}`, { stripComments: true });
    return { value: repaired.value.toLowerCase(), params: repaired.params, isRepaired: true };
  }
  return { value: /\bhtml\b/.test(value) ? "text/html" : null, params: found.params, isRepaired: true };
}

/** Null if the encoding is unknown; `isRepaired` unless it is written as RFC 2045 6.1 says. */
function transferEncoding(fields: HeaderBlock): { name: TransferEncoding; isRepaired: boolean } | null {
  const { value } = parsed(fields, "content-transfer-encoding");
  const written = fieldsNamed(fields, "content-transfer-encoding")[0];
  const isRepaired = /[";]/.test(written?.binary ?? "");
  const known = value.toLowerCase();
  if (["", "7bit", "8bit", "binary"].includes(known)) return { name: "identity", isRepaired };
  if (known === "base64" || known === "quoted-printable") return { name: known, isRepaired };
  const letters = known.replace(/[^a-z0-9]/g, "");
  if (letters.startsWith("base64")) return { name: "base64", isRepaired: true };
  if (letters.startsWith("quotedprintable")) return { name: "quoted-printable", isRepaired: true };
  return /^(?:7bits?|8bits?|binary|none)/.test(letters) ? { name: "identity", isRepaired: true } : null;
}

/** Whether a line of the value lacks a fold or is only white space: some readers begin a field there. */
function hasOddLine({ binary }: RawField): boolean {
  const further = binary.split("\n").slice(1);
  return further.some((line) => line !== "" && (!/^[ \t]/.test(line) || line.trim() === ""));
}

/**
 * The name of a part's file as its header gives it; "" if there is none.
 * @param charset What bytes outside ASCII are written in, unless they are UTF-8.
 */
export function fileName({ fields }: PartHeader, charset: string | null): string {
  const nameOf = (key: string, ...parameters: string[]) => {
    const { params, decodedParams } = parsed(fields, key, charset) as Parsed & { decodedParams?: string[] };
    const parameter = parameters.find((one) => params[one]);
    if (parameter === undefined) return "";
    const name = params[parameter] ?? "";
    if (decodedParams?.includes(parameter)) return name;
    const [field] = fieldsNamed(fields, key);
    const last = lineOf(field, charset).split("=").at(-1)?.trim();
    // A name with a semicolon, which lacks its quotes.
    const isCut = last?.startsWith(`${name};`) && !/[";]$/.test(last);
    return decodeWords(isCut ? (last as string) : name);
  };
  return nameOf("content-disposition", "filename", "name") || nameOf("content-type", "name", "filename");
}

/** A parameter of the Content-Type; "" if there is none. */
export function typeParameter({ fields }: PartHeader, name: string): string {
  return parsed(fields, "content-type").params[name] ?? "";
}

/** The Content-ID without its brackets; "" if there is none. */
export function contentId({ fields }: PartHeader): string {
  const [field] = fieldsNamed(fields, "content-id");
  return field ? fieldText(field).replace(/^<|>$/g, "") : "";
}

/** What Content-Description says, if it reads like the name of a file; otherwise "". */
export function describedName({ fields }: PartHeader): string {
  const [field] = fieldsNamed(fields, "content-description");
  const text = field ? decodeWords(fieldText(field).replace(/\s+/g, " ")) : "";
  return /^[^\n]{1,200}\.[A-Za-z0-9]{1,5}$/.test(text) ? text : "";
}
