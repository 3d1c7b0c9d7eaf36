import { useInfiniteQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { ScrollText } from "lucide-react";
import { auditQuery } from "../api/audit.ts";
import type { AuditEntry } from "../api/client.ts";
import { Untrusted } from "../mail/untrusted.tsx";
import { namesOf } from "../outbound/parts.ts";
import { Badge, type Tone } from "../ui/badge.tsx";
import { buttonClass } from "../ui/button.tsx";
import { Card, Page } from "../ui/page.tsx";
import { LoadMore } from "../ui/paged.tsx";
import { EmptyState, Loaded } from "../ui/states.tsx";
import { RelativeTime } from "../ui/time.tsx";

const deeds: Record<AuditEntry["action"], [Tone, string]> = {
  approve: ["ok", "Approved"],
  edit_approve: ["ok", "Changed and approved"],
  reject: ["bad", "Rejected"],
  release: ["ok", "Loop released"],
  undo: ["warn", "Approval withdrawn"],
  expire_approve: ["warn", "Sent without a decision"],
  expire_reject: ["warn", "Rejected without a decision"],
};

const channels: Record<AuditEntry["how"], string> = {
  api: "through the API",
  session: "in the dashboard",
  cli: "on the command line",
  link: "by a link in a mail",
  expiry: "by expiry",
};

function Row({ entry }: { entry: AuditEntry }) {
  const { action, detail, by, how, ip, message_id, agent_id, content_hash, at } = entry;
  const [tone, deed] = deeds[action];
  return (
    <li className="grid gap-x-6 gap-y-1 px-4 py-3 text-sm md:grid-cols-[12rem_minmax(0,1fr)_minmax(0,1fr)_6rem]">
      <div className="flex items-start justify-between gap-2">
        <Badge tone={tone}>{deed}</Badge>
        <RelativeTime at={at} className="text-xs text-muted md:hidden" />
      </div>
      <div className="min-w-0">
        <p className="wrap-anywhere">{by === "expiry" ? "Nobody" : by}</p>
        <p className="text-xs text-muted">
          {channels[how]}
          {ip && `, from ${ip}`}
        </p>
      </div>
      <div className="min-w-0">
        <p className="wrap-anywhere">
          <Link to="/outbox/$id" params={{ id: message_id }} className="link">
            The message
          </Link>{" "}
          of {agent_id}
        </p>
        <code className="font-mono text-xs text-muted" title={`SHA-256 of what was decided about: ${content_hash}`}>
          {content_hash.slice(0, 16)}…
        </code>
      </div>
      <RelativeTime at={at} className="hidden text-right whitespace-nowrap text-muted md:block" />
      {detail?.changed && detail.changed.length > 0 && (
        <p className="text-muted md:col-span-3 md:col-start-2">Changed {namesOf(detail.changed)}.</p>
      )}
      {detail?.reason && (
        <p className="text-muted wrap-anywhere md:col-span-3 md:col-start-2">
          “<Untrusted text={detail.reason} />”
        </p>
      )}
    </li>
  );
}

/** The decisions about held mail. Entries are never changed or removed. */
export function AuditPage() {
  const query = useInfiniteQuery(auditQuery);
  return (
    <Page
      wide
      title="Audit"
      description="Every decision about held mail: by whom, how, from where, and about exactly which content. Nothing here can be changed."
    >
      <Loaded query={query}>
        {(all) =>
          all.length === 0 ? (
            <EmptyState
              icon={ScrollText}
              title="No decisions yet"
              action={
                <Link to="/approvals" className={buttonClass()}>
                  See held mail
                </Link>
              }
            >
              <p>
                When an agent’s mail is held, each approval, rejection and expiry is recorded here, with the hash of the
                content that was decided about.
              </p>
            </EmptyState>
          ) : (
            <Card flush>
              <ul aria-label="Decisions, newest first" className="divide-y divide-line">
                {all.map((entry) => (
                  <Row key={entry.id} entry={entry} />
                ))}
              </ul>
            </Card>
          )
        }
      </Loaded>
      <LoadMore query={query} />
    </Page>
  );
}
