import { queryOptions, useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import type { paths } from "../../../sdks/typescript/src/schema.ts";
import { api, ok, type Webhook } from "./client.ts";
import { keys } from "./keys.ts";
import { useOnce } from "./once.ts";

export type NewWebhook = paths["/api/v1/webhooks"]["post"]["requestBody"]["content"]["application/json"];
export type WebhookChange = NonNullable<
  paths["/api/v1/webhooks/{id}"]["patch"]["requestBody"]
>["content"]["application/json"];

const pathOf = (id: string) => ({ params: { path: { id } } });

/** All webhooks of the account, newest first. */
export function useWebhooks() {
  return useQuery({
    queryKey: [...keys.webhooks, "all"],
    queryFn: async ({ signal }) => (await ok(api.GET("/api/v1/webhooks", { signal }))).webhooks,
  });
}

export const webhookQuery = (id: string) =>
  queryOptions({
    queryKey: [...keys.webhooks, "one", id],
    queryFn: ({ signal }) => ok(api.GET("/api/v1/webhooks/{id}", { ...pathOf(id), signal })),
  });

export function useCreateWebhook() {
  const client = useQueryClient();
  const once = useOnce();
  return useMutation({
    mutationFn: (body: NewWebhook) =>
      once((key) => ok(api.POST("/api/v1/webhooks", { params: { header: { "Idempotency-Key": key } }, body }))),
    onSuccess: () => client.invalidateQueries({ queryKey: keys.webhooks }),
  });
}

export function useChangeWebhook(id: string) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (body: WebhookChange) => ok(api.PATCH("/api/v1/webhooks/{id}", { ...pathOf(id), body })),
    onSuccess: (webhook: Webhook) => {
      client.setQueryData(webhookQuery(id).queryKey, webhook);
      void client.invalidateQueries({ queryKey: keys.deliveries });
      return client.invalidateQueries({ queryKey: [...keys.webhooks, "all"] });
    },
  });
}

export function useDeleteWebhook(id: string) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: () => api.DELETE("/api/v1/webhooks/{id}", pathOf(id)),
    onSuccess: () => {
      client.removeQueries({ queryKey: webhookQuery(id).queryKey });
      void client.invalidateQueries({ queryKey: keys.deliveries });
      return client.invalidateQueries({ queryKey: [...keys.webhooks, "all"] });
    },
  });
}

/** Sends a test event. The answer is the delivery, which may still be running. */
export function useTestWebhook(id: string) {
  const client = useQueryClient();
  const once = useOnce();
  return useMutation({
    mutationFn: () =>
      once((key) => {
        const params = { path: { id }, header: { "Idempotency-Key": key } };
        return ok(api.POST("/api/v1/webhooks/{id}/test", { params }));
      }),
    onSuccess: () => client.invalidateQueries({ queryKey: keys.deliveries }),
  });
}
