import { Type } from "@sinclair/typebox";
import type { Vault } from "../../vault.ts";
import { invalid, nearest, text } from "./input.ts";

const PAGE_SIZE_DEFAULT = 50;
const PAGE_SIZE_MAX = 100;
/** A token has about 120 characters; this leaves room to grow. */
const TOKEN_CHARS_MAX = 512;

/** The query parameters of every list. */
export const pageQuery = {
  page_size: Type.Optional(
    nearest(1, PAGE_SIZE_MAX, {
      description: `Entries in one answer, from 1 to ${PAGE_SIZE_MAX}; a number beyond counts as the nearest of these.`,
    }),
  ),
  token: Type.Optional(
    text({ max: TOKEN_CHARS_MAX, description: "`next_token` of the page before, with the same filters." }),
  ),
};

/**
 * Reads one page of a list by keyset. `filters` must contain everything that decides which rows come in which order. A
 * token is the last row's position, sealed for these filters: one that is made up, or used with other filters, is
 * answered 400 rather than with a list with holes.
 *
 * @param read gets the position of the last row of the previous page, and the maximum number of rows to return. `isCut`:
 * it has returned fewer than there are, because they fill the page
 * @param position the position of a row in the order
 */
export async function readPage<Row, P extends (string | number)[]>(
  vault: Vault,
  request: { page_size?: number | undefined; token?: string | undefined },
  filters: unknown,
  read: (after: P | null, limit: number) => Promise<Row[] | { rows: Row[]; isCut: boolean }>,
  position: (row: Row) => P,
): Promise<{ rows: Row[]; next: { next_token?: string } }> {
  const size = request.page_size ?? PAGE_SIZE_DEFAULT;
  const context = `page ${JSON.stringify(filters)}`;
  const after = request.token === undefined ? null : (openToken(vault, request.token, context) as P);
  const found = await read(after, size + 1);
  const { rows, isCut } = Array.isArray(found) ? { rows: found, isCut: false } : found;
  const last = rows.length > size ? rows[size - 1] : isCut ? rows.at(-1) : undefined;
  if (!last) return { rows, next: {} };
  const token = Buffer.from(vault.seal(JSON.stringify(position(last)), context)).toString("base64url");
  return { rows: rows.slice(0, size), next: { next_token: token } };
}

/**
 * Cuts a page from a list that is read whole, newest first by time-ordered ids. Without `page_size` and `token` the page
 * is the whole list.
 */
export function cutPage<Row extends { id: string }>(
  vault: Vault,
  request: { page_size?: number | undefined; token?: string | undefined },
  filters: unknown,
  all: Row[],
): Promise<{ rows: Row[]; next: { next_token?: string } }> {
  if (request.page_size === undefined && request.token === undefined) return Promise.resolve({ rows: all, next: {} });
  return readPage<Row, [string]>(
    vault,
    request,
    filters,
    async (after, limit) => all.filter(({ id }) => !after || id < after[0]).slice(0, limit),
    ({ id }) => [id],
  );
}

function openToken(vault: Vault, token: string, context: string): unknown {
  try {
    const sealed = Buffer.from(token, "base64url");
    // The decoder skips characters that are not base64url; a token has one spelling.
    if (sealed.toString("base64url") !== token) throw new RangeError("not base64url");
    return JSON.parse(vault.openText(sealed, context));
  } catch {
    throw invalid(
      [{ field: "token", message: "must be the next_token of a list with the same filters" }],
      "Leave the token out to begin at the first page.",
    );
  }
}
