import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { api, endSession, ok } from "./client.ts";
import { keys } from "./keys.ts";

/** The signed-in account. */
export function useMe() {
  return useQuery({
    queryKey: keys.me,
    queryFn: ({ signal }) => ok(api.GET("/api/v1/users/me", { signal })),
    staleTime: Number.POSITIVE_INFINITY,
  });
}

/** Facts about this server, such as its shared domain and its version. */
export function useInfo() {
  return useQuery({
    queryKey: keys.info,
    queryFn: ({ signal }) => ok(api.GET("/api/v1/info", { signal })),
    staleTime: Number.POSITIVE_INFINITY,
  });
}

export function useOverview() {
  return useQuery({
    queryKey: keys.overview,
    queryFn: ({ signal }) => ok(api.GET("/api/v1/overview", { signal })),
  });
}

/** Ends the session and goes to the sign-in page. */
export function signOut(): Promise<void> {
  return endSession(() => api.POST("/api/auth/logout"));
}

/** Pauses or resumes the whole account's outbound mail. */
export function usePauseAccount() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (paused: boolean) => ok(api.PATCH("/api/v1/users/me", { body: { paused } })),
    onSuccess: (me) => client.setQueryData(keys.me, me),
    onSettled: () => client.invalidateQueries({ queryKey: keys.overview }),
  });
}

/** Deletes the account with everything in it, and goes to the sign-in page. */
export function useDeleteAccount() {
  return useMutation({
    mutationFn: () => endSession(() => api.DELETE("/api/v1/users/me", { params: { query: { confirm: "DELETE" } } })),
  });
}
