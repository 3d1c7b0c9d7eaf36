import { isAscii } from "node:buffer";
import { asBuffer, scanHeaders } from "./headers.ts";
import { type MimePart, scanStructure } from "./mime/structure.ts";

/** More than a composed message has. */
const limits = { maxParts: 10_000, maxDepth: 100, maxHeaderBytes: 8 * 1024 * 1024 };
/** RFC 2045 6.8 allows 76 characters a line. */
const base64Line = /.{1,76}/g;

/**
 * Encodes the attached 8-bit messages of a message that `compose` wrote, for servers without 8BITMIME (RFC 6152 3).
 * RFC 2046 5.2.1 forbids encoding a message/rfc822 part, so they become files of type application/octet-stream, whose
 * bytes, and with them their signatures, stay as they were.
 */
export function sevenBit(raw: Uint8Array): Buffer {
  const bytes = asBuffer(raw);
  const block = scanHeaders(bytes);
  const { root } = scanStructure(bytes, block, limits);
  const { boundary } = root.header;
  if (boundary === null) return bytes;
  const header = bytes.toString("latin1", 0, block.bodyStart);
  const pieces: Uint8Array[] = [
    Buffer.from(header.replace(/^(Content-Transfer-Encoding: )8bit/im, "$17bit"), "latin1"),
  ];
  let position = block.bodyStart;
  for (const part of root.parts) {
    if (part.header.type !== "message/rfc822" || isAscii(bytes.subarray(part.start, part.end))) continue;
    const start = headerStart(bytes, part, boundary);
    const fields = bytes
      .toString("latin1", start, part.start)
      .replace(/^(Content-Type: )message\/rfc822/im, "$1application/octet-stream")
      .replace(/^(Content-Transfer-Encoding: )8bit/im, "$1base64");
    pieces.push(bytes.subarray(position, start), Buffer.from(fields + base64Lines(bytes, part), "latin1"));
    position = part.end;
  }
  return Buffer.concat([...pieces, bytes.subarray(position)]);
}

function headerStart(bytes: Buffer, part: MimePart, boundary: string): number {
  const delimiter = `--${boundary}\r\n`;
  return bytes.lastIndexOf(delimiter, part.start - delimiter.length, "latin1") + delimiter.length;
}

function base64Lines(bytes: Buffer, { start, end }: MimePart): string {
  return (bytes.toString("base64", start, end).match(base64Line) ?? []).join("\r\n");
}
