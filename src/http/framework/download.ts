import { bodyOf } from "./large-answer.ts";
import type { Exchange } from "./resource.ts";

/** A media type that is safe in a header: only type and subtype (RFC 9110 8.3.1). */
const mediaType = /^[a-z0-9!#$&^_.+-]{1,127}\/[a-z0-9!#$&^_.+-]{1,127}$/i;
/** A length that file systems and browsers accept. */
const FILENAME_CHARS_MAX = 200;

/**
 * Answers with untrusted bytes as a file to save, never as a page of ours. The type is not sniffed, and a browser that
 * shows the file anyway runs nothing in it. Failure `overloaded` if too many large files are being read.
 */
export function download(
  exchange: Pick<Exchange, "inPieces">,
  bytes: Uint8Array,
  contentType: string,
  filename: string,
): Response {
  return new Response(bodyOf(exchange, bytes), {
    headers: {
      "content-type": mediaType.test(contentType) ? contentType : "application/octet-stream",
      "content-disposition": attachmentDisposition(filename),
      "content-security-policy": "sandbox; default-src 'none'; frame-ancestors 'none'",
    },
  });
}

/** `attachment` with the name in ASCII for old clients and in UTF-8 for all others (RFC 6266 4.3, RFC 8187). */
function attachmentDisposition(filename: string): string {
  const name = filename
    .toWellFormed()
    // Control characters, and characters that reverse text or that file systems treat as part of a path.
    .replace(/[\p{Cc}\p{Cf}/\\]/gu, "_")
    .replace(/^\.+/, "_")
    .slice(0, FILENAME_CHARS_MAX)
    .toWellFormed();
  const ascii = name.replace(/[^\x20-\x7e]|["%]/g, "_");
  const utf8 = encodeURIComponent(name).replace(/['()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
  return `attachment; filename="${ascii}"; filename*=UTF-8''${utf8}`;
}
