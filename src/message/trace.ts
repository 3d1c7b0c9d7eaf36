import { isIP } from "node:net";
import type { Envelope, Verdict } from "../mail.ts";
import { asciiDomain } from "../net/host-name.ts";
import { concatInSteps } from "../util/concat.ts";
import { Failure } from "../util/errors.ts";
import { writtenDate } from "./date.ts";
import {
  findBody,
  foldedName,
  hasHeader,
  type RawField,
  scanHeaders,
  type WholeHeader,
  walkFields,
} from "./headers.ts";

export interface TraceOptions {
  envelope: Envelope;
  /** Our name: the `by` clause, and the authserv-id whose forged results are removed. */
  hostname: string;
  /** The `id` clause. */
  id: string;
  verdict: Pick<Verdict, "authenticationResults">;
  /** The `for` clause; given only if there is one recipient, so that recipients do not learn of each other. */
  recipient?: string;
}

/**
 * Adds our trace fields to a message as it is stored: Return-Path (RFC 5321 4.4), Authentication-Results and Received
 * go on top, and fields that claim to be ours are removed from its header. These are `X-E2A-*`, Return-Path, and
 * Authentication-Results with our authserv-id (RFC 8601 5) or without a readable one. Every other byte stays as it was,
 * so signatures still verify. Attached messages are not changed.
 */
export function withTrace(raw: Uint8Array, options: TraceOptions): Uint8Array {
  return applyTrace([raw], traceOf(raw, options));
}

/** The changes that `withTrace` makes, so that another process can make them to its own copy of the message. */
export interface Trace {
  /** The fields to put on top. */
  fields: string;
  /** The byte ranges of the message that stay, in order. */
  kept: { start: number; end: number }[];
}

/** A message has a few for each server that it has passed. */
const SERVER_FIELDS_MAX = 1_000;

/**
 * Finds what `withTrace` would add and remove. Throws Failure `message_malformed` if the header has too many fields to
 * check.
 * @param block The message's header, if it has been scanned.
 */
export function traceOf(raw: Uint8Array, options: TraceOptions, block: WholeHeader | null = null): Trace {
  const kept: Trace["kept"] = [];
  let start = 0;
  const isBodyAlone = !hasHeader(raw);
  let checked = 0;
  for (const field of isBodyAlone ? [] : fieldsOf(raw, block, isServers)) {
    if (!isServers(foldedName(field.key))) continue;
    if (++checked > SERVER_FIELDS_MAX)
      throw new Failure(
        "message_malformed",
        `The header has more than ${SERVER_FIELDS_MAX} fields of servers (Return-Path, Authentication-Results, X-E2A-*).`,
        { fix: "Remove them and send the message again." },
      );
    if (!isForged(field, options.hostname)) continue;
    kept.push({ start, end: field.start });
    start = field.end;
  }
  kept.push({ start, end: raw.byteLength });
  // Our fields become the header of a message that has none.
  return { fields: traceFields(options) + (isBodyAlone ? "\r\n" : ""), kept };
}

/** Applies a trace to a message that is given in pieces. Copies each byte once. */
export function applyTrace(pieces: readonly Uint8Array[], trace: Trace): Buffer {
  return Buffer.concat(tracedPieces(pieces, trace));
}

/** Like `applyTrace`, but in steps, for the thread that serves sockets. */
export function applyTraceInSteps(pieces: readonly Uint8Array[], trace: Trace): Promise<Buffer> {
  return concatInSteps(tracedPieces(pieces, trace));
}

function tracedPieces(pieces: readonly Uint8Array[], { fields, kept }: Trace): Uint8Array[] {
  const out: Uint8Array[] = [Buffer.from(fields)];
  for (const { start, end } of kept) {
    let offset = 0;
    for (const piece of pieces) {
      const from = Math.max(start - offset, 0);
      const to = Math.min(end - offset, piece.byteLength);
      if (from < to) out.push(piece.subarray(from, to));
      offset += piece.byteLength;
    }
  }
  return out;
}

/**
 * Derives the header of the traced message from that of the original. Null if it must be scanned again, because its
 * first line would be read as part of the field above.
 */
export function tracedHeader(raw: Uint8Array, block: WholeHeader, { fields, kept }: Trace): WholeHeader | null {
  if (fields.endsWith("\r\n\r\n")) return null;
  const lineEnd = raw.indexOf(0x0a);
  const colon = raw.indexOf(0x3a);
  const isFirst = colon > 0 && colon < lineEnd && raw[0] !== 0x20 && raw[0] !== 0x09;
  if (block.fields.length > 0 && !isFirst) return null;
  const added = Buffer.from(fields);
  const traced = scanHeaders(added).fields;
  // How far the bytes of each kept part move.
  let range = 0;
  let shift = added.byteLength - (kept[0]?.start ?? 0);
  for (const field of block.fields) {
    for (let next = kept[range + 1]; next && field.start >= (kept[range]?.end ?? 0); next = kept[range + 1]) {
      if (field.start < next.start) break;
      shift -= next.start - (kept[range]?.end ?? 0);
      range++;
    }
    const { start, end } = kept[range] ?? { start: 0, end: 0 };
    if (field.start < start || field.start >= end) continue;
    traced.push({ ...field, start: field.start + shift, end: field.end + shift });
  }
  const removed = raw.byteLength - kept.reduce((sum, { start, end }) => sum + end - start, 0);
  return { fields: traced, bodyStart: block.bodyStart + added.byteLength - removed, cut: false };
}

/**
 * Counts the hosts that a message has passed, by its `Received` fields, up to `most`. Too many mean a loop (RFC 5321
 * 6.3).
 * @param block The message's header, if it has been scanned.
 */
export function countReceived(raw: Uint8Array, most: number, block: WholeHeader | null = null): number {
  let count = 0;
  for (const field of fieldsOf(raw, block, (folded) => folded === "received"))
    if (field.key === "received" && ++count === most) break;
  return count;
}

/** The fields whose folded names pass, and perhaps others. */
function fieldsOf(raw: Uint8Array, block: WholeHeader | null, passes: (folded: string) => boolean): Iterable<RawField> {
  return block ? block.fields : walkFields(raw, findBody(raw).headerEnd, passes);
}

/** RFC 5322 2.1.1 wants lines of at most 78 characters; words longer than that stay whole. */
const LINE_CHARS_MAX = 78;

function traceFields({ envelope, hostname, id, verdict, recipient }: TraceOptions): string {
  const fields = [
    `Return-Path: <${path(envelope.mailFrom)}>`,
    fold(`Authentication-Results: ${verdict.authenticationResults}`),
    fold(`Received: ${receivedClauses(envelope, hostname, id, recipient)}; ${writtenDate(envelope.receivedAt)}`),
  ];
  return fields.map((field) => `${field}\r\n`).join("");
}

/** `from helo ([ip]) by us with ESMTPS (TLS) id x for <rcpt>` (RFC 5321 4.4). */
function receivedClauses(envelope: Envelope, hostname: string, id: string, recipient?: string): string {
  const { helo, remoteAddress, protocol, tls } = envelope;
  const address = isIP(remoteAddress) === 6 ? `IPv6:${remoteAddress}` : remoteAddress;
  const clauses = [
    `from ${heloName(helo)} ([${address.replace(/[^\w.:]/g, "")}])`,
    `by ${hostname} with ${protocol.replace(/[^A-Za-z0-9]/g, "")}`,
    tls ? `(${tls.version} ${tls.cipher})`.replace(/[^\w.() -]/g, "") : "",
    `id ${id}`,
    recipient ? `for <${path(recipient)}>` : "",
  ];
  return clauses.filter((clause) => clause !== "").join(" ");
}

/**
 * The HELO name if it is a host name or an address literal, and otherwise "unknown": a header must not hold anything
 * else that a client claims.
 */
function heloName(helo: string): string {
  if (/^\[(?:[0-9.]{7,15}|IPv6:[0-9A-Fa-f:.]{2,45})\]$/i.test(helo)) return helo;
  return asciiDomain(helo) ?? "unknown";
}

/** An address without anything that could end the path or the line. Only a quoted local part has spaces. */
function path(address: string): string {
  const unwanted = address.startsWith('"') ? /[\x00-\x1f<>\x7f]/g : /[\x00-\x20<>\x7f]/g;
  return address.slice(0, 320).replace(unwanted, "");
}

/** Folds at spaces (RFC 5322 2.2.3); continuation lines begin with a tab. */
function fold(field: string): string {
  const lines: string[] = [];
  let line = "";
  for (const word of field.split(" ")) {
    if (line !== "" && line.length + 1 + word.length > LINE_CHARS_MAX) {
      lines.push(line);
      line = "";
    }
    line += line === "" ? word : ` ${word}`;
  }
  return [...lines, line].join("\r\n\t");
}

/**
 * Whether a field of a server claims to be ours. Programs that pass fields on as variables or attributes fold their
 * names: CGI and WSGI turn hyphens into underscores, Apache and PHP every character but letters and digits. So names
 * are compared by letters and digits alone.
 */
function isForged(field: RawField, hostname: string): boolean {
  if (foldedName(field.key) !== "authenticationresults") return true;
  const id = authservId(field.binary);
  return id === null || sameName(id, hostname);
}

/** Whether only servers write such a field, so that it may claim to be this one's. */
function isServers(folded: string): boolean {
  return folded.startsWith("xe2a") || folded === "returnpath" || folded === "authenticationresults";
}

function sameName(a: string, b: string): boolean {
  const plain = (name: string) => asciiDomain(name) ?? name.normalize("NFKC").toLowerCase();
  return plain(a) === plain(b);
}

/**
 * The authserv-id: the first token or quoted string after white space, folds and nested comments (RFC 8601 2.2). Null
 * if there is none.
 */
function authservId(binary: string): string | null {
  let i = 0;
  for (let depth = 0; i < binary.length; i++) {
    const char = binary[i] as string;
    if (char === "(") depth++;
    else if (char === ")" && depth > 0) depth--;
    else if (char === "\\" && depth > 0) i++;
    else if (depth === 0 && !/\s/.test(char)) break;
  }
  const quoted = /^"((?:[^"\\]|\\[\s\S])*)"/.exec(binary.slice(i, i + ID_CHARS_MAX));
  const text = quoted
    ? quoted[1]?.replace(/\\([\s\S])/g, "$1")
    : /^[\w.\x80-\xff-]+/.exec(binary.slice(i, i + ID_CHARS_MAX))?.[0];
  return text ? Buffer.from(text.replace(/\s/g, ""), "latin1").toString() : null;
}

/** Longer than any host name (RFC 1035 2.3.4), quotes and escapes included. */
const ID_CHARS_MAX = 600;
