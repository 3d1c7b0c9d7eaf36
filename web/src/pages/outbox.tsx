import { useInfiniteQuery } from "@tanstack/react-query";
import { getRouteApi, Link, useMatch } from "@tanstack/react-router";
import { Send } from "lucide-react";
import { useAgents } from "../api/agents.ts";
import { type OutboundStatus, outboundListQuery } from "../api/outbound.ts";
import { useShortcuts } from "../app/shortcuts.ts";
import { OutboundRow } from "../outbound/outbound-row.tsx";
import { SentMessage } from "../outbound/sent-message.tsx";
import type { OutboxSearch } from "../routes.tsx";
import { AgentFilter } from "../ui/agent-filter.tsx";
import { buttonClass } from "../ui/button.tsx";
import { Select } from "../ui/field.tsx";
import { PagedList } from "../ui/paged.tsx";
import { Split } from "../ui/split.tsx";
import { EmptyState } from "../ui/states.tsx";

const route = getRouteApi("/outbox");
const ROW_PIXELS = 66;

const statuses: readonly (readonly [OutboundStatus, string])[] = [
  ["pending_approval", "Waiting for approval"],
  ["queued", "Queued"],
  ["sending", "Sending"],
  ["deferred", "Deferred"],
  ["sent", "Sent"],
  ["delivered", "Delivered"],
  ["bounced", "Bounced"],
  ["failed", "Failed"],
  ["cancelled", "Cancelled"],
  ["rejected", "Rejected"],
  ["expired_approved", "Sent without a decision"],
  ["expired_rejected", "Rejected without a decision"],
];

/** Sent mail of every status, with its delivery. */
export function OutboxPage() {
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const open = useMatch({ from: "/outbox/$id", shouldThrow: false })?.params.id;
  const agents = useAgents();
  const { state, agent } = search;
  const query = useInfiniteQuery(outboundListQuery({ ...(state && { status: state }), ...(agent && { agent }) }));
  const filter = (next: OutboxSearch) => void navigate({ to: "/outbox", search: next, replace: true });
  const back = () => void navigate({ to: "/outbox", search });
  useShortcuts([{ keys: "escape", label: "Back to the list", group: "Outbox", run: back }]);
  const filtered = Boolean(state || agent);

  return (
    <Split
      title="Outbox"
      open={open !== undefined}
      filters={
        <>
          <Select
            aria-label="Status"
            className="max-w-[calc(50%-4px)]"
            value={state ?? ""}
            onChange={({ target }) =>
              filter({
                ...(agent && { agent }),
                ...(target.value && { state: target.value as OutboundStatus }),
              })
            }
          >
            <option value="">Any status</option>
            {statuses.map(([status, words]) => (
              <option key={status} value={status}>
                {words}
              </option>
            ))}
          </Select>
          <AgentFilter
            agents={agents.data}
            value={agent}
            onChange={(next) => filter({ ...(state && { state }), ...(next && { agent: next }) })}
          />
        </>
      }
      list={
        <PagedList
          label="Sent mail, newest first"
          query={query}
          keyOf={({ id }) => id}
          rowHeight={ROW_PIXELS}
          selected={open}
          empty={filtered ? <NothingFound /> : <NothingSent />}
        >
          {(message) => (
            <OutboundRow message={message} to="/outbox/$id" showAgent={!agent && (agents.data?.length ?? 0) > 1} />
          )}
        </PagedList>
      }
      detail={open !== undefined && <SentMessage key={open} id={open} back={back} />}
      hint={<p>Choose a message to see its delivery to each recipient.</p>}
    />
  );
}

function NothingFound() {
  return (
    <EmptyState
      icon={Send}
      title="No matching mail"
      action={
        <Link to="/outbox" className={buttonClass()}>
          Show everything
        </Link>
      }
    >
      <p>No sent message has this status.</p>
    </EmptyState>
  );
}

function NothingSent() {
  return (
    <EmptyState
      icon={Send}
      title="Nothing sent yet"
      action={
        <Link to="/agents" className={buttonClass("primary")}>
          Choose an agent
        </Link>
      }
    >
      <p>
        Mail that your agents send is listed here, with the answer of each recipient’s server. An agent’s page has a
        program that sends, ready to run.
      </p>
    </EmptyState>
  );
}
