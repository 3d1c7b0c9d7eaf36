/** Large answers: written in pieces, at the pace at which the client reads them. */
import { Base64Bytes } from "../body/base64.ts";
import type { Exchange } from "./resource.ts";

/** Characters of JSON text written in one turn, and of a text examined in one. */
const PIECE_CHARS = 64 * 1024;
/** Bytes in one piece of base64: a multiple of three. */
const PIECE_BYTES = 48 * 1024;
/** A smaller answer is written at once. */
const LARGE_CHARS = 256 * 1024;

/** Yields the text of `JSON.stringify` in pieces, most of 64 KB and at most about 400 KB. `undefined` becomes null. */
export function* jsonPieces(value: unknown): Generator<string, void> {
  if (value instanceof Base64Bytes) {
    yield '"';
    for (let at = 0; at < value.bytes.length; at += PIECE_BYTES)
      yield new Base64Bytes(value.bytes.subarray(at, at + PIECE_BYTES)).toJSON();
    yield '"';
  } else if (weigh(value, PIECE_CHARS) < PIECE_CHARS) yield JSON.stringify(value) ?? "null";
  else if (typeof value === "string") {
    yield '"';
    for (let at = 0; at < value.length; ) {
      const end = pieceEnd(value, at + PIECE_CHARS);
      yield JSON.stringify(value.slice(at, end)).slice(1, -1);
      at = end;
    }
    yield '"';
  } else if (Array.isArray(value)) {
    yield* listed("[", "]", value, (one) => jsonPieces(one));
  } else {
    const members = Object.entries(value as object).filter(([, one]) => one !== undefined);
    yield* listed("{", "}", members, function* ([name, one]) {
      yield `${JSON.stringify(name)}:`;
      yield* jsonPieces(one);
    });
  }
}

function* listed<T>(open: string, close: string, all: T[], write: (one: T) => Generator<string, void>) {
  let before = open;
  for (const one of all) {
    yield before;
    before = ",";
    yield* write(one);
  }
  yield all.length === 0 ? open + close : close;
}

/** The end of a piece, moved so that it does not split a surrogate pair, which JSON would write as two escapes. */
function pieceEnd(text: string, end: number): number {
  const isSplit = end < text.length && (text.charCodeAt(end - 1) & 0xfc00) === 0xd800;
  return Math.min(text.length, isSplit ? end + 1 : end);
}

/** About how many characters a value has as JSON. Counting stops at `max`. */
function weigh(value: unknown, max: number): number {
  if (typeof value === "string") return value.length + 2;
  if (value instanceof Base64Bytes) return Math.ceil(value.bytes.length / 3) * 4 + 2;
  if (typeof value !== "object" || value === null || value instanceof Date) return 24;
  let sum = 2;
  for (const [name, one] of Object.entries(value)) {
    sum += name.length + 4 + weigh(one, max - sum);
    if (sum >= max) break;
  }
  return sum;
}

/** Joins pieces until each is large enough for a turn. */
export function* joined(pieces: Iterable<string>): Generator<string, void> {
  let text = "";
  for (const piece of pieces) {
    text += piece;
    if (text.length < PIECE_CHARS) continue;
    yield text;
    text = "";
  }
  if (text !== "") yield text;
}

/**
 * Answers with a value as JSON: made at once, or, if it is large, in pieces. Failure `overloaded` if too many large
 * answers are being read.
 */
export function jsonAnswer(exchange: Pick<Exchange, "inPieces">, value: unknown, status = 200): Response {
  const head = { status, headers: { "content-type": "application/json" } };
  const chars = weigh(value, Number.MAX_SAFE_INTEGER);
  if (chars < LARGE_CHARS) return new Response(JSON.stringify(value), head);
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

/**
 * Makes a stream of pieces: one per turn, and none before the client can take it.
 *
 * @param turn Resolves when there is time for another piece.
 * @param onEnd Called once, when the last piece was taken or the reader has gone.
 */
export function streamOf(
  pieces: Iterator<Uint8Array>,
  turn: () => Promise<void>,
  onEnd: () => void,
): ReadableStream<Uint8Array> {
  return new ReadableStream(
    {
      async pull(controller) {
        await turn();
        const piece = pieces.next();
        if (!piece.done) return controller.enqueue(piece.value);
        onEnd();
        controller.close();
      },
      cancel() {
        pieces.return?.();
        onEnd();
      },
    },
    { highWaterMark: 0 },
  );
}
