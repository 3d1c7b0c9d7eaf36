import { TriangleAlert } from "lucide-react";
import type { Agent, Webhook } from "../api/client.ts";
import { Untrusted } from "../mail/untrusted.tsx";
import { Badge } from "../ui/badge.tsx";
import { RelativeTime } from "../ui/time.tsx";

/** The state of an endpoint: a webhook of the account, or an agent's own. */
export interface EndpointState {
  status: "enabled" | "disabled";
  failingSince: string | undefined;
  disabledReason: string | undefined;
}

export const webhookState = ({ status, failing_since, disabled_reason }: Webhook): EndpointState => ({
  status,
  failingSince: failing_since,
  disabledReason: disabled_reason,
});

export const agentState = (agent: Agent): EndpointState => ({
  status: agent.webhook_status,
  failingSince: agent.webhook_failing_since,
  disabledReason: agent.webhook_disabled_reason,
});

export function EndpointBadge({ state }: { state: EndpointState }) {
  if (state.status === "disabled") return <Badge tone={state.failingSince ? "bad" : "quiet"}>Disabled</Badge>;
  if (state.failingSince) return <Badge tone="warn">Failing</Badge>;
  return <Badge tone="ok">Enabled</Badge>;
}

/** What is wrong with an endpoint, what happens automatically, and what to do. Not rendered for a healthy endpoint. */
export function EndpointTrouble({ state }: { state: EndpointState }) {
  const { status, failingSince, disabledReason } = state;
  if (status === "enabled" && !failingSince) return null;
  return (
    <div className="flex gap-2.5 rounded-xl border border-warn/40 bg-warn-soft px-4 py-3 text-sm">
      <TriangleAlert aria-hidden className="mt-0.5 size-4 shrink-0 text-warn" />
      {status === "disabled" ? (
        <div className="min-w-0 wrap-anywhere">
          <p className="font-medium">
            {disabledReason ? <Untrusted text={disabledReason} /> : "It was disabled manually."}
          </p>
          <p>Events are kept in the meantime. When you enable it, they are delivered in order.</p>
        </div>
      ) : (
        <div className="min-w-0">
          <p className="font-medium">
            Every attempt fails. The first failure was <RelativeTime at={failingSince ?? ""} />.
          </p>
          <p>
            Each delivery is tried ten times over 75 hours, so a short outage loses nothing. After five days without a
            success the endpoint is disabled, and the account gets a mail. The attempts below show its answers.
          </p>
        </div>
      )}
    </div>
  );
}
