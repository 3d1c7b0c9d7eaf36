/** Large answers: written in pieces, at the pace at which the client reads them. */
import { joined, jsonPieces, PIECE_CHARS, weigh } from "../../util/pieces.ts";
import { ValueResponse } from "../../util/value-response.ts";
import type { Exchange } from "./resource.ts";

/** A smaller answer is written at once. */
const LARGE_CHARS = 256 * 1024;

/**
 * Answers with a value as JSON: made at once, or, if it is large, in pieces. A large answer to `ask` is the value itself.
 * Failure `overloaded` if too many large answers are being read.
 */
export function jsonAnswer(
  exchange: Pick<Exchange, "inPieces" | "isInner" | "method">,
  value: unknown,
  status = 200,
): Response {
  const head = { status, headers: { "content-type": "application/json" } };
  const chars = weigh(value, Number.MAX_SAFE_INTEGER);
  if (chars < LARGE_CHARS) return new Response(JSON.stringify(value), head);
  // The answer to a POST may be kept under its Idempotency-Key, as JSON.
  if (exchange.isInner && exchange.method === "GET" && status === 200) return new ValueResponse(value, chars);
  const encoder = new TextEncoder();
  function* bytes() {
    for (const text of joined(jsonPieces(value))) yield encoder.encode(text);
  }
  return new Response(exchange.inPieces(bytes(), chars), head);
}

/** Bytes as the body of an answer: at once if there are few, otherwise in pieces. Failure as with `jsonAnswer`. */
export function bodyOf(exchange: Pick<Exchange, "inPieces">, bytes: Uint8Array): Blob | ReadableStream<Uint8Array> {
  if (bytes.length < LARGE_CHARS) return new Blob([bytes as Uint8Array<ArrayBuffer>]);
  function* pieces() {
    for (let at = 0; at < bytes.length; at += PIECE_CHARS) yield bytes.subarray(at, at + PIECE_CHARS);
  }
  return exchange.inPieces(pieces(), bytes.length);
}
