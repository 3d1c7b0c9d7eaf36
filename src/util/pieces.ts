/** Large JSON and bytes, made in pieces, so that no single step of work grows with them. */

/** Characters of JSON text written in one turn, and of a text examined in one. */
export const PIECE_CHARS = 64 * 1024;
/** Bytes in one piece of base64: a multiple of three. */
const PIECE_BYTES = 48 * 1024;

/** Bytes that are written as base64 in JSON. */
export class Base64Bytes {
  constructor(readonly bytes: Uint8Array) {}

  toJSON(): string {
    const { buffer, byteOffset, byteLength } = this.bytes;
    return Buffer.from(buffer, byteOffset, byteLength).toString("base64");
  }
}

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
export function weigh(value: unknown, max: number): number {
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

/**
 * Makes a function by which long work lets other work run: its promises resolve one in each turn of the event loop, in
 * order, so that however many share it, there is one piece of their work in a turn.
 */
export function createTurns(): () => Promise<void> {
  let last: Promise<unknown> = Promise.resolve();
  return () => {
    const mine = last.then(() => new Promise<void>((resolve) => setImmediate(resolve)));
    last = mine;
    return mine;
  };
}
