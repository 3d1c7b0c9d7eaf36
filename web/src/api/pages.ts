import type { InfiniteData } from "@tanstack/react-query";

/** Rows per request of a list. */
export const PAGE_SIZE = 50;

/** The query parameters that select a page. */
export const pageQuery = (token: string | undefined) => ({ page_size: PAGE_SIZE, ...(token && { token }) });

/** The options that all paged lists share; spread them into `infiniteQueryOptions`. */
export const inPages = {
  initialPageParam: undefined as string | undefined,
  getNextPageParam: (page: { next_token?: string }) => page.next_token,
};

/** All rows of the loaded pages, for `select`. */
export const rowsOf =
  <Name extends string>(name: Name) =>
  <Row>(data: InfiniteData<{ [name in Name]: Row[] }, string | undefined>): Row[] =>
    data.pages.flatMap((page) => page[name]);
