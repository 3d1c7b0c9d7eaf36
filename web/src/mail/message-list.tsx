import { useInfiniteQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { Paperclip } from "lucide-react";
import type { ReactNode } from "react";
import type { InboxMessage } from "../api/client.ts";
import { inboxQuery } from "../api/messages.ts";
import { Badge } from "../ui/badge.tsx";
import { cx } from "../ui/cx.ts";
import { PagedList } from "../ui/paged.tsx";
import { RelativeTime } from "../ui/time.tsx";
import { Untrusted } from "./untrusted.tsx";
import { VerdictBadge } from "./verdict.tsx";

const ROW_PIXELS = 74;

/** Received mail, newest first. */
export function MessageList({
  filter,
  showAgent,
  selected,
  empty,
}: {
  filter: { q?: string; agent?: string; label?: string; status?: "unread" };
  showAgent: boolean;
  selected: string | undefined;
  empty: ReactNode;
}) {
  const { q, agent, label, status } = filter;
  const query = useInfiniteQuery(
    inboxQuery({ ...(q && { q }), ...(agent && { agent }), ...(label && { label }), ...(status && { status }) }),
  );
  return (
    <PagedList
      query={query}
      label="Received mail"
      keyOf={keyOf}
      rowHeight={ROW_PIXELS}
      selected={selected}
      empty={empty}
    >
      {(message) => <Row message={message} showAgent={showAgent} />}
    </PagedList>
  );
}

const keyOf = (message: InboxMessage) => message.message_id;

function Row({ message, showAgent }: { message: InboxMessage; showAgent: boolean }) {
  const unread = message.status === "unread";
  return (
    <div className="relative flex gap-2.5 border-b border-line px-3 py-2 hover:bg-hover has-[a:focus-visible]:bg-hover">
      <span className={cx("mt-2 size-2 shrink-0 rounded-full", unread && "bg-accent")}>
        {unread && <span className="sr-only">Unread</span>}
      </span>
      <div className="min-w-0 flex-1">
        <div className="flex items-center gap-2">
          <span className={cx("min-w-0 truncate text-sm", unread && "font-semibold")}>
            <Sender message={message} />
          </span>
          <VerdictBadge message={message} compact />
          <span className="flex-1" />
          {message.has_attachments && (
            <Paperclip aria-label="With attachments" className="size-3.5 shrink-0 text-muted" />
          )}
          <RelativeTime at={message.created_at} className="relative z-10 shrink-0 text-xs text-muted" />
        </div>
        <Link
          to="/inbox/$agent/$id"
          params={{ agent: message.agent_id, id: message.message_id }}
          search={(search) => search}
          className={cx("block truncate text-sm outline-none after:absolute after:inset-0", unread && "font-medium")}
        >
          {message.subject ? <Untrusted text={message.subject} /> : <span className="text-muted">No subject</span>}
        </Link>
        <div className="flex items-center gap-1.5">
          <span className="min-w-0 flex-1 truncate text-xs text-muted">
            <Untrusted text={message.snippet} />
          </span>
          {message.labels.slice(0, 3).map((label) => (
            <Badge key={label} tone="accent">
              {label}
            </Badge>
          ))}
          {showAgent && <Badge>{message.agent_id.split("@")[0]}</Badge>}
        </div>
      </div>
    </div>
  );
}

/** The sender's display name, unless it imitates an address. */
function Sender({ message }: { message: InboxMessage }) {
  const name = message.from_name.trim();
  return <Untrusted text={name && !name.normalize("NFKC").includes("@") ? name : message.from || "No sender"} />;
}
