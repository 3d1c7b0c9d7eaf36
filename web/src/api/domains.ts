import { queryOptions, useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { api, type Domain, ok } from "./client.ts";
import { keys } from "./keys.ts";
import { useOnce } from "./once.ts";

/** How often DNS is checked again while a record is missing and the page is visible. */
const CHECK_AGAIN_MS = 20_000;

const pathOf = (domain: string) => ({ params: { path: { domain } } });

/** All domains of the account, newest first. */
export function useDomains() {
  return useQuery({
    queryKey: [...keys.domains, "all"],
    queryFn: async ({ signal }) => (await ok(api.GET("/api/v1/domains", { signal }))).domains,
  });
}

/** A domain with the current state of each DNS record; polled until all are right. */
export const domainQuery = (domain: string) =>
  queryOptions({
    queryKey: [...keys.domains, "one", domain],
    queryFn: ({ signal }) => ok(api.GET("/api/v1/domains/{domain}", { ...pathOf(domain), signal })),
    refetchInterval: ({ state }) =>
      state.data?.checks?.some(({ status }) => status !== "ok") ? CHECK_AGAIN_MS : false,
  });

export function useCreateDomain() {
  const client = useQueryClient();
  const once = useOnce();
  return useMutation({
    mutationFn: (domain: string) =>
      once((key) =>
        ok(api.POST("/api/v1/domains", { params: { header: { "Idempotency-Key": key } }, body: { domain } })),
      ),
    onSuccess: () => client.invalidateQueries({ queryKey: keys.domains }),
  });
}

/** Proves the domain by its TXT record; failure 412 says what DNS has instead. */
export function useVerifyDomain(domain: string) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: () => ok(api.POST("/api/v1/domains/{domain}/verify", pathOf(domain))),
    onSuccess: () => client.invalidateQueries({ queryKey: keys.agents }),
    onSettled: () => client.invalidateQueries({ queryKey: keys.domains }),
  });
}

export function usePauseDomain(domain: string) {
  const client = useQueryClient();
  const { queryKey } = domainQuery(domain);
  return useMutation({
    mutationFn: (paused: boolean) => ok(api.PATCH("/api/v1/domains/{domain}", { ...pathOf(domain), body: { paused } })),
    onMutate: (paused) => client.setQueryData(queryKey, (data?: Domain) => data && { ...data, paused }),
    onSettled: () => client.invalidateQueries({ queryKey: keys.domains }),
  });
}

export function useDeleteDomain(domain: string) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: () => api.DELETE("/api/v1/domains/{domain}", pathOf(domain)),
    onSuccess: () => {
      client.removeQueries({ queryKey: domainQuery(domain).queryKey });
      return client.invalidateQueries({ queryKey: keys.domains });
    },
  });
}
