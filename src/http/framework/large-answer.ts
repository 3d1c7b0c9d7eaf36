/** Answers that are large: written in pieces, at the pace at which they are read. */
import { Base64Bytes } from "../body/base64.ts";
import type { Exchange } from "./resource.ts";

/** JSON text written in one turn, and characters of a text that are looked at in one. */
const PIECE_CHARS = 64 * 1024;
/** Bytes in one piece of base64: whole groups of three. */
const PIECE_BYTES = 48 * 1024;
/** An answer below this is written at once. */
const LARGE_CHARS = 256 * 1024;

/** What `JSON.stringify` makes of a value, in pieces of at most some 400 KB; most of 64 KB. `undefined` stands for null. */
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

/** Not between the halves of a surrogate pair, which JSON would write as two escapes. */
function pieceEnd(text: string, end: number): number {
  const isSplit = end < text.length && (text.charCodeAt(end - 1) & 0xfc00) === 0xd800;
  return Math.min(text.length, isSplit ? end + 1 : end);
}

/** About as many characters as a value has as JSON; it is not looked further into once it has `max`. */
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

/** Pieces joined until they are worth a turn. */
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
 * A handler's answer: `value` itself, which becomes JSON at once, or an answer of the same JSON in pieces when it is
 * large. Failure `overloaded` when too many of those are being read.
 */
export function sized<T>(exchange: Pick<Exchange, "inPieces">, value: T): T {
  const chars = weigh(value, Number.MAX_SAFE_INTEGER);
  if (chars < LARGE_CHARS) return value;
  const encoder = new TextEncoder();
  function* bytes() {
    for (const text of joined(jsonPieces(value))) yield encoder.encode(text);
  }
  const body = exchange.inPieces(bytes(), chars);
  // The schema of an answer is for the document; a Response passes it as it is.
  return new Response(body, { headers: { "content-type": "application/json" } }) as T;
}

/** Bytes as an answer's body: at once when they are few, else in pieces. Failure as of `sized`. */
export function bodyOf(exchange: Pick<Exchange, "inPieces">, bytes: Uint8Array): Blob | ReadableStream<Uint8Array> {
  if (bytes.length < LARGE_CHARS) return new Blob([bytes as Uint8Array<ArrayBuffer>]);
  function* pieces() {
    for (let at = 0; at < bytes.length; at += PIECE_CHARS) yield bytes.subarray(at, at + PIECE_CHARS);
  }
  return exchange.inPieces(pieces(), bytes.length);
}

/**
 * Pieces as a stream, one a turn and none before it can be written.
 *
 * @param turn Resolves when there is time for another piece.
 * @param onEnd Called once, when the last one was taken or the reader has gone.
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
