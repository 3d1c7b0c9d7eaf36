import { infiniteQueryOptions, useMutation, useQueryClient } from "@tanstack/react-query";
import { api, ok } from "./client.ts";
import { keys } from "./keys.ts";
import { useOnce } from "./once.ts";
import { inPages, pageQuery, rowsOf } from "./pages.ts";

/** Suppressed addresses, newest first. */
export const suppressionsQuery = infiniteQueryOptions({
  ...inPages,
  queryKey: [...keys.suppressions, "list"],
  queryFn: ({ pageParam, signal }) =>
    ok(api.GET("/api/v1/suppressions", { params: { query: pageQuery(pageParam) }, signal })),
  select: rowsOf("suppressions"),
});

export function useSuppress() {
  const client = useQueryClient();
  const once = useOnce();
  return useMutation({
    mutationFn: (body: { address: string; detail?: string }) =>
      once((key) => ok(api.POST("/api/v1/suppressions", { params: { header: { "Idempotency-Key": key } }, body }))),
    onSuccess: () => client.invalidateQueries({ queryKey: keys.suppressions }),
  });
}

export function useUnsuppress() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (address: string) => api.DELETE("/api/v1/suppressions/{address}", { params: { path: { address } } }),
    onSuccess: () => client.invalidateQueries({ queryKey: keys.suppressions }),
  });
}
