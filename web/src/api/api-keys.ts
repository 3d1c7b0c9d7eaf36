import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import type { paths } from "../../../sdks/typescript/src/schema.ts";
import { api, ok } from "./client.ts";
import { keys } from "./keys.ts";
import { useOnce } from "./once.ts";

export type NewKey = paths["/api/v1/keys"]["post"]["requestBody"]["content"]["application/json"];

/** All API keys of the account, newest first. */
export function useApiKeys() {
  return useQuery({
    queryKey: keys.apiKeys,
    queryFn: async ({ signal }) => (await ok(api.GET("/api/v1/keys", { signal }))).keys,
  });
}

/** Makes a key. Only this answer contains it. */
export function useCreateKey() {
  const client = useQueryClient();
  const once = useOnce();
  return useMutation({
    mutationFn: (body: NewKey) =>
      once((key) => ok(api.POST("/api/v1/keys", { params: { header: { "Idempotency-Key": key } }, body }))),
    onSuccess: () => client.invalidateQueries({ queryKey: keys.apiKeys }),
  });
}

export function useRevokeKey() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (id: string) => api.DELETE("/api/v1/keys/{id}", { params: { path: { id } } }),
    onSuccess: () => client.invalidateQueries({ queryKey: keys.apiKeys }),
  });
}

/** The account's signing secrets, newest first. */
export function useSecrets() {
  return useQuery({
    queryKey: keys.secrets,
    queryFn: async ({ signal }) => (await ok(api.GET("/api/v1/users/me/signing-secrets", { signal }))).secrets,
  });
}

/** Makes a signing secret, which signs from now on. Only this answer contains it. */
export function useCreateSecret() {
  const client = useQueryClient();
  const once = useOnce();
  return useMutation({
    mutationFn: (name: string) =>
      once((key) => {
        const params = { header: { "Idempotency-Key": key } };
        return ok(api.POST("/api/v1/users/me/signing-secrets", { params, body: { name } }));
      }),
    onSuccess: () => client.invalidateQueries({ queryKey: keys.secrets }),
  });
}

export function useDeleteSecret() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (id: string) => api.DELETE("/api/v1/users/me/signing-secrets/{id}", { params: { path: { id } } }),
    onSuccess: () => client.invalidateQueries({ queryKey: keys.secrets }),
  });
}
