import { createHash } from "node:crypto";
import { Type } from "@sinclair/typebox";
import { invalid, text, whole } from "./input.ts";

const PAGE_SIZE_DEFAULT = 50;
const PAGE_SIZE_MAX = 100;
/** A token is about 60 characters; this leaves room to grow. */
const TOKEN_CHARS_MAX = 512;

/** The query parameters of every list. */
export const pageQuery = {
  page_size: Type.Optional(whole(1, PAGE_SIZE_MAX, { description: "Entries in one answer." })),
  token: Type.Optional(
    text({ max: TOKEN_CHARS_MAX, description: "`next_token` of the page before, with the same filters." }),
  ),
};

type Position = string | number;

/**
 * One page of a list by keyset. `filters` is everything that decides which rows come in which order: a token is
 * bound to it, and one that is used with other filters is 400 instead of a list with holes.
 *
 * @param read gets the position of the last row of the page before, and how many rows to return at most
 * @param position where a row stands in the order
 */
export async function readPage<Row, P extends Position[]>(
  request: { page_size?: number | undefined; token?: string | undefined },
  filters: unknown,
  read: (after: P | null, limit: number) => Promise<Row[]>,
  position: (row: Row) => P,
): Promise<{ rows: Row[]; next: { next_token?: string } }> {
  const size = request.page_size ?? PAGE_SIZE_DEFAULT;
  const bound = createHash("sha256").update(JSON.stringify(filters)).digest("base64url").slice(0, 16);
  const after = request.token === undefined ? null : (openToken(request.token, bound) as P);
  const rows = await read(after, size + 1);
  const last = rows.length > size ? rows[size - 1] : undefined;
  if (!last) return { rows, next: {} };
  const token = Buffer.from(JSON.stringify([bound, ...position(last)])).toString("base64url");
  return { rows: rows.slice(0, size), next: { next_token: token } };
}

function openToken(token: string, bound: string): Position[] {
  const wrong = invalid(
    [{ field: "token", message: "must be the next_token of a list with the same filters" }],
    "Leave the token out to begin at the first page.",
  );
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(token, "base64url").toString());
  } catch {
    throw wrong;
  }
  if (!Array.isArray(value) || value.length < 2 || value[0] !== bound) throw wrong;
  const position = value.slice(1);
  for (const part of position)
    if (!(typeof part === "string" && !part.includes("\0")) && !Number.isSafeInteger(part)) throw wrong;
  return position as Position[];
}
