import { useInfiniteQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { MessagesSquare, ShieldAlert } from "lucide-react";
import type { Conversation } from "../api/client.ts";
import { conversationsQuery } from "../api/messages.ts";
import { cx } from "../ui/cx.ts";
import { PagedList } from "../ui/paged.tsx";
import { EmptyState } from "../ui/states.tsx";
import { RelativeTime } from "../ui/time.tsx";
import { Untrusted } from "./untrusted.tsx";

const ROW_PIXELS = 74;
const keyOf = (thread: Conversation) => thread.conversation_id;

/** An agent's conversations: received and sent mail together. */
export function ThreadList({ agent, selected }: { agent: string; selected: string | undefined }) {
  const query = useInfiniteQuery(conversationsQuery(agent));
  return (
    <PagedList
      query={query}
      label="Conversations"
      keyOf={keyOf}
      rowHeight={ROW_PIXELS}
      selected={selected}
      empty={
        <EmptyState icon={MessagesSquare} title="No conversations yet">
          <p>A conversation is a message and its replies, in both directions.</p>
        </EmptyState>
      }
    >
      {(thread) => <Row agent={agent} thread={thread} />}
    </PagedList>
  );
}

function Row({ agent, thread }: { agent: string; thread: Conversation }) {
  const unread = thread.unread_count > 0;
  const who = thread.participants.length > 0 ? thread.participants.slice(0, 3).join(", ") : "Nobody else";
  const more = thread.participants.length - 3;
  return (
    <div className="relative flex gap-2.5 border-b border-line px-3 py-2 hover:bg-hover has-[a:focus-visible]:bg-hover">
      <span className={cx("mt-2 size-2 shrink-0 rounded-full", unread && "bg-accent")} />
      <div className="min-w-0 flex-1">
        <div className="flex items-center gap-2">
          <span className={cx("min-w-0 flex-1 truncate text-sm", unread && "font-semibold")}>
            <Untrusted text={who} />
            {more > 0 && ` and ${more} more`}
          </span>
          {!thread.last_message.verified && (
            <ShieldAlert aria-label="Its last sender is not proven" className="size-3.5 shrink-0 text-warn" />
          )}
          <RelativeTime at={thread.last_message_at} className="relative z-10 shrink-0 text-xs text-muted" />
        </div>
        <Link
          to="/inbox/$agent/thread/$id"
          params={{ agent, id: thread.conversation_id }}
          search={(search) => search}
          className={cx("block truncate text-sm outline-none after:absolute after:inset-0", unread && "font-medium")}
        >
          {thread.subject ? <Untrusted text={thread.subject} /> : <span className="text-muted">No subject</span>}
        </Link>
        <div className="flex items-center gap-2 text-xs text-muted">
          <span className="min-w-0 flex-1 truncate">
            {thread.last_message.direction === "outbound" && "Agent: "}
            <Untrusted text={thread.last_message.snippet} />
          </span>
          <span className="shrink-0">
            {thread.message_count} {thread.message_count === 1 ? "message" : "messages"}
            {unread && `, ${thread.unread_count} unread`}
          </span>
        </div>
      </div>
    </div>
  );
}
