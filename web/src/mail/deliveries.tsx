import { useQuery } from "@tanstack/react-query";
import { api, type Delivery, ok } from "../api/client.ts";
import { keys } from "../api/keys.ts";
import { messageDeliveriesQuery } from "../api/messages.ts";
import { Badge, type Tone } from "../ui/badge.tsx";
import { Loaded, Skeleton } from "../ui/states.tsx";
import { RelativeTime } from "../ui/time.tsx";
import { Untrusted } from "./untrusted.tsx";

const tones: Record<Delivery["status"], Tone> = { pending: "info", paused: "warn", succeeded: "ok", failed: "bad" };

/** What became of the webhooks about a received message, with every attempt. */
export function Deliveries({ agent, id, status }: { agent: string; id: string; status: string }) {
  const deliveries = useQuery(messageDeliveriesQuery(agent, id));
  return (
    <Loaded query={deliveries}>
      {(all) =>
        all.length === 0 ? (
          <p className="max-w-prose text-sm text-muted">
            No webhook was called about this message, or it is not among the agent’s latest hundred deliveries. Without
            a webhook the agent fetches its mail: this message is <strong>{status}</strong>.
          </p>
        ) : (
          <ul className="flex flex-col gap-3">
            {all.map((delivery) => (
              <li key={delivery.id} className="rounded-xl border border-line bg-surface shadow-card">
                <div className="flex flex-wrap items-center gap-x-3 gap-y-1 px-4 py-2.5 text-sm">
                  <Badge tone={tones[delivery.status]}>{delivery.status}</Badge>
                  <span className="min-w-0 flex-1 font-medium wrap-anywhere">
                    {delivery.url ?? delivery.endpoint_id}
                  </span>
                  {delivery.next_attempt_at && (
                    <span className="text-xs text-muted">
                      next <RelativeTime at={delivery.next_attempt_at} />
                    </span>
                  )}
                </div>
                <Attempts id={delivery.id} attempts={delivery.attempts} />
              </li>
            ))}
          </ul>
        )
      }
    </Loaded>
  );
}

function Attempts({ id, attempts }: { id: string; attempts: number }) {
  const detail = useQuery({
    // The list says how many there are: with one more, they are asked for again.
    queryKey: [...keys.deliveries, "one", id, attempts],
    queryFn: ({ signal }) => ok(api.GET("/api/v1/deliveries/{id}", { params: { path: { id } }, signal })),
  });
  return (
    <Loaded query={detail} skeleton={<Skeleton className="m-4 h-8" />}>
      {({ tries }) => (
        <ol aria-label="Attempts" className="divide-y divide-line border-t border-line">
          {tries.length === 0 && <li className="px-4 py-2 text-xs text-muted">Not tried yet.</li>}
          {tries.map((one) => (
            <li key={one.attempt} className="flex flex-wrap items-baseline gap-x-3 gap-y-1 px-4 py-2 text-xs">
              <span className="w-5 text-muted tabular-nums">{one.attempt}</span>
              <span className="font-medium">{one.status ?? "no answer"}</span>
              <span className="min-w-0 flex-1 wrap-anywhere text-muted">
                <Untrusted text={one.error ?? one.answer ?? ""} />
              </span>
              <span className="text-muted tabular-nums">{one.duration_ms} ms</span>
              <RelativeTime at={one.started_at} className="text-muted" />
            </li>
          ))}
        </ol>
      )}
    </Loaded>
  );
}
