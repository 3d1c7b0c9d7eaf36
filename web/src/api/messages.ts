import {
  type InfiniteData,
  infiniteQueryOptions,
  type QueryClient,
  queryOptions,
  useMutation,
  useQueryClient,
} from "@tanstack/react-query";
import type { paths } from "../../../sdks/typescript/src/schema.ts";
import { api, type InboxMessage, type MessageDetail, type MessageSummary, ok } from "./client.ts";
import { keys } from "./keys.ts";
import { withNewest } from "./newest.ts";
import { useOnce } from "./once.ts";
import { inPages, PAGE_SIZE, pageQuery, rowsOf } from "./pages.ts";

type InboxQuery = NonNullable<paths["/api/v1/inbox"]["get"]["parameters"]["query"]>;

export interface InboxPage {
  messages: InboxMessage[];
  next_token?: string;
}

const lists = [...keys.inbox, "list"] as const;
const messagePath = (email: string, id: string) => ({ params: { path: { email, id } } });

/** Received mail of all agents or of one, newest first, in pages. */
export function inboxQuery(filter: Pick<InboxQuery, "q" | "agent" | "label" | "status">) {
  return infiniteQueryOptions({
    ...inPages,
    queryKey: [...lists, filter],
    queryFn: ({ pageParam, signal }) => inboxPage(filter, pageParam, signal),
    select: rowsOf("messages"),
  });
}

function inboxPage(filter: InboxQuery, token: string | undefined, signal?: AbortSignal): Promise<InboxPage> {
  const query: InboxQuery = { status: "all", ...filter, sort: "desc", page_size: PAGE_SIZE, ...(token && { token }) };
  return ok(api.GET("/api/v1/inbox", { params: { query }, ...(signal && { signal }) }));
}

/**
 * Updates the lists of received mail. Of a list that was scrolled far, only the newest page is fetched again; its new
 * messages go on top.
 */
export async function refreshInbox(client: QueryClient): Promise<void> {
  const queries = client.getQueryCache().findAll({ queryKey: lists });
  await Promise.all(
    queries.map(async ({ queryKey, state }) => {
      const data = state.data as InfiniteData<InboxPage, string | undefined> | undefined;
      if (!data || data.pages.length < 2) return client.invalidateQueries({ queryKey, exact: true });
      const fresh = await inboxPage(queryKey[2] as InboxQuery, undefined);
      const pages = withNewest(data.pages, fresh);
      if (pages === null) return client.resetQueries({ queryKey, exact: true });
      client.setQueryData(queryKey, { ...data, pages });
    }),
  );
}

/** A message for a person to read. It stays unread, because an agent receives only its unread mail. */
export function messageQuery(email: string, id: string) {
  return queryOptions({
    queryKey: [...keys.inbox, "one", email, id],
    queryFn: ({ signal }) => {
      const params = { ...messagePath(email, id).params, query: { peek: true } };
      return ok(api.GET("/api/v1/agents/{email}/messages/{id}", { params, signal }));
    },
    // A received message does not change; status and labels are patched into the cache.
    staleTime: Number.POSITIVE_INFINITY,
  });
}

/** A message that is attached to a received one. `index` is as the API has it, such as `2` or `2.0`. */
export function attachedMessageQuery(email: string, id: string, index: string) {
  return queryOptions({
    queryKey: [...keys.inbox, "attached", email, id, index],
    queryFn: ({ signal }) => {
      const params = { path: { email, id, index } };
      return ok(api.GET("/api/v1/agents/{email}/messages/{id}/attachments/{index}/message", { params, signal }));
    },
    staleTime: Number.POSITIVE_INFINITY,
  });
}

/** Applies a change of a message to every list that shows it. */
function patchLists(client: QueryClient, id: string, change: Partial<MessageSummary>): void {
  client.setQueriesData<InfiniteData<InboxPage>>({ queryKey: lists }, (data) =>
    data
      ? {
          ...data,
          pages: data.pages.map((page) =>
            page.messages.some(({ message_id }) => message_id === id)
              ? { ...page, messages: page.messages.map((one) => (one.message_id === id ? { ...one, ...change } : one)) }
              : page,
          ),
        }
      : data,
  );
}

export interface MessageChange {
  status?: "read" | "unread";
  add_labels?: string[];
  remove_labels?: string[];
}

/** Changes a message's status and labels. Lists show the change at once. */
export function useChangeMessage(email: string, id: string) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (body: MessageChange) =>
      ok(api.PATCH("/api/v1/agents/{email}/messages/{id}", { ...messagePath(email, id), body })),
    onMutate: ({ status }) => {
      if (status) patchLists(client, id, { status });
    },
    onSuccess: (summary) => {
      patchLists(client, id, summary);
      client.setQueryData<MessageDetail>(messageQuery(email, id).queryKey, (detail) =>
        detail ? { ...detail, status: summary.status, labels: summary.labels } : detail,
      );
      void client.invalidateQueries({ queryKey: keys.overview });
    },
    onError: () => refreshInbox(client),
  });
}

export function useDeleteMessage(email: string, id: string) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: () => api.DELETE("/api/v1/agents/{email}/messages/{id}", messagePath(email, id)),
    onSuccess: () => {
      client.setQueriesData<InfiniteData<InboxPage>>({ queryKey: lists }, (data) =>
        data
          ? {
              ...data,
              pages: data.pages.map((page) => ({
                ...page,
                messages: page.messages.filter(({ message_id }) => message_id !== id),
              })),
            }
          : data,
      );
      void client.invalidateQueries({ queryKey: keys.overview });
      void client.invalidateQueries({ queryKey: keys.conversations });
    },
  });
}

export interface ReplyBody {
  body: string;
  reply_all: boolean;
  quote_history: boolean;
}

/** Replies to a message. */
export function useReply(email: string, id: string) {
  const client = useQueryClient();
  const once = useOnce();
  return useMutation({
    mutationFn: (body: ReplyBody) =>
      once((key) => {
        const params = { path: { email, id }, header: { "Idempotency-Key": key } };
        return ok(api.POST("/api/v1/agents/{email}/messages/{id}/reply", { params, body }));
      }),
    onSuccess: () => outgoingChanged(client),
  });
}

export function useForward(email: string, id: string) {
  const client = useQueryClient();
  const once = useOnce();
  return useMutation({
    mutationFn: (body: { to: string[]; body: string }) =>
      once((key) => {
        const params = { path: { email, id }, header: { "Idempotency-Key": key } };
        return ok(api.POST("/api/v1/agents/{email}/messages/{id}/forward", { params, body }));
      }),
    onSuccess: () => outgoingChanged(client),
  });
}

function outgoingChanged(client: QueryClient): void {
  for (const resource of ["outbound", "conversations", "overview"] as const)
    void client.invalidateQueries({ queryKey: keys[resource] });
}

/** An agent's conversations, the latest activity first. */
export function conversationsQuery(email: string) {
  return infiniteQueryOptions({
    ...inPages,
    queryKey: [...keys.conversations, "list", email],
    queryFn: ({ pageParam, signal }) =>
      ok(
        api.GET("/api/v1/agents/{email}/conversations", {
          params: { path: { email }, query: pageQuery(pageParam) },
          signal,
        }),
      ),
    select: rowsOf("conversations"),
  });
}

/** The messages of one conversation, oldest first, both directions. */
export function conversationQuery(email: string, id: string) {
  return infiniteQueryOptions({
    queryKey: [...keys.conversations, "one", email, id],
    queryFn: ({ pageParam, signal }) =>
      ok(
        api.GET("/api/v1/agents/{email}/conversations/{id}", {
          params: { path: { email, id }, query: pageQuery(pageParam) },
          signal,
        }),
      ),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (page) => page.next_token,
  });
}

/** The webhook deliveries of a received message. All fit one page, because an account has at most 50 webhooks. */
export function messageDeliveriesQuery(id: string) {
  return queryOptions({
    queryKey: [...keys.deliveries, "message", id],
    queryFn: async ({ signal }) => {
      const query = { message: id, page_size: 100 };
      return (await ok(api.GET("/api/v1/deliveries", { params: { query }, signal }))).deliveries;
    },
  });
}
