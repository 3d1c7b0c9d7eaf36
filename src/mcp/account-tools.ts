import { Type } from "@sinclair/typebox";
import type { Agent } from "../../sdks/typescript/src/index.ts";
import { hints, orNull, tool } from "./tool.ts";

/** Agents named one by one; list_agents lists all. */
const NAMED_MAX = 50;

export const whoami = tool({
  name: "whoami",
  title: "Who am I",
  description: "Tells which account and agents this key is for, what it may do, and which server it is. Call it first.",
  hints: hints.look,
  input: {},
  output: {
    account: Type.String({ description: "The address of the account's owner." }),
    scope: Type.String({
      description: "`agent`: one agent's mail; `account`: all agents, and deciding about held mail.",
    }),
    default_agent: orNull(Type.String(), "The agent whose mailbox a call uses if it names none."),
    agents: Type.Array(Type.String()),
    may_approve: Type.Boolean(),
    server_version: Type.String(),
    shared_domain: Type.String(),
  },
  async run(_, { api, signal }) {
    const [me, agents, info] = await Promise.all([
      api.client.account.get({ signal }),
      api.agents(signal),
      api.client.info({ signal }),
    ]);
    const [only] = agents;
    const usual = me.agent ?? api.defaultAgent ?? (agents.length === 1 ? (only ?? null) : null);
    const named = agents.slice(0, NAMED_MAX);
    const more = agents.length > named.length ? `, … (${agents.length} in all)` : "";
    const lines = [
      me.agent === null
        ? `You work for the account of ${me.email}. Its agents: ${named.join(", ") || "none yet"}${more}.`
        : `You are the agent ${me.agent}, of the account of ${me.email}.`,
      me.agent !== null || agents.length <= 1
        ? ""
        : usual === null
          ? "Set `agent` to say which one a call is about."
          : `Calls that name no agent use ${usual}.`,
      me.scope === "account" ? "You may approve and reject held mail; ask the user before you do." : "",
    ];
    return {
      text: lines.filter(Boolean).join("\n"),
      structured: {
        account: me.email,
        scope: me.scope,
        default_agent: usual,
        agents: named,
        may_approve: me.scope === "account",
        server_version: info.version,
        shared_domain: info.shared_domain,
      },
    };
  },
});

export const listAgents = tool({
  name: "list_agents",
  title: "List agents",
  description: "Lists the agents (mail addresses) of this key, and whether a person approves what they send.",
  hints: hints.look,
  input: {},
  output: {
    agents: Type.Array(
      Type.Object({
        email: Type.String(),
        name: Type.String(),
        approval: Type.String({
          description: "`none`, `all mail` or `by rules`: what waits for a person before it leaves.",
        }),
        paused: Type.Boolean({ description: "Nothing it sends leaves for now." }),
        domain_verified: Type.Boolean(),
      }),
    ),
  },
  async run(_, { api, signal }) {
    const { agents } = await api.client.agents.list({ signal });
    const shown = agents.map(({ email, name, paused, domain_verified, ...gate }) => ({
      email,
      name,
      approval: approvalOf(gate),
      paused,
      domain_verified,
    }));
    const lines = shown.map(
      ({ email, name, approval, paused }) =>
        `${email}${name ? ` (${JSON.stringify(name)})` : ""}: approval ${approval}${paused ? ", paused" : ""}`,
    );
    return {
      text: lines.join("\n") || "There is no agent yet. The user can register one with `e2a agents register`.",
      structured: { agents: shown },
    };
  },
});

function approvalOf({ hitl_enabled, hitl_rules }: Pick<Agent, "hitl_enabled" | "hitl_rules">): string {
  if (!hitl_enabled) return "none";
  return hitl_rules === null || Object.keys(hitl_rules).length === 0 ? "all mail" : "by rules";
}
