import { useQuery } from "@tanstack/react-query";
import { api, ok } from "./client.ts";
import { keys } from "./keys.ts";

/** All domains of the account, the server's shared one among them. */
export function useDomains() {
  return useQuery({
    queryKey: [...keys.domains, "all"],
    queryFn: async ({ signal }) => (await ok(api.GET("/api/v1/domains", { signal }))).domains,
  });
}
