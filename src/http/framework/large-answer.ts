/** Large answers: written in pieces, at the pace at which the client reads them. */
import { joined, jsonPieces, PIECE_CHARS, weigh } from "../../util/pieces.ts";
import type { Exchange } from "./resource.ts";

/** A smaller answer is written at once. */
const LARGE_CHARS = 256 * 1024;

/**
 * Returns a handler's answer: `value` itself, which becomes JSON at once, or, if it is large, a response with the same
 * JSON in pieces. Failure `overloaded` if too many large answers are being read.
 */
export function sized<T>(exchange: Pick<Exchange, "inPieces">, value: T): T {
  const chars = weigh(value, Number.MAX_SAFE_INTEGER);
  if (chars < LARGE_CHARS) return value;
  const encoder = new TextEncoder();
  function* bytes() {
    for (const text of joined(jsonPieces(value))) yield encoder.encode(text);
  }
  const body = exchange.inPieces(bytes(), chars);
  // The schema of an answer is only for the document; a Response passes through unchanged.
  return new Response(body, { headers: { "content-type": "application/json" } }) as T;
}

/** Bytes as the body of an answer: at once if there are few, otherwise in pieces. Failure as with `sized`. */
export function bodyOf(exchange: Pick<Exchange, "inPieces">, bytes: Uint8Array): Blob | ReadableStream<Uint8Array> {
  if (bytes.length < LARGE_CHARS) return new Blob([bytes as Uint8Array<ArrayBuffer>]);
  function* pieces() {
    for (let at = 0; at < bytes.length; at += PIECE_CHARS) yield bytes.subarray(at, at + PIECE_CHARS);
  }
  return exchange.inPieces(pieces(), bytes.length);
}
