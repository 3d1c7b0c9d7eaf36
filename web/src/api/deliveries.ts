import { infiniteQueryOptions, queryOptions, useMutation, useQueryClient } from "@tanstack/react-query";
import { api, type Delivery, ok } from "./client.ts";
import { keys } from "./keys.ts";
import { useOnce } from "./once.ts";
import { inPages, pageQuery, rowsOf } from "./pages.ts";

export interface DeliveryFilter {
  /** A webhook's id, or an agent's address for its own. */
  webhook?: string;
  agent?: string;
  status?: Delivery["status"];
}

/** While an attempt is under way or near, its outcome is asked for this often: no event tells of it. */
const WATCH_MS = 1_500;
const NEAR_MS = 15_000;

const isMoving = ({ status, next_attempt_at }: Delivery) =>
  status === "pending" && (!next_attempt_at || Date.parse(next_attempt_at) - Date.now() < NEAR_MS);

/** Deliveries, newest first. */
export function deliveriesQuery(filter: DeliveryFilter) {
  return infiniteQueryOptions({
    ...inPages,
    queryKey: [...keys.deliveries, "list", filter],
    queryFn: ({ pageParam, signal }) =>
      ok(api.GET("/api/v1/deliveries", { params: { query: { ...filter, ...pageQuery(pageParam) } }, signal })),
    select: rowsOf("deliveries"),
    refetchInterval: ({ state }) =>
      state.data?.pages.some(({ deliveries }) => deliveries.some(isMoving)) ? WATCH_MS : false,
  });
}

/** One delivery with every attempt. */
export function deliveryQuery(id: string) {
  return queryOptions({
    queryKey: [...keys.deliveries, "one", id],
    queryFn: ({ signal }) => ok(api.GET("/api/v1/deliveries/{id}", { params: { path: { id } }, signal })),
    refetchInterval: ({ state }) => (state.data && isMoving(state.data) ? WATCH_MS : false),
  });
}

/** Delivers again. The answer is the delivery that does it: a new one when the old one is finished. */
export function useRedeliver(id: string) {
  const client = useQueryClient();
  const once = useOnce();
  return useMutation({
    mutationFn: () =>
      once((key) => {
        const params = { path: { id }, header: { "Idempotency-Key": key } };
        return ok(api.POST("/api/v1/deliveries/{id}/redeliver", { params }));
      }),
    onSuccess: () => client.invalidateQueries({ queryKey: keys.deliveries }),
  });
}

export interface RedeliverChoice {
  since: string;
  agent?: string;
  webhook?: string;
}

/** Delivers again all that failed; one request takes a thousand. Returns how many they were. */
export function useRedeliverSince() {
  const client = useQueryClient();
  const once = useOnce();
  return useMutation({
    mutationFn: async (body: RedeliverChoice) => {
      let total = 0;
      for (;;) {
        const { redelivered } = await once((key) => {
          const params = { header: { "Idempotency-Key": key } };
          return ok(api.POST("/api/v1/deliveries/redeliver", { params, body }));
        });
        total += redelivered;
        if (redelivered === 0) return total;
      }
    },
    onSettled: () => client.invalidateQueries({ queryKey: keys.deliveries }),
  });
}
