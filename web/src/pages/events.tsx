import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { getRouteApi, Link, useMatch } from "@tanstack/react-router";
import { Activity } from "lucide-react";
import { type EventType, eventTypes } from "../../../src/wire/event-types.ts";
import { useAgents } from "../api/agents.ts";
import type { ApiEvent } from "../api/client.ts";
import { eventQuery, eventsQuery } from "../api/events.ts";
import { useLiveState } from "../api/live.ts";
import { useShortcuts } from "../app/shortcuts.ts";
import { eventTone, eventWords } from "../events/words.ts";
import { Untrusted } from "../mail/untrusted.tsx";
import { AgentFilter } from "../ui/agent-filter.tsx";
import { Badge } from "../ui/badge.tsx";
import { buttonClass } from "../ui/button.tsx";
import { CopyValue } from "../ui/copy.tsx";
import { Select } from "../ui/field.tsx";
import { Json } from "../ui/json.tsx";
import { Facts } from "../ui/page.tsx";
import { PagedList } from "../ui/paged.tsx";
import { Detail, Split } from "../ui/split.tsx";
import { EmptyState, Loaded, SkeletonRows } from "../ui/states.tsx";
import { RelativeTime } from "../ui/time.tsx";

const route = getRouteApi("/events");
const ROW_PIXELS = 56;

/** The event log, newest first. New events appear on top. */
export function EventsPage() {
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const open = useMatch({ from: "/events/$id", shouldThrow: false })?.params.id;
  const agents = useAgents();
  const query = useInfiniteQuery(eventsQuery(search));
  const live = useLiveState();
  const { type, agent } = search;
  const back = () => void navigate({ to: "/events", search });
  useShortcuts([{ keys: "escape", label: "Back to the list", group: "Events", run: back }]);

  return (
    <Split
      title="Events"
      open={open !== undefined}
      actions={live === "live" && <Badge tone="ok">Live</Badge>}
      filters={
        <>
          <Select
            aria-label="Type"
            className="max-w-[calc(50%-4px)]"
            value={type ?? ""}
            onChange={({ target }) =>
              void navigate({
                to: "/events",
                search: { ...(agent && { agent }), ...(target.value && { type: target.value as EventType }) },
                replace: true,
              })
            }
          >
            <option value="">All types</option>
            {eventTypes.map((one) => (
              <option key={one}>{one}</option>
            ))}
          </Select>
          <AgentFilter
            agents={agents.data}
            value={agent}
            onChange={(next) =>
              void navigate({
                to: "/events",
                search: { ...(type && { type }), ...(next && { agent: next }) },
                replace: true,
              })
            }
          />
        </>
      }
      list={
        <PagedList
          label="Events, newest first"
          query={query}
          keyOf={({ id }) => id}
          rowHeight={ROW_PIXELS}
          selected={open}
          empty={<NoEvents filtered={Boolean(type || agent)} />}
        >
          {(event) => <Row event={event} />}
        </PagedList>
      }
      detail={open !== undefined && <EventDetails key={open} id={open} back={back} />}
      hint={<p>Choose an event to see what a webhook receives about it.</p>}
    />
  );
}

/** The subject of an event, in one line. */
function subjectOf({ type, agent_id, data }: ApiEvent): string {
  const said = data as Record<string, unknown>;
  const parts = [said.subject, said.recipient ?? said.from, said.domain, said.url, said.reason].filter(
    (part): part is string => typeof part === "string" && part !== "",
  );
  return parts.slice(0, 2).join(" · ") || agent_id || eventWords[type];
}

function Row({ event }: { event: ApiEvent }) {
  const { id, type, timestamp } = event;
  return (
    <div className="relative flex flex-col gap-0.5 border-b border-line px-4 py-2 hover:bg-hover has-[a:focus-visible]:bg-hover">
      <div className="flex items-center gap-2">
        <Badge tone={eventTone(type)}>
          <Link
            to="/events/$id"
            params={{ id }}
            search={(search) => search}
            className="font-mono outline-none after:absolute after:inset-0"
          >
            {type}
          </Link>
        </Badge>
        <span className="flex-1" />
        <RelativeTime at={timestamp} className="relative z-10 shrink-0 text-xs text-muted" />
      </div>
      <p className="truncate text-xs text-muted">
        <Untrusted text={subjectOf(event)} />
      </p>
    </div>
  );
}

function EventDetails({ id, back }: { id: string; back: () => void }) {
  const event = useQuery(eventQuery(id));
  return (
    <Loaded
      query={event}
      skeleton={
        <div className="px-6 py-4">
          <SkeletonRows />
        </div>
      }
    >
      {(data) => (
        <Detail title={data.type} heading={<span className="font-mono text-base">{data.type}</span>} back={back}>
          <p className="text-sm text-muted">{eventWords[data.type]}</p>
          <Facts
            facts={[
              ["When", <RelativeTime key="when" at={data.timestamp} />],
              ...(data.agent_id ? ([["Agent", data.agent_id]] as const) : []),
              ["Id", <CopyValue key="id" value={data.id} label="Copy the id" />],
              ...aboutOf(data),
              [
                "Schema",
                <a key="schema" href={`/api/v1/events/schemas/${data.type}`} className="link">
                  JSON Schema of {data.type}
                </a>,
              ],
            ]}
          />
          <Json value={data} label="event" />
        </Detail>
      )}
    </Loaded>
  );
}

/** A link to the resource that an event is about, if it has a page. */
function aboutOf({ type, agent_id, data }: ApiEvent) {
  const { message_id, domain, webhook_id } = data as Record<string, unknown>;
  if (typeof domain === "string")
    return [
      [
        "About",
        <Link key="about" to="/domains/$domain" params={{ domain }} className="link">
          {domain}
        </Link>,
      ],
    ] as const;
  if (typeof webhook_id === "string")
    return [
      [
        "About",
        <Link key="about" to="/webhooks/$id" params={{ id: webhook_id }} className="link">
          The webhook
        </Link>,
      ],
    ] as const;
  if (typeof message_id !== "string") return [];
  const link =
    type === "message.received" && agent_id ? (
      <Link key="about" to="/inbox/$agent/$id" params={{ agent: agent_id, id: message_id }} className="link">
        The message
      </Link>
    ) : (
      <Link key="about" to="/outbox/$id" params={{ id: message_id }} className="link">
        The message
      </Link>
    );
  return [["About", link]] as const;
}

function NoEvents({ filtered }: { filtered: boolean }) {
  if (filtered)
    return (
      <EmptyState
        icon={Activity}
        title="No matching events"
        action={
          <Link to="/events" className={buttonClass()}>
            Show all
          </Link>
        }
      >
        <p>No entry of the log matches these filters. Entries are kept for 30 days unless configured otherwise.</p>
      </EmptyState>
    );
  return (
    <EmptyState icon={Activity} title="Nothing has happened yet">
      <p>
        Mail that arrives, leaves, bounces or waits appears here at once, with the same event id as in webhooks and on
        the WebSocket. Programs read the log with <code className="font-mono text-xs">GET /api/v1/events</code>.
      </p>
    </EmptyState>
  );
}
