import libmime from "libmime";
import { writtenDate } from "../date.ts";
import { mailboxField, textField } from "../fields.ts";
import type { TnefFile, TnefMessage } from "./tnef.ts";

/** Never occurs in base64, and every part is in it. */
const BOUNDARY = "=_message";
/** Of a sender whom only an Exchange server knows, by a path such as `/O=EXAMPLE/CN=ANN`. Never exists (RFC 2606 2). */
const NO_ADDRESS = "unknown@exchange.invalid";

/** A file's type, by what the sender says or by its name. */
export function fileType(file: TnefFile): string {
  if (file.message !== null) return "message/rfc822";
  if (/^[\w.+-]{1,100}\/[\w.+-]{1,100}$/.test(file.contentType)) return file.contentType;
  return libmime.detectMimeType(file.filename) || "application/octet-stream";
}

/** A file's name; a message is named by its subject. */
export function nameOf(file: TnefFile): string {
  const name = file.filename || (file.message?.subject ?? "");
  return file.message !== null && name !== "" && !/\.(?:eml|msg)$/i.test(name) ? `${name}.eml` : name;
}

export function contentOf(file: TnefFile): Buffer {
  return file.message === null ? file.content : written(file.message);
}

/** Writes a message in TNEF as one in MIME (RFC 2045), for readers of `message/rfc822`. The same bytes each time. */
function written({ date, files, from, html, subject, text }: TnefMessage): Buffer {
  const parts = [
    ...(text !== "" || html === null ? [part("text/plain; charset=utf-8", "", Buffer.from(text))] : []),
    ...(html === null ? [] : [part("text/html; charset=utf-8", "", Buffer.from(html))]),
  ];
  const attached = files.map((file) => part(fileType(file), nameOf(file), contentOf(file)));
  const head = [
    mailboxField("From", [from]) || mailboxField("From", [{ ...from, address: NO_ADDRESS }]),
    textField("Subject", subject),
    ...(date ? [`Date: ${writtenDate(date)}\r\n`] : []),
    "MIME-Version: 1.0\r\n",
    multipart("mixed", [multipart("alternative", parts), ...attached]),
  ];
  return Buffer.from(head.join(""));
}

function multipart(kind: string, parts: readonly string[]): string {
  const boundary = `${BOUNDARY}_${kind}`;
  const written = parts.map((one) => `--${boundary}\r\n${one}\r\n`).join("");
  return `Content-Type: multipart/${kind}; boundary="${boundary}"\r\n\r\n${written}--${boundary}--\r\n`;
}

function part(type: string, filename: string, content: Buffer): string {
  const name = encodeURIComponent(filename.toWellFormed()).replace(
    /['()*]/g,
    (one) => `%${one.charCodeAt(0).toString(16)}`,
  );
  const disposition = filename ? `Content-Disposition: attachment;\r\n filename*=utf-8''${name}\r\n` : "";
  const lines = content.toString("base64").replace(/.{76}/g, "$&\r\n");
  return `Content-Type: ${type}\r\n${disposition}Content-Transfer-Encoding: base64\r\n\r\n${lines}`;
}
