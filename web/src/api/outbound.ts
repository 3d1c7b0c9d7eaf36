import {
  infiniteQueryOptions,
  type QueryClient,
  queryOptions,
  useMutation,
  useQuery,
  useQueryClient,
} from "@tanstack/react-query";
import type { paths } from "../../../sdks/typescript/src/schema.ts";
import { api, idempotencyKey, type Outbound, ok } from "./client.ts";
import { keys } from "./keys.ts";
import { inPages, PAGE_SIZE, pageQuery, rowsOf } from "./pages.ts";

export type OutboundStatus = Outbound["status"];
export type Approval = NonNullable<
  paths["/api/v1/messages/{id}/approve"]["post"]["requestBody"]
>["content"]["application/json"];

export interface OutboundFilter {
  status?: OutboundStatus;
  agent?: string;
}

/** How many held messages are loaded. A longer queue is shown in parts. */
const HELD_MAX = 500;

/** What agents sent, newest first. */
export function outboundListQuery(filter: OutboundFilter) {
  return infiniteQueryOptions({
    ...inPages,
    queryKey: [...keys.outbound, "list", filter],
    queryFn: ({ pageParam, signal }) =>
      ok(
        api.GET("/api/v1/messages", { params: { query: { ...filter, data: false, ...pageQuery(pageParam) } }, signal }),
      ),
    select: rowsOf("messages"),
  });
}

export function outboundQuery(id: string) {
  return queryOptions({
    queryKey: [...keys.outbound, "one", id],
    queryFn: ({ signal }) =>
      ok(api.GET("/api/v1/messages/{id}", { params: { path: { id }, query: { data: false } }, signal })),
  });
}

export interface Held {
  /** The message that expires first comes first; of two, the one that has waited longer. */
  messages: Outbound[];
  /** There are more than these. */
  more: boolean;
}

/** The mail that waits for a decision, up to HELD_MAX messages. */
export function useHeld(agent: string | undefined) {
  return useQuery({
    queryKey: [...keys.outbound, "held", agent ?? null],
    queryFn: async ({ signal }): Promise<Held> => {
      const messages: Outbound[] = [];
      let token: string | undefined;
      do {
        const query = {
          status: "pending_approval" as const,
          data: false,
          ...(agent && { agent }),
          ...pageQuery(token),
        };
        const page = await ok(api.GET("/api/v1/messages", { params: { query }, signal }));
        messages.push(...page.messages);
        token = page.next_token;
      } while (token && messages.length + PAGE_SIZE <= HELD_MAX);
      return { messages: messages.sort(byExpiry), more: token !== undefined };
    },
  });
}

function byExpiry(a: Outbound, b: Outbound): number {
  const when = ({ approval_expires_at: at }: Outbound) => at ?? "9999";
  return when(a).localeCompare(when(b)) || a.id.localeCompare(b.id);
}

/** Removes a message from the queue without waiting for the server's list. */
export function dropHeld(client: QueryClient, id: string): void {
  client.setQueriesData<Held>({ queryKey: [...keys.outbound, "held"] }, (held) =>
    held ? { ...held, messages: held.messages.filter((one) => one.id !== id) } : held,
  );
}

/** Fetches again everything that a decision changes. */
export function outboundChanged(client: QueryClient): Promise<unknown> {
  return Promise.all(
    (["outbound", "conversations", "overview", "audit"] as const).map((resource) =>
      client.invalidateQueries({ queryKey: keys[resource] }),
    ),
  );
}

/**
 * Approves a held message. Fails if the message no longer has the content that `content_hash` names. The answer comes
 * when the message has left, after at most ten seconds, or immediately if `atOnce`.
 */
export function approve(id: string, body: Approval, atOnce: boolean) {
  const params = { path: { id }, header: { "Idempotency-Key": idempotencyKey() } };
  const headers = atOnce ? { Prefer: "respond-async" } : {};
  return ok(api.POST("/api/v1/messages/{id}/approve", { params, headers, body }));
}

/** Rejects a held message, which then never leaves. */
export function reject(id: string, body: { reason?: string; content_hash?: string }) {
  const params = { path: { id }, header: { "Idempotency-Key": idempotencyKey() } };
  return ok(api.POST("/api/v1/messages/{id}/reject", { params, body }));
}

/** Undoes an approval: the message waits again. Fails with 409 once delivery to a recipient has begun. */
export function undo(id: string): Promise<Outbound> {
  const params = { path: { id }, header: { "Idempotency-Key": idempotencyKey() } };
  return ok(api.POST("/api/v1/messages/{id}/undo", { params }));
}

export function useUndo(id: string) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: () => undo(id),
    onSuccess: (message) => client.setQueryData(outboundQuery(id).queryKey, message),
    onSettled: () => outboundChanged(client),
  });
}

function cancel(id: string): Promise<Outbound> {
  const params = { path: { id }, header: { "Idempotency-Key": idempotencyKey() } };
  return ok(api.POST("/api/v1/messages/{id}/cancel", { params }));
}

/** Cancels a message for the recipients to whom it has not left yet. */
export function useCancel(id: string) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: () => cancel(id),
    onSuccess: (message) => client.setQueryData(outboundQuery(id).queryKey, message),
    onSettled: () => outboundChanged(client),
  });
}

/** Releases a message that the loop breaker holds, and all that it holds for the same reason. */
export function useRelease(id: string) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: () => {
      const params = { path: { id }, header: { "Idempotency-Key": idempotencyKey() } };
      return ok(api.POST("/api/v1/messages/{id}/release", { params }));
    },
    onSettled: () => outboundChanged(client),
  });
}
