import { Link } from "@tanstack/react-router";
import type { Delivery } from "../api/client.ts";
import { Untrusted } from "../mail/untrusted.tsx";
import { RelativeTime } from "../ui/time.tsx";
import { DeliveryStatus } from "./status.tsx";

/** A delivery in a list. */
export function DeliveryRow({ delivery, showEndpoint = true }: { delivery: Delivery; showEndpoint?: boolean }) {
  const { id, event_type, status, url, endpoint_id, attempts, last_status, last_error, created_at } = delivery;
  const outcome = last_error ?? (last_status ? `HTTP ${last_status}` : null);
  return (
    <div className="relative flex flex-col gap-0.5 border-b border-line px-4 py-2 hover:bg-hover has-[a:focus-visible]:bg-hover">
      <div className="flex items-center gap-2">
        <Link
          to="/deliveries/$id"
          params={{ id }}
          search={(search) => search}
          className="min-w-0 flex-1 truncate font-mono text-xs font-medium outline-none after:absolute after:inset-0"
        >
          {event_type}
        </Link>
        <DeliveryStatus status={status} />
        <RelativeTime at={created_at} className="relative z-10 shrink-0 text-xs text-muted" />
      </div>
      <p className="truncate text-xs text-muted">
        {showEndpoint && <>{url ?? endpoint_id} · </>}
        {attempts === 0 ? "No attempt yet" : attempts === 1 ? "1 attempt" : `${attempts} attempts`}
        {outcome && status !== "succeeded" && (
          <>
            {" · "}
            <Untrusted text={outcome} />
          </>
        )}
      </p>
    </div>
  );
}
