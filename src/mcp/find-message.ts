import { agentPath, messagePath } from "./api.ts";
import { ToolFailure } from "./failure.ts";
import type { Detail, Outbound } from "./shapes.ts";
import type { Context } from "./tool.ts";

/** A message of an agent, in or out, and its path in the API. */
export type FoundMessage = { agent: string; path: string } & ({ received: Detail } | { sent: Outbound });

/**
 * The message of this id that the agent received or sent. `named` is the agent as a call says it, `query` how a received one
 * is asked for. Throws ToolFailure when there is none.
 */
export async function findMessage(
  id: string,
  named: string | undefined,
  query: { raw: false; peek: boolean },
  { api, signal }: Pick<Context, "api" | "signal">,
): Promise<FoundMessage> {
  const agent = await api.agentOf(named, signal);
  const path = agentPath(agent, messagePath(id));
  const received = await api.ask("GET", path, { query, signal });
  if (received.ok) return { agent, path, received: (await received.json()) as Detail };
  const sent = await api.ask("GET", messagePath(id), { signal });
  const message = sent.ok ? ((await sent.json()) as Outbound) : null;
  if (message !== null && (named === undefined || message.agent_id === agent))
    return { agent, path: messagePath(id), sent: message };
  throw new ToolFailure(`${agent} has no message ${id}.`, {
    code: "not_found",
    fix: "list_messages shows the ids. If another agent has it, say so with `agent`.",
  });
}
