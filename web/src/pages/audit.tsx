import { useInfiniteQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { ScrollText } from "lucide-react";
import { auditQuery } from "../api/audit.ts";
import type { AuditEntry } from "../api/client.ts";
import { Untrusted } from "../mail/untrusted.tsx";
import { Badge, type Tone } from "../ui/badge.tsx";
import { buttonClass } from "../ui/button.tsx";
import { Card, Page } from "../ui/page.tsx";
import { LoadMore } from "../ui/paged.tsx";
import { EmptyState, Loaded } from "../ui/states.tsx";
import { type Column, Table } from "../ui/table.tsx";
import { RelativeTime } from "../ui/time.tsx";

const deeds: Record<AuditEntry["action"], [Tone, string]> = {
  approve: ["ok", "Approved"],
  edit_approve: ["ok", "Changed and approved"],
  reject: ["bad", "Rejected"],
  release: ["ok", "Loop released"],
  expire_approve: ["warn", "Sent, nobody decided"],
  expire_reject: ["warn", "Rejected, nobody decided"],
};

const channels: Record<AuditEntry["how"], string> = {
  api: "by the API",
  session: "in the dashboard",
  cli: "on the command line",
  link: "by a link in a mail",
  expiry: "by time alone",
};

const columns: Column<AuditEntry>[] = [
  {
    header: "Decision",
    cell: ({ action, detail }) => (
      <div className="flex flex-col items-start gap-0.5 py-1.5">
        <Badge tone={deeds[action][0]}>{deeds[action][1]}</Badge>
        {detail?.reason && (
          <span className="line-clamp-2 max-w-80 text-xs text-muted wrap-anywhere">
            <Untrusted text={detail.reason} />
          </span>
        )}
      </div>
    ),
  },
  {
    header: "By",
    cell: ({ by, how, ip }) => (
      <div className="flex flex-col py-1.5">
        <span className="wrap-anywhere">{by === "expiry" ? "Nobody" : by}</span>
        <span className="text-xs text-muted">
          {channels[how]}
          {ip && `, from ${ip}`}
        </span>
      </div>
    ),
  },
  {
    header: "About",
    secondary: true,
    cell: ({ message_id, agent_id }) => (
      <div className="flex flex-col py-1.5">
        <Link to="/outbox/$id" params={{ id: message_id }} className="link w-fit">
          The message
        </Link>
        <span className="text-xs text-muted wrap-anywhere">{agent_id}</span>
      </div>
    ),
  },
  {
    header: "Content",
    secondary: true,
    cell: ({ content_hash }) => (
      <code className="font-mono text-xs text-muted" title={`SHA-256 of what was decided about: ${content_hash}`}>
        {content_hash.slice(0, 12)}…
      </code>
    ),
  },
  { header: "When", align: "right", cell: ({ at }) => <RelativeTime at={at} className="text-muted" /> },
];

/** Who decided what about held mail. The list is only ever added to. */
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
                  See what waits
                </Link>
              }
            >
              <p>
                When an agent’s mail is held, each approval, rejection and expiry is written down here, with the hash of
                the content that was decided about.
              </p>
            </EmptyState>
          ) : (
            <Card flush>
              <Table label="Decisions" columns={columns} rows={all} keyOf={({ id }) => id} />
            </Card>
          )
        }
      </Loaded>
      <LoadMore query={query} />
    </Page>
  );
}
