import type { InfiniteData } from "@tanstack/react-query";

/** Rows that a list asks for at once. */
export const PAGE_SIZE = 50;

/** The part of the query that chooses a page. */
export const pageQuery = (token: string | undefined) => ({ page_size: PAGE_SIZE, ...(token && { token }) });

/** What all lists in pages have in common; spread it into `infiniteQueryOptions`. */
export const inPages = {
  initialPageParam: undefined as string | undefined,
  getNextPageParam: (page: { next_token?: string }) => page.next_token,
};

/** All rows of the pages that are here, for `select`. */
export const rowsOf =
  <Name extends string>(name: Name) =>
  <Row>(data: InfiniteData<{ [name in Name]: Row[] }, string | undefined>): Row[] =>
    data.pages.flatMap((page) => page[name]);
