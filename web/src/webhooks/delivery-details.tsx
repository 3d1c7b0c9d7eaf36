import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate } from "@tanstack/react-router";
import { RotateCcw } from "lucide-react";
import type { DeliveryDetail } from "../api/client.ts";
import { deliveryQuery, useRedeliver } from "../api/deliveries.ts";
import { eventQuery } from "../api/events.ts";
import { useShortcuts } from "../app/shortcuts.ts";
import { Button } from "../ui/button.tsx";
import { CopyValue } from "../ui/copy.tsx";
import { Json } from "../ui/json.tsx";
import { Card, Facts } from "../ui/page.tsx";
import { Detail } from "../ui/split.tsx";
import { Loaded, Skeleton, SkeletonRows } from "../ui/states.tsx";
import { RelativeTime } from "../ui/time.tsx";
import { toast, toastError } from "../ui/toast.tsx";
import { DeliveryStatus } from "./status.tsx";
import { Tries } from "./tries.tsx";

/** A delivery with its attempts, its payload, and a button that repeats it. */
export function DeliveryDetails({ id, back }: { id: string; back: () => void }) {
  const delivery = useQuery(deliveryQuery(id));
  return (
    <Loaded
      query={delivery}
      skeleton={
        <div className="px-6 py-4">
          <SkeletonRows />
        </div>
      }
    >
      {(data) => <Details delivery={data} back={back} />}
    </Loaded>
  );
}

function Details({ delivery, back }: { delivery: DeliveryDetail; back: () => void }) {
  const navigate = useNavigate();
  const redeliver = useRedeliver(delivery.id);
  const { id, event_id, event_type, endpoint_id, webhook_id, url, agent_id, message_id, status } = delivery;
  const run = () =>
    redeliver.mutate(undefined, {
      onSuccess: (next) => {
        toast(next.id === id ? "Trying now" : "Delivering again", "With the same webhook-id.");
        void navigate({ to: "/deliveries/$id", params: { id: next.id }, search: (search) => search });
      },
      onError: toastError,
    });
  useShortcuts([{ keys: "d", label: "Deliver it again", group: "Deliveries", run }]);

  return (
    <Detail
      title={`${event_type} delivery`}
      heading={<span className="font-mono text-base">{event_type}</span>}
      back={back}
      actions={
        <Button icon={RotateCcw} busy={redeliver.isPending} onClick={run}>
          {status === "pending" ? "Try now" : "Deliver again"}
        </Button>
      }
    >
      <Facts
        facts={[
          ["Status", <DeliveryStatus key="status" status={status} />],
          [
            "Endpoint",
            webhook_id ? (
              <Link key="endpoint" to="/webhooks/$id" params={{ id: webhook_id }} className="link">
                {url ?? endpoint_id}
              </Link>
            ) : (
              <span key="endpoint">
                {url ?? "No longer has a URL"},{" "}
                <Link to="/agents/$email" params={{ email: endpoint_id }} search={{ tab: "settings" }} className="link">
                  {endpoint_id}
                </Link>
                ’s own
              </span>
            ),
          ],
          ...(agent_id ? ([["About", agent_id]] as const) : []),
          [
            "Event",
            <span key="event" className="inline-flex max-w-full flex-wrap items-center gap-x-2">
              <Link to="/events/$id" params={{ id: event_id }} className="link">
                In the event log
              </Link>
              <CopyValue value={event_id} label="Copy the event’s id" />
            </span>,
          ],
          ["Created", <RelativeTime key="created" at={delivery.created_at} />],
          ...(delivery.finished_at
            ? ([["Finished", <RelativeTime key="finished" at={delivery.finished_at} />]] as const)
            : []),
        ]}
      />
      <Tries delivery={delivery} />
      {webhook_id ? (
        <Payload eventId={event_id} />
      ) : (
        message_id &&
        agent_id && (
          <p className="text-sm text-muted">
            It carries the whole message:{" "}
            <Link to="/inbox/$agent/$id" params={{ agent: agent_id, id: message_id }} className="link">
              read it here
            </Link>
            .
          </p>
        )
      )}
    </Detail>
  );
}

/** The payload of a delivery, unless its event has been deleted from the log. */
function Payload({ eventId }: { eventId: string }) {
  const event = useQuery(eventQuery(eventId));
  if (event.error) return null;
  return (
    <Card title="Payload">
      <Loaded query={event} skeleton={<Skeleton className="h-40" />}>
        {({ type, id, timestamp, data }) => <Json value={{ type, id, timestamp, data }} label="body" />}
      </Loaded>
    </Card>
  );
}
