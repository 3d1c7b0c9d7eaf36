import { useInfiniteQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { CircleCheck, CircleDashed, TriangleAlert } from "lucide-react";
import type { ReactNode } from "react";
import { useOverview } from "../api/account.ts";
import { useAgents } from "../api/agents.ts";
import type { Overview } from "../api/client.ts";
import { useDomains } from "../api/domains.ts";
import { inboxQuery } from "../api/messages.ts";
import { nav } from "../app/nav.ts";
import { Untrusted } from "../mail/untrusted.tsx";
import { VerdictBadge } from "../mail/verdict.tsx";
import { FirstSteps } from "../overview/first-steps.tsx";
import { VolumeChart } from "../overview/volume-chart.tsx";
import { cx } from "../ui/cx.ts";
import { Card, Page } from "../ui/page.tsx";
import { Loaded, Skeleton } from "../ui/states.tsx";
import { RelativeTime } from "../ui/time.tsx";

/** How many of the newest messages are shown; the rest is in the inbox. */
const LAST_MAIL = 6;

/** The state of the account, and what needs the user's attention. */
export function OverviewPage() {
  const overview = useOverview();
  const agents = useAgents();
  const domains = useDomains();
  return (
    <Page title="Overview" wide>
      <Loaded query={overview} skeleton={<OverviewSkeleton />}>
        {(data) => (
          <>
            {agents.data && domains.data && <FirstSteps overview={data} agents={agents.data} domains={domains.data} />}
            {data.agents.total > 0 && (
              <>
                <Figures overview={data} />
                <Failing overview={data} />
                <Card title="Volume">
                  <VolumeChart volume={data.volume} />
                </Card>
                <div className="grid items-start gap-6 lg:grid-cols-[3fr_2fr]">
                  <LastMail />
                  <DomainHealth />
                </div>
              </>
            )}
            {data.agents.total === 0 && domains.data && domains.data.length > 0 && <DomainHealth />}
          </>
        )}
      </Loaded>
    </Page>
  );
}

function OverviewSkeleton() {
  return (
    <div role="status" className="flex flex-col gap-6">
      <span className="sr-only">Loading</span>
      <div className="grid grid-cols-2 gap-3 lg:grid-cols-4">
        {["a", "b", "c", "d"].map((one) => (
          <Skeleton key={one} className="h-20" />
        ))}
      </div>
      <Skeleton className="h-64" />
    </div>
  );
}

function Figures({ overview }: { overview: Overview }) {
  const { agents, unread, pending_approval, deliveries } = overview;
  return (
    <div className="grid grid-cols-2 gap-3 lg:grid-cols-4">
      <Figure
        label="Waiting for approval"
        value={pending_approval}
        to="/approvals"
        tone={pending_approval > 0 ? "attention" : undefined}
        note={pending_approval > 0 ? "need your decision" : "nothing is held"}
      />
      <Figure label="Unread" value={unread} to="/inbox" note="in all inboxes" />
      <Figure
        label="Agents"
        value={agents.total}
        to="/agents"
        note={agents.paused > 0 ? `${agents.paused} paused` : "all running"}
      />
      <Figure
        label="Deliveries waiting"
        value={deliveries.pending}
        to="/webhooks"
        tone={deliveries.failing_endpoints.length > 0 ? "attention" : undefined}
        note={
          deliveries.failing_endpoints.length > 0
            ? `${deliveries.failing_endpoints.length} failing`
            : "all endpoints answer"
        }
      />
    </div>
  );
}

function Figure({
  label,
  value,
  note,
  to,
  tone,
}: {
  label: string;
  value: number;
  note: string;
  to: string;
  tone?: "attention" | undefined;
}) {
  const content = (
    <>
      <span className="text-xs text-muted">{label}</span>
      <span className={cx("text-2xl font-semibold tabular-nums", tone && "text-warn")}>{value.toLocaleString()}</span>
      <span className="text-xs text-muted">{note}</span>
    </>
  );
  const box = "flex flex-col rounded-xl border border-line bg-surface px-4 py-3 shadow-card";
  if (!nav.some((item) => item.to === to)) return <div className={box}>{content}</div>;
  return (
    <Link to={to} className={cx(box, "transition-colors hover:border-line-strong")}>
      {content}
    </Link>
  );
}

function Failing({ overview }: { overview: Overview }) {
  const { failing_endpoints } = overview.deliveries;
  if (failing_endpoints.length === 0) return null;
  return (
    <section aria-label="Failing endpoints" className="rounded-xl border border-warn/40 bg-warn-soft">
      <ul className="divide-y divide-warn/20">
        {failing_endpoints.map((endpoint) => (
          <li key={endpoint.endpoint_id} className="flex items-start gap-3 px-4 py-2.5 text-sm">
            <TriangleAlert aria-hidden className="mt-0.5 size-4 shrink-0 text-warn" />
            <p className="min-w-0 wrap-anywhere">
              <strong className="font-semibold">{endpoint.url}</strong> began to fail{" "}
              <RelativeTime at={endpoint.failing_since} />. {endpoint.waiting.toLocaleString()}{" "}
              {endpoint.waiting === 1 ? "delivery waits" : "deliveries wait"}; they are retried automatically.
            </p>
          </li>
        ))}
      </ul>
    </section>
  );
}

function LastMail() {
  const query = useInfiniteQuery(inboxQuery({}));
  const messages = query.data?.slice(0, LAST_MAIL);
  return (
    <Card
      title="Last mail"
      actions={
        <Link to="/inbox" className="link text-xs">
          All mail
        </Link>
      }
      flush
    >
      {messages === undefined ? (
        <div className="p-4">
          <Skeleton className="h-40" />
        </div>
      ) : messages.length === 0 ? (
        <Nothing>Mail for your agents appears here as it arrives.</Nothing>
      ) : (
        <ul className="mt-1 divide-y divide-line border-t border-line">
          {messages.map((message) => (
            <li key={message.message_id} className="relative flex items-center gap-3 px-4 py-2 text-sm hover:bg-hover">
              <VerdictBadge message={message} compact />
              <span className="flex min-w-0 flex-1 flex-col sm:flex-row sm:gap-3">
                <span className="truncate sm:w-40 sm:shrink-0">
                  <Untrusted text={message.from} />
                </span>
                <Link
                  to="/inbox/$agent/$id"
                  params={{ agent: message.agent_id, id: message.message_id }}
                  className={cx(
                    "truncate after:absolute after:inset-0",
                    message.status === "unread" && "font-semibold",
                  )}
                >
                  <Untrusted text={message.subject || "No subject"} />
                </Link>
              </span>
              <RelativeTime at={message.created_at} className="shrink-0 text-xs text-muted" />
            </li>
          ))}
        </ul>
      )}
    </Card>
  );
}

function DomainHealth() {
  const domains = useDomains();
  return (
    <Card
      title="Domains"
      actions={
        <Link to="/domains" className="link text-xs">
          All domains
        </Link>
      }
      flush
    >
      <Loaded query={domains} skeleton={<Skeleton className="m-4 h-16" />}>
        {(all) =>
          all.length === 0 ? (
            <Nothing>Agents live on the server’s own domain; one of yours can be added.</Nothing>
          ) : (
            <ul className="mt-1 divide-y divide-line border-t border-line">
              {all.map(({ domain, verified, paused }) => (
                <li key={domain} className="flex items-center gap-2.5 px-4 py-2 text-sm">
                  {verified ? (
                    <CircleCheck aria-hidden className="size-4 shrink-0 text-ok" />
                  ) : (
                    <CircleDashed aria-hidden className="size-4 shrink-0 text-warn" />
                  )}
                  <span className="min-w-0 flex-1 truncate">{domain}</span>
                  <span className="text-xs text-muted">
                    {paused ? "paused" : verified ? "verified" : "waits for its DNS records"}
                  </span>
                </li>
              ))}
            </ul>
          )
        }
      </Loaded>
    </Card>
  );
}

function Nothing({ children }: { children: ReactNode }) {
  return <p className="px-4 pt-2 pb-4 text-sm text-muted">{children}</p>;
}
