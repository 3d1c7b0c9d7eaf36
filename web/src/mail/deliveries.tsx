import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { deliveryQuery } from "../api/deliveries.ts";
import { messageDeliveriesQuery } from "../api/messages.ts";
import { Loaded, Skeleton } from "../ui/states.tsx";
import { DeliveryStatus } from "../webhooks/status.tsx";
import { Tries } from "../webhooks/tries.tsx";

/** The webhook deliveries of a received message, with every attempt. */
export function Deliveries({ id, status }: { id: string; status: string }) {
  const deliveries = useQuery(messageDeliveriesQuery(id));
  return (
    <Loaded query={deliveries}>
      {(all) =>
        all.length === 0 ? (
          <p className="max-w-prose text-sm text-muted">
            No webhook is called for this message. The agent fetches its mail itself: this message is{" "}
            <strong>{status}</strong>.
          </p>
        ) : (
          <ul className="flex flex-col gap-5">
            {all.map((delivery) => (
              <li key={delivery.id} className="flex flex-col gap-2">
                <div className="flex flex-wrap items-center gap-2 text-sm">
                  <DeliveryStatus status={delivery.status} />
                  <Link to="/deliveries/$id" params={{ id: delivery.id }} className="link min-w-0 wrap-anywhere">
                    {delivery.url ?? delivery.endpoint_id}
                  </Link>
                </div>
                <Attempts id={delivery.id} />
              </li>
            ))}
          </ul>
        )
      }
    </Loaded>
  );
}

function Attempts({ id }: { id: string }) {
  const delivery = useQuery(deliveryQuery(id));
  return (
    <Loaded query={delivery} skeleton={<Skeleton className="h-16" />}>
      {(data) => <Tries delivery={data} />}
    </Loaded>
  );
}
