import { Link, useNavigate } from "@tanstack/react-router";
import { Plus, Webhook as WebhookIcon } from "lucide-react";
import { useState } from "react";
import { useAgents } from "../api/agents.ts";
import type { Agent, Webhook } from "../api/client.ts";
import { useCreateWebhook, useWebhooks } from "../api/webhooks.ts";
import { useShortcuts } from "../app/shortcuts.ts";
import { Button } from "../ui/button.tsx";
import { Card, Page } from "../ui/page.tsx";
import { EmptyState, Loaded } from "../ui/states.tsx";
import { type Column, Table } from "../ui/table.tsx";
import { RelativeTime } from "../ui/time.tsx";
import { WebhookForm } from "../webhooks/form.tsx";
import { agentState, EndpointBadge, webhookState } from "../webhooks/state.tsx";

const columns: Column<Webhook>[] = [
  {
    header: "Endpoint",
    cell: ({ id, url, description }) => (
      <div className="flex max-w-96 min-w-40 flex-col py-1.5">
        <Link
          to="/webhooks/$id"
          params={{ id }}
          className="line-clamp-2 font-medium wrap-anywhere after:absolute after:inset-0"
        >
          {url}
        </Link>
        {description && <span className="truncate text-xs text-muted">{description}</span>}
      </div>
    ),
  },
  {
    header: "Events",
    secondary: true,
    cell: ({ events }) => <span className="text-muted">{chosen(events, "All")}</span>,
  },
  {
    header: "About",
    secondary: true,
    cell: ({ agents }) => <span className="text-muted">{chosen(agents, "All agents")}</span>,
  },
  { header: "State", cell: (webhook) => <EndpointBadge state={webhookState(webhook)} /> },
  {
    header: "Created",
    secondary: true,
    align: "right",
    cell: ({ created_at }) => <RelativeTime at={created_at} className="whitespace-nowrap text-muted" />,
  },
];

function chosen(names: readonly string[], all: string): string {
  const [first, ...others] = names;
  if (first === undefined) return all;
  return others.length === 0 ? first : `${first} and ${others.length} more`;
}

const agentColumns: Column<Agent>[] = [
  {
    header: "Agent",
    cell: ({ email }) => (
      <Link
        to="/agents/$email"
        params={{ email }}
        search={{ tab: "settings" }}
        className="font-medium wrap-anywhere after:absolute after:inset-0"
      >
        {email}
      </Link>
    ),
  },
  {
    header: "Endpoint",
    secondary: true,
    cell: ({ webhook_url }) => <span className="text-muted wrap-anywhere">{webhook_url}</span>,
  },
  { header: "State", cell: (agent) => <EndpointBadge state={agentState(agent)} /> },
];

/** The account's webhooks, and each agent's own webhook. */
export function WebhooksPage() {
  const webhooks = useWebhooks();
  const agents = useAgents();
  const navigate = useNavigate();
  const create = useCreateWebhook();
  const [form, setForm] = useState(false);
  const open = () => setForm(true);
  useShortcuts([{ keys: "n", label: "New webhook", group: "Webhooks", run: open }]);
  const own = agents.data?.filter(({ webhook_url }) => webhook_url !== "") ?? [];
  const button = (
    <Button variant="primary" icon={Plus} onClick={open}>
      New webhook
    </Button>
  );

  return (
    <Page
      wide
      title="Webhooks"
      description="Programs that are told about events: mail that arrived, left, bounced or waits for you."
      actions={button}
    >
      <Loaded query={webhooks}>
        {(all) =>
          all.length === 0 ? (
            <EmptyState icon={WebhookIcon} title="No webhooks yet" action={button}>
              <p>
                A webhook receives every event of the account, or only the types and agents that you choose. Each event
                is signed, and retried until your program accepts it.
              </p>
              <p>For mail of a single agent, the webhook in that agent’s settings carries the whole message.</p>
            </EmptyState>
          ) : (
            <Card flush>
              <Table label="Webhooks" columns={columns} rows={all} keyOf={({ id }) => id} />
            </Card>
          )
        }
      </Loaded>
      {own.length > 0 && (
        <Card
          title="Agents’ own webhooks"
          description="They receive each message whole. Change them in the agent’s settings."
          flush
        >
          <Table label="Agents’ own webhooks" columns={agentColumns} rows={own} keyOf={({ email }) => email} />
        </Card>
      )}
      {form && (
        <WebhookForm
          onClose={() => setForm(false)}
          save={async (wanted) => {
            const { id } = await create.mutateAsync(wanted);
            void navigate({ to: "/webhooks/$id", params: { id } });
          }}
        />
      )}
    </Page>
  );
}
