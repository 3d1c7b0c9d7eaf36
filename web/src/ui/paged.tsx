import type { UseInfiniteQueryResult } from "@tanstack/react-query";
import { type ReactNode, useCallback } from "react";
import { Button } from "./button.tsx";
import { ErrorState, SkeletonRows } from "./states.tsx";
import { VirtualList } from "./virtual-list.tsx";

/** A long list that is loaded in pages as the user scrolls. */
export function PagedList<Item>({
  query,
  empty,
  ...list
}: {
  query: UseInfiniteQueryResult<Item[]>;
  label: string;
  keyOf: (item: Item) => string;
  rowHeight: number;
  selected?: string | undefined;
  follow?: (item: Item) => void;
  /** Shown if the list has no rows. */
  empty: ReactNode;
  children: (item: Item) => ReactNode;
}) {
  const { data, hasNextPage, isFetchingNextPage, fetchNextPage } = query;
  const loadMore = useCallback(() => {
    if (!isFetchingNextPage) void fetchNextPage();
  }, [isFetchingNextPage, fetchNextPage]);
  if (query.isPending)
    return (
      <div className="px-4">
        <SkeletonRows rows={8} />
      </div>
    );
  if (!data)
    return (
      <div className="px-4">
        <ErrorState error={query.error} retry={() => void query.refetch()} />
      </div>
    );
  if (data.length === 0 && !hasNextPage) return <div className="h-full overflow-y-auto">{empty}</div>;
  return <VirtualList {...list} items={data} hasMore={hasNextPage} loadMore={loadMore} />;
}

/** The button under a table that is loaded in pages. */
export function LoadMore({ query }: { query: UseInfiniteQueryResult }) {
  if (!query.hasNextPage) return null;
  return (
    <div className="flex justify-center">
      <Button busy={query.isFetchingNextPage} onClick={() => void query.fetchNextPage()}>
        Show more
      </Button>
    </div>
  );
}
