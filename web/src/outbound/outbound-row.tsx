import { Link } from "@tanstack/react-router";
import { Paperclip } from "lucide-react";
import type { Outbound } from "../api/client.ts";
import { Untrusted } from "../mail/untrusted.tsx";
import { RelativeTime } from "../ui/time.tsx";
import { MessageFate } from "./fate-badge.tsx";

/** A sent message in a list. */
export function OutboundRow({
  message,
  to,
  showAgent,
}: {
  message: Outbound;
  to: "/outbox/$id" | "/captured/$id";
  showAgent: boolean;
}) {
  const { id, subject, cc = [], bcc = [], attachments } = message;
  const [first = "nobody", ...others] = [...message.to, ...cc, ...bcc];
  return (
    <div className="relative flex flex-col gap-0.5 border-b border-line px-4 py-2.5 hover:bg-hover has-[a:focus-visible]:bg-hover">
      <div className="flex items-center gap-2">
        <Link
          to={to}
          params={{ id }}
          search={(search) => search}
          className="min-w-0 flex-1 truncate text-sm font-medium outline-none after:absolute after:inset-0"
        >
          <Untrusted text={subject || "No subject"} />
        </Link>
        {attachments && <Paperclip aria-label="With attachments" className="size-3.5 shrink-0 text-muted" />}
        <RelativeTime at={message.created_at} className="relative z-10 shrink-0 text-xs text-muted" />
      </div>
      <div className="flex items-center gap-2">
        <p className="min-w-0 flex-1 truncate text-xs text-muted">
          to <Untrusted text={first} />
          {others.length > 0 && ` and ${others.length} more`}
          {showAgent && ` · from ${message.agent_id}`}
        </p>
        {to === "/outbox/$id" && <MessageFate message={message} />}
      </div>
    </div>
  );
}
