import { infiniteQueryOptions, queryOptions, useMutation, useQueryClient } from "@tanstack/react-query";
import { api, type Delivery, ok } from "./client.ts";
import { keys } from "./keys.ts";
import { useOnce } from "./once.ts";
import { inPages, pageQuery, rowsOf } from "./pages.ts";

export interface DeliveryFilter {
  /** A webhook's id, or an agent's address for the agent's own webhook. */
  webhook?: string;
  agent?: string;
  status?: Delivery["status"];
}

/** While an attempt is running or near, its outcome is polled this often: no event reports it. */
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

/** Repeats a delivery. The answer is the delivery that does so: a new one if the old one is finished. */
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

/** Repeats all failed deliveries, a thousand per request. Resolves with their number. */
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
