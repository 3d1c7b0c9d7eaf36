import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { api, ok } from "./client.ts";
import { keys } from "./keys.ts";

/** The signed-in browsers, newest first. */
export function useSessions() {
  return useQuery({
    queryKey: keys.sessions,
    queryFn: async ({ signal }) => (await ok(api.GET("/api/v1/sessions", { signal }))).sessions,
  });
}

/** Signs browsers out, at once. */
export function useEndSessions() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (ids: readonly string[]) =>
      Promise.all(ids.map((id) => api.DELETE("/api/v1/sessions/{id}", { params: { path: { id } } }))),
    onSettled: () => client.invalidateQueries({ queryKey: keys.sessions }),
  });
}
