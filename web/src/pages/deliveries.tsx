import { useInfiniteQuery } from "@tanstack/react-query";
import { getRouteApi, Link, useMatch } from "@tanstack/react-router";
import { RotateCcw, Truck } from "lucide-react";
import { useState } from "react";
import { useAgents } from "../api/agents.ts";
import { deliveriesQuery } from "../api/deliveries.ts";
import { useWebhooks } from "../api/webhooks.ts";
import { useShortcuts } from "../app/shortcuts.ts";
import type { DeliveriesSearch } from "../routes.tsx";
import { AgentFilter } from "../ui/agent-filter.tsx";
import { Button, buttonClass } from "../ui/button.tsx";
import { Select } from "../ui/field.tsx";
import { PagedList } from "../ui/paged.tsx";
import { Pills } from "../ui/pills.tsx";
import { Split } from "../ui/split.tsx";
import { EmptyState } from "../ui/states.tsx";
import { DeliveryDetails } from "../webhooks/delivery-details.tsx";
import { DeliveryRow } from "../webhooks/delivery-row.tsx";
import { RedeliverDialog } from "../webhooks/redeliver-dialog.tsx";

const route = getRouteApi("/deliveries");
const ROW_PIXELS = 56;

const statuses = [
  ["", "All"],
  ["succeeded", "Delivered"],
  ["pending", "Pending"],
  ["failed", "Failed"],
  ["paused", "Paused"],
] as const;

/** Every delivery to a webhook, with all its attempts. */
export function DeliveriesPage() {
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const open = useMatch({ from: "/deliveries/$id", shouldThrow: false })?.params.id;
  const agents = useAgents();
  const webhooks = useWebhooks();
  const [asking, setAsking] = useState(false);
  const { endpoint, agent, outcome } = search;
  const query = useInfiniteQuery(
    deliveriesQuery({
      ...(endpoint && { webhook: endpoint }),
      ...(agent && { agent }),
      ...(outcome && { status: outcome }),
    }),
  );
  const back = () => void navigate({ to: "/deliveries", search });
  const filter = (change: DeliveriesSearch) => {
    const next = Object.fromEntries(Object.entries({ ...search, ...change }).filter(([, value]) => value));
    void navigate({ to: "/deliveries", search: next, replace: true });
  };
  useShortcuts([{ keys: "escape", label: "Back to the list", group: "Deliveries", run: back }]);
  const own = agents.data?.filter(({ webhook_url }) => webhook_url !== "") ?? [];
  const known =
    endpoint === undefined ||
    [...(webhooks.data ?? []).map(({ id }) => id), ...own.map(({ email }) => email)].includes(endpoint);

  return (
    <>
      <Split
        title="Deliveries"
        open={open !== undefined}
        actions={
          <Button size="sm" icon={RotateCcw} onClick={() => setAsking(true)}>
            Redeliver failed
          </Button>
        }
        filters={
          <>
            <Select
              aria-label="Endpoint"
              className="max-w-[calc(50%-4px)]"
              value={endpoint ?? ""}
              onChange={({ target }) => filter({ endpoint: target.value })}
            >
              <option value="">All endpoints</option>
              {!known && <option>{endpoint}</option>}
              {webhooks.data?.map(({ id, url }) => (
                <option key={id} value={id}>
                  {url}
                </option>
              ))}
              {own.map(({ email }) => (
                <option key={email} value={email}>
                  {email} (its own)
                </option>
              ))}
            </Select>
            <AgentFilter agents={agents.data} value={agent} onChange={(next) => filter({ agent: next ?? "" })} />
            <Pills
              label="Status"
              options={statuses}
              value={outcome ?? ""}
              onChange={(next) => filter({ outcome: next || undefined } as DeliveriesSearch)}
            />
          </>
        }
        list={
          <PagedList
            label="Deliveries, newest first"
            query={query}
            keyOf={({ id }) => id}
            rowHeight={ROW_PIXELS}
            selected={open}
            empty={
              endpoint || agent || outcome ? (
                <NothingFound />
              ) : (
                <NothingDelivered webhooks={webhooks.data?.length ?? 0} />
              )
            }
          >
            {(delivery) => <DeliveryRow delivery={delivery} showEndpoint={!endpoint} />}
          </PagedList>
        }
        detail={open !== undefined && <DeliveryDetails key={open} id={open} back={back} />}
        hint={<p>Choose a delivery to see each attempt, and what the endpoint answered.</p>}
      />
      {asking && (
        <RedeliverDialog
          endpoint={endpoint}
          endpointName={webhooks.data?.find(({ id }) => id === endpoint)?.url}
          agent={agent}
          onClose={() => setAsking(false)}
        />
      )}
    </>
  );
}

function NothingFound() {
  return (
    <EmptyState
      icon={Truck}
      title="No matching deliveries"
      action={
        <Link to="/deliveries" className={buttonClass()}>
          Show all
        </Link>
      }
    >
      <p>No entry of the log matches these filters. Entries are kept for 30 days unless configured otherwise.</p>
    </EmptyState>
  );
}

function NothingDelivered({ webhooks }: { webhooks: number }) {
  return (
    <EmptyState
      icon={Truck}
      title="No deliveries yet"
      action={
        <Link to="/webhooks" className={buttonClass("primary")}>
          {webhooks > 0 ? "Send a test" : "Make a webhook"}
        </Link>
      }
    >
      <p>
        Each delivery to a webhook is listed here with all its attempts: when, how long it took, and the answer. Failed
        deliveries can be repeated.
      </p>
    </EmptyState>
  );
}
