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

/** A queue longer than this is worked off in parts. */
const HELD_MAX = 500;

const pathOf = (id: string) => ({ params: { path: { id } } });

/** What agents sent, newest first. */
export function outboundListQuery(filter: OutboundFilter) {
  return infiniteQueryOptions({
    ...inPages,
    queryKey: [...keys.outbound, "list", filter],
    queryFn: ({ pageParam, signal }) =>
      ok(api.GET("/api/v1/messages", { params: { query: { ...filter, ...pageQuery(pageParam) } }, signal })),
    select: rowsOf("messages"),
  });
}

export function outboundQuery(id: string) {
  return queryOptions({
    queryKey: [...keys.outbound, "one", id],
    queryFn: ({ signal }) => ok(api.GET("/api/v1/messages/{id}", { ...pathOf(id), signal })),
  });
}

export interface Held {
  /** What expires first comes first; of two, what waits longer. */
  messages: Outbound[];
  /** There are more than are shown. */
  more: boolean;
}

/** Mail that waits for a decision, whole. */
export function useHeld(agent: string | undefined) {
  return useQuery({
    queryKey: [...keys.outbound, "held", agent ?? null],
    queryFn: async ({ signal }): Promise<Held> => {
      const messages: Outbound[] = [];
      let token: string | undefined;
      do {
        const query = { status: "pending_approval" as const, ...(agent && { agent }), ...pageQuery(token) };
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

/** Takes a message out of the queue before the server's list says so. */
export function dropHeld(client: QueryClient, id: string): void {
  client.setQueriesData<Held>({ queryKey: [...keys.outbound, "held"] }, (held) =>
    held ? { ...held, messages: held.messages.filter((one) => one.id !== id) } : held,
  );
}

/** Asks anew for all that a decision changes. */
export function outboundChanged(client: QueryClient): Promise<unknown> {
  return Promise.all(
    (["outbound", "conversations", "overview", "audit"] as const).map((resource) =>
      client.invalidateQueries({ queryKey: keys[resource] }),
    ),
  );
}

/**
 * Lets a held message go. It counts only while the message is still what `content_hash` names. The answer comes when it
 * has left, after ten seconds at most, or `atOnce`.
 */
export function approve(id: string, body: Approval, atOnce: boolean) {
  const params = { path: { id }, header: { "Idempotency-Key": idempotencyKey() } };
  const headers = atOnce ? { Prefer: "respond-async" } : {};
  return ok(api.POST("/api/v1/messages/{id}/approve", { params, headers, body }));
}

/** Keeps a held message from leaving. */
export function reject(id: string, body: { reason?: string; content_hash?: string }) {
  const params = { path: { id }, header: { "Idempotency-Key": idempotencyKey() } };
  return ok(api.POST("/api/v1/messages/{id}/reject", { params, body }));
}

/** Takes an approval back: the message waits again. Fails with 409 once a recipient is being tried. */
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

/** Takes a message back as far as it has not left. */
export function useCancel(id: string) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: () => cancel(id),
    onSuccess: (message) => client.setQueryData(outboundQuery(id).queryKey, message),
    onSettled: () => outboundChanged(client),
  });
}

/** Lets go on what the loop breaker stopped: this message and all that it holds for the same reason. */
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
