import { Link } from "@tanstack/react-router";
import { Bot, Cloud, Laptop, Plus } from "lucide-react";
import { useMemo, useState } from "react";
import { useAgents } from "../api/agents.ts";
import type { Agent } from "../api/client.ts";
import { Badge } from "../ui/badge.tsx";
import { buttonClass } from "../ui/button.tsx";
import { TextInput } from "../ui/field.tsx";
import { Card, Page } from "../ui/page.tsx";
import { EmptyState, Loaded } from "../ui/states.tsx";
import { type Column, Table } from "../ui/table.tsx";
import { RelativeTime } from "../ui/time.tsx";

/** With this many agents the list gets a filter. */
const FILTER_FROM = 8;

const columns: Column<Agent>[] = [
  {
    header: "Agent",
    cell: (agent) => (
      <div className="flex min-w-0 flex-col py-1">
        <Link
          to="/agents/$email"
          params={{ email: agent.email }}
          className="font-medium wrap-anywhere after:absolute after:inset-0"
        >
          {agent.email}
        </Link>
        {agent.name && <span className="line-clamp-2 text-xs wrap-anywhere text-muted">{agent.name}</span>}
      </div>
    ),
  },
  {
    header: "Mail arrives by",
    secondary: true,
    cell: (agent) =>
      agent.agent_mode === "cloud" ? (
        <span className="flex items-center gap-1.5 text-muted" title={agent.webhook_url}>
          <Cloud aria-hidden className="size-4" /> Webhook
        </span>
      ) : (
        <span className="flex items-center gap-1.5 text-muted">
          <Laptop aria-hidden className="size-4" /> WebSocket
        </span>
      ),
  },
  { header: "State", cell: (agent) => <AgentState agent={agent} /> },
  {
    header: "Created",
    secondary: true,
    align: "right",
    cell: (agent) => <RelativeTime at={agent.created_at} className="text-muted" />,
  },
];

/** Badges for anything unusual about an agent; none if it is in its normal state. */
export function AgentState({ agent }: { agent: Agent }) {
  return (
    <span className="inline-flex flex-wrap gap-1">
      {agent.paused && <Badge tone="warn">Paused</Badge>}
      {!agent.domain_verified && <Badge tone="warn">Domain not verified</Badge>}
      {agent.hitl_enabled && <Badge tone="accent">{agent.hitl_rules ? "Some mail is held" : "All mail is held"}</Badge>}
      {!agent.paused && agent.domain_verified && !agent.hitl_enabled && <Badge tone="ok">Active</Badge>}
    </span>
  );
}

export function AgentsPage() {
  const agents = useAgents();
  const [filter, setFilter] = useState("");
  const found = useMemo(() => {
    const wanted = filter.trim().toLowerCase();
    return (agents.data ?? []).filter(({ email, name }) => `${email} ${name}`.toLowerCase().includes(wanted));
  }, [agents.data, filter]);
  const many = (agents.data?.length ?? 0) >= FILTER_FROM;
  const create = (
    <Link to="/agents/new" className={buttonClass("primary")}>
      <Plus aria-hidden className="size-4" /> New agent
    </Link>
  );

  return (
    <Page
      wide
      title="Agents"
      description="Each agent has its own address, its own inbox, and its own rules for what it may send."
      actions={create}
    >
      <Loaded query={agents}>
        {(all) =>
          all.length === 0 ? (
            <EmptyState icon={Bot} title="No agents yet" action={create}>
              <p>
                An agent is a mailbox that a program uses. It takes one name to make one; mail to it works at once,
                without any DNS.
              </p>
            </EmptyState>
          ) : (
            <Card flush>
              {many && (
                <div className="border-b border-line p-3">
                  <TextInput
                    type="search"
                    aria-label="Filter agents"
                    placeholder={`Filter ${all.length} agents`}
                    value={filter}
                    onChange={(event) => setFilter(event.target.value)}
                    className="max-w-72"
                  />
                </div>
              )}
              <Table label="Agents" columns={columns} rows={found} keyOf={(agent) => agent.email} />
              {found.length === 0 && <p className="p-6 text-center text-sm text-muted">No agent matches “{filter}”.</p>}
            </Card>
          )
        }
      </Loaded>
    </Page>
  );
}
