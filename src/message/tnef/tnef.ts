import { decoded, decoderOf, terminated } from "./codepages.ts";
import { type Properties, readProperties } from "./properties.ts";
import { rtfBytes, rtfText, uncompressedRtf } from "./rtf.ts";

/** What a file in TNEF (MS-OXTNEF), such as winmail.dat, holds of a message of Outlook or Exchange. */
export interface TnefMessage {
  subject: string;
  from: { name: string; address: string };
  date: Date | null;
  /** Plain text, or what the rich text says; "" if it has none. */
  text: string;
  html: string | null;
  /** Whether the rich text, or that of a message in it, is longer than is read. */
  isCut: boolean;
  /** Words of the rich text, and of that of messages in it, that readers do not see; "" if there are none. */
  hidden: string;
  files: TnefFile[];
}

export type TnefFile = {
  /** "" if it has none. */
  filename: string;
  contentId: string;
} & ({ contentType: string; content: Buffer; message: null } | { message: TnefMessage });

/** MS-OXTNEF 2.1.3.1. */
const SIGNATURE = 0x223e9f78;
/** MS-OXTNEF 2.1.3.2: level, id and length come before the data of an attribute, and a checksum after it. */
const ATTRIBUTE_HEAD_BYTES = 9;
const CHECKSUM_BYTES = 2;
/** Real files have ten, and five for each attachment. */
const ATTRIBUTES_MAX = 50_000;
/** Files in one mail, with those in messages in it. */
const FILES_MAX = 500;
/** Messages inside messages. */
const DEPTH_MAX = 4;
/** RTF read of one mail, with all messages in it: that of a long mail with a long thread has 1 MB. */
const RTF_BYTES_MAX = 3 * 1024 * 1024;

/** Characters kept of a subject, a name or an id: a little more than is kept of the subject of any mail. */
const STRING_CHARS_MAX = 2_000;

/** What is still read of one mail. */
export interface TnefBudget {
  /** Bytes of RTF. */
  bytesLeft: number;
  /** Files, in all TNEF together. */
  filesLeft: number;
}

export function newTnefBudget(): TnefBudget {
  return { bytesLeft: RTF_BYTES_MAX, filesLeft: FILES_MAX };
}

/** Ids of attributes, with the type of their data in the upper half (MS-OXTNEF 2.1.3.2). */
const attribute = {
  codepage: 0x00069007,
  subject: 0x00018004,
  body: 0x0002800c,
  messageProperties: 0x00069003,
  fileBegins: 0x00069002,
  fileTitle: 0x00018010,
  fileData: 0x0006800f,
  fileProperties: 0x00069005,
};

/** Ids of properties (MS-OXPROPS). */
const property = {
  subject: 0x0037,
  submitTime: 0x0039,
  representedName: 0x0042,
  representedAddress: 0x0065,
  body: 0x1000,
  compressedRtf: 0x1009,
  html: 0x1013,
  displayName: 0x3001,
  data: 0x3701,
  filename: 0x3704,
  longFilename: 0x3707,
  mimeType: 0x370e,
  contentId: 0x3712,
  internetCodepage: 0x3fde,
  representedSmtpAddress: 0x5d02,
};

/** How an embedded object begins that is a message: IID_IMessage, as its bytes. */
const iidMessage = Buffer.from("0703020000000000c000000000000046", "hex");

/**
 * Reads a file in TNEF. Null if it is not one, is cut off, or is past a limit. Checksums are not compared: some
 * programs write wrong ones. Never throws; time is linear, and contents are not copied.
 */
export function readTnef(bytes: Buffer, budget = newTnefBudget(), depth = 0): TnefMessage | null {
  try {
    return depth > DEPTH_MAX ? null : read(bytes, budget, depth);
  } catch (error) {
    // A length that points past the end.
    if (error instanceof RangeError) return null;
    throw error;
  }
}

const windows1252 = decoderOf(1252);

interface OpenFile {
  title: string;
  data: Buffer | null;
  properties: Properties;
}

function read(bytes: Buffer, budget: TnefBudget, depth: number): TnefMessage | null {
  if (bytes.readUInt32LE(0) !== SIGNATURE) return null;
  /** The first one that the file names counts: others would each cost a decoder. */
  let codepage: number | null = null;
  let decode = windows1252;
  let subject = "";
  let body = "";
  let properties: Properties = new Map();
  const files: OpenFile[] = [];
  const textOf = (data: Buffer) => terminated(decode(data));
  // A key that only matters to writers comes after the signature.
  let count = 0;
  for (let at = 6; at < bytes.length; count++) {
    if (count === ATTRIBUTES_MAX) return null;
    const id = bytes.readUInt32LE(at + 1);
    const length = bytes.readUInt32LE(at + 5);
    const start = at + ATTRIBUTE_HEAD_BYTES;
    if (start + length > bytes.length) return null;
    const data = bytes.subarray(start, start + length);
    at = start + length + CHECKSUM_BYTES;
    const file = files.at(-1);
    if (id === attribute.codepage && codepage === null) {
      codepage = data.readUInt32LE(0);
      decode = decoderOf(codepage);
    } else if (id === attribute.subject) subject = textOf(data);
    else if (id === attribute.body) body = textOf(data);
    else if (id === attribute.messageProperties) properties = readProperties(data, decode);
    else if (id === attribute.fileBegins) {
      if (budget.filesLeft === 0) return null;
      budget.filesLeft--;
      files.push({ title: "", data: null, properties: new Map() });
    } else if (file && id === attribute.fileTitle) file.title = textOf(data);
    else if (file && id === attribute.fileData) file.data = data;
    else if (file && id === attribute.fileProperties) file.properties = readProperties(data, decode);
  }
  const markup = properties.get(property.html);
  const htmlCodepage = numberOf(properties, property.internetCodepage) ?? codepage ?? 1252;
  const html = Buffer.isBuffer(markup) ? decoded(markup, htmlCodepage) : typeof markup === "string" ? markup : null;
  const rtf = bytesOf(properties, property.compressedRtf);
  const text = textIn(properties, property.body) || body;
  const rich = text || html !== null ? null : rtf;
  const richBytes = rich === null ? 0 : Math.min(rtfBytes(rich), budget.bytesLeft);
  budget.bytesLeft -= richBytes;
  const opened = files.map((file) => readFile(file, budget, depth));
  // Part of what is inside would be missing.
  if (opened.includes(null)) return null;
  const said = rich === null ? { text, hidden: "" } : rtfText(uncompressedRtf(rich, richBytes));
  return {
    subject: stringOf(properties, property.subject) || subject.slice(0, STRING_CHARS_MAX),
    from: {
      name: stringOf(properties, property.representedName),
      address:
        stringOf(properties, property.representedSmtpAddress) || stringOf(properties, property.representedAddress),
    },
    date: dateOf(properties.get(property.submitTime)),
    text: said.text,
    html,
    isCut: (rich !== null && rtfBytes(rich) > richBytes) || opened.some((file) => file?.message?.isCut),
    hidden: [said.hidden, ...opened.map((file) => file?.message?.hidden ?? "")].filter((one) => one !== "").join("\n"),
    files: opened as TnefFile[],
  };
}

function readFile({ title, data, properties }: OpenFile, budget: TnefBudget, depth: number): TnefFile | null {
  const written = textIn(properties, property.longFilename) || title || textIn(properties, property.filename);
  const filename = shortened(written);
  const contentId = stringOf(properties, property.contentId);
  const object = bytesOf(properties, property.data);
  if (object?.subarray(0, iidMessage.length).equals(iidMessage)) {
    const message = readTnef(object.subarray(iidMessage.length), budget, depth + 1);
    const name = shortened(textIn(properties, property.displayName)) || filename;
    return message && { filename: name, contentId, message };
  }
  const contentType = stringOf(properties, property.mimeType).trim().toLowerCase();
  const content = data ?? object ?? Buffer.alloc(0);
  return { filename, contentId, contentType, content, message: null };
}

function stringOf(properties: Properties, id: number): string {
  return textIn(properties, id).slice(0, STRING_CHARS_MAX);
}

/** A string of any length. */
function textIn(properties: Properties, id: number): string {
  const value = properties.get(id);
  return typeof value === "string" ? value : "";
}

/** The beginning and the end, with the extension, of a long name. */
function shortened(name: string): string {
  const half = STRING_CHARS_MAX / 2;
  return name.length <= STRING_CHARS_MAX ? name : name.slice(0, half) + name.slice(-half);
}

/** A property that is bytes, as most are, or text, as the content of a text file may be. */
function bytesOf(properties: Properties, id: number): Buffer | null {
  const value = properties.get(id);
  if (typeof value === "string") return Buffer.from(value);
  return Buffer.isBuffer(value) ? value : null;
}

function numberOf(properties: Properties, id: number): number | null {
  const value = properties.get(id);
  return typeof value === "number" ? value : null;
}

/** A time in units of 100 ns since 1601 (MS-DTYP 2.3.3). */
function dateOf(value: unknown): Date | null {
  if (typeof value !== "bigint") return null;
  const date = new Date(Number(value / 10_000n) - 11_644_473_600_000);
  return date.getTime() > 0 && date.getUTCFullYear() < 10_000 ? date : null;
}
