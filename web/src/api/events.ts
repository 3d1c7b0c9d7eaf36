import { type InfiniteData, infiniteQueryOptions, type QueryClient, queryOptions } from "@tanstack/react-query";
import type { EventType } from "../../../src/wire/event-types.ts";
import { type ApiEvent, api, ok } from "./client.ts";
import { keys } from "./keys.ts";
import { inPages, pageQuery, rowsOf } from "./pages.ts";

export interface EventFilter {
  /** Default: all types. */
  type?: EventType;
  agent?: string;
}

const lists = [...keys.events, "list"] as const;
type Pages = InfiniteData<{ events: ApiEvent[]; next_token?: string }, string | undefined>;

/** The event log, newest first. `addToLog` adds new entries, so it is never stale. */
export function eventsQuery({ type, agent }: EventFilter) {
  const filter = { ...(type && { types: type }), ...(agent && { agent }) };
  return infiniteQueryOptions({
    ...inPages,
    queryKey: [...lists, filter],
    queryFn: ({ pageParam, signal }) =>
      ok(
        api.GET("/api/v1/events", { params: { query: { ...filter, sort: "desc", ...pageQuery(pageParam) } }, signal }),
      ),
    select: rowsOf("events"),
    staleTime: Number.POSITIVE_INFINITY,
  });
}

export function eventQuery(id: string) {
  return queryOptions({
    queryKey: [...keys.events, "one", id],
    queryFn: ({ signal }) => ok(api.GET("/api/v1/events/{id}", { params: { path: { id } }, signal })),
    staleTime: Number.POSITIVE_INFINITY,
  });
}

/** Adds events to the top of every list of the log whose filter they match. `news` is in order of arrival. */
export function addToLog(client: QueryClient, news: readonly ApiEvent[]): void {
  for (const { queryKey } of client.getQueryCache().findAll({ queryKey: lists })) {
    const filter = queryKey[lists.length] as { types?: string; agent?: string };
    client.setQueryData<Pages>(queryKey, (data) => {
      const [first, ...rest] = data?.pages ?? [];
      if (!data || !first) return data;
      const known = new Set(first.events.map(({ id }) => id));
      const added = news.filter(
        ({ id, type, agent_id }) =>
          !known.has(id) && (!filter.types || type === filter.types) && (!filter.agent || agent_id === filter.agent),
      );
      if (added.length === 0) return data;
      return { ...data, pages: [{ ...first, events: [...added.toReversed(), ...first.events] }, ...rest] };
    });
  }
}
