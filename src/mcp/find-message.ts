import { ForbiddenError, NotFoundError } from "../../sdks/typescript/src/index.ts";
import { ToolFailure } from "./failure.ts";
import type { Detail, Outbound } from "./shapes.ts";
import type { Context } from "./tool.ts";

/** A message that an agent received or sent. */
export type FoundMessage = { agent: string } & ({ received: Detail } | { sent: Outbound });

/**
 * Finds the message with this id that the agent received or sent. `named` is the agent as the call names it; `query` is
 * for a received message. Throws ToolFailure if there is none.
 */
export async function findMessage(
  id: string,
  named: string | undefined,
  query: { raw: false; peek: boolean },
  { api, signal }: Pick<Context, "api" | "signal">,
): Promise<FoundMessage> {
  const agent = await api.agentOf(named, signal);
  const received = await api.client.messages.get(id, { ...query, agent, signal }).catch(refused);
  if (received !== null) return { agent, received: received.data };
  const message = await api.client.outbox.get(id, { data: false, signal }).catch(refused);
  if (message !== null && (named === undefined || message.agent_id === agent)) return { agent, sent: message };
  throw new ToolFailure(`${agent} has no message ${id}.`, {
    code: "not_found",
    fix: "list_messages shows the ids. If another agent has it, say so with `agent`.",
  });
}

/** Null for a message that does not exist or that this key may not see; rethrows every other failure. */
function refused(error: unknown): null {
  if (error instanceof NotFoundError || error instanceof ForbiddenError) return null;
  throw error;
}
