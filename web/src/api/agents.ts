import { queryOptions, useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import type { paths } from "../../../sdks/typescript/src/schema.ts";
import { type Agent, api, ok } from "./client.ts";
import { keys } from "./keys.ts";

type Body<Path extends keyof paths, Method extends "post" | "patch"> = NonNullable<
  paths[Path][Method] extends { requestBody?: { content: { "application/json": infer T } } } ? T : never
>;
export type NewAgent = Body<"/api/v1/agents", "post">;
export type AgentChange = Body<"/api/v1/agents/{email}", "patch">;

const agentPath = (email: string) => ({ params: { path: { email } } });

/** All agents, newest first. */
export function useAgents() {
  return useQuery({
    queryKey: [...keys.agents, "all"],
    queryFn: async ({ signal }) => (await ok(api.GET("/api/v1/agents", { signal }))).agents,
  });
}

export const agentQuery = (email: string) =>
  queryOptions({
    queryKey: [...keys.agents, "one", email],
    queryFn: ({ signal }) => ok(api.GET("/api/v1/agents/{email}", { ...agentPath(email), signal })),
  });

export function useCreateAgent() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (body: NewAgent) => ok(api.POST("/api/v1/agents", { body })),
    onSuccess: () => client.invalidateQueries({ queryKey: keys.agents }),
  });
}

/** Changes an agent. The page shows the new values at once, and the old ones again if the server refuses. */
export function useChangeAgent(email: string) {
  const client = useQueryClient();
  const { queryKey } = agentQuery(email);
  return useMutation({
    mutationFn: (body: AgentChange) => ok(api.PATCH("/api/v1/agents/{email}", { ...agentPath(email), body })),
    onMutate: async (change) => {
      await client.cancelQueries({ queryKey });
      const before = client.getQueryData(queryKey);
      if (before) client.setQueryData(queryKey, { ...before, ...change } as Agent);
      return { before };
    },
    onError: (_error, _change, context) => client.setQueryData(queryKey, context?.before),
    onSuccess: (agent) => client.setQueryData(queryKey, agent),
    onSettled: () => client.invalidateQueries({ queryKey: [...keys.agents, "all"] }),
  });
}

export function useDeleteAgent(email: string) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: () => ok(api.DELETE("/api/v1/agents/{email}", agentPath(email))),
    onSuccess: () => {
      client.removeQueries({ queryKey: agentQuery(email).queryKey });
      return client.invalidateQueries();
    },
  });
}

/** Sends the agent a test mail, which takes the whole inbound path. */
export function useTestAgent(email: string) {
  return useMutation({ mutationFn: () => ok(api.POST("/api/v1/agents/{email}/test", agentPath(email))) });
}

/** Whether an address is that of a domain's own mailbox, which no agent has: its mail can be read, but not answered. */
export function isRoleMailbox(address: string): boolean {
  return address.startsWith("postmaster@");
}
