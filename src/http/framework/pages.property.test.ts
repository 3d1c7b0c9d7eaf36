/** Lists by pages: together the pages are the whole list, and a token works only unchanged and for its own list. */
import { expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import fc from "fast-check";
import { holds } from "../../../test/support/property.ts";
import { Failure } from "../../util/errors.ts";
import { createVault } from "../../vault.ts";
import { readPage } from "./pages.ts";

const vault = createVault(randomBytes(32));
const filters = fc.record({ agent: fc.string({ maxLength: 5 }), q: fc.option(fc.string({ maxLength: 5 })) });

/** One page of a list of numbers, which are their own positions. */
function page(list: readonly number[], filter: unknown, size: number, token?: string) {
  const read = async (after: [number] | null, limit: number) =>
    list.filter((n) => after === null || n > after[0]).slice(0, limit);
  return readPage<number, [number]>(vault, { page_size: size, token }, filter, read, (n) => [n]);
}

/** The failure of a page, or the page if there was none. */
const refusal = (found: Promise<unknown>) =>
  found.catch((error: unknown) => (error instanceof Failure ? [error.http.status, error.code] : error));

test("the pages of a list are the list, whatever their sizes", () =>
  holds(
    fc.asyncProperty(
      fc.uniqueArray(fc.integer()),
      fc.array(fc.integer({ min: 1, max: 100 }), { minLength: 1 }),
      filters,
      async (numbers, sizes, filter) => {
        const list = numbers.toSorted((a, b) => a - b);
        const found: number[] = [];
        let token: string | undefined;
        for (let i = 0; ; i++) {
          const { rows, next } = await page(list, filter, sizes[i % sizes.length] ?? 1, token);
          found.push(...rows);
          token = next.next_token;
          if (token === undefined) break;
          expect(rows.length).toBeGreaterThan(0);
          expect(token.length).toBeLessThanOrEqual(512);
        }
        expect(found).toEqual(list);
      },
    ),
  ));

test("a token with any character changed, added or left out, or of another list, is 400", () =>
  holds(
    fc.asyncProperty(
      filters,
      filters,
      fc.nat(200),
      fc.string({ unit: "grapheme-ascii", maxLength: 1 }),
      fc.nat(1),
      async (one, other, at, put, cut) => {
        const { next } = await page([1, 2, 3], one, 1);
        const token = next.next_token as string;
        const refused = [400, "invalid_request"];
        for (const place of [at % token.length, token.length - 1]) {
          const changed = token.slice(0, place) + put + token.slice(place + cut);
          if (changed !== token) expect(await refusal(page([1, 2, 3], one, 1, changed))).toEqual(refused);
        }
        if (JSON.stringify(one) !== JSON.stringify(other))
          expect(await refusal(page([1, 2, 3], other, 1, token))).toEqual(refused);
      },
    ),
  ));

test("any text is no token: 400, and never another failure", () =>
  holds(
    fc.asyncProperty(fc.string({ unit: "binary" }), async (text) => {
      expect(await refusal(page([1], {}, 1, text))).toEqual([400, "invalid_request"]);
    }),
  ));
