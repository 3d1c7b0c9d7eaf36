import { Link } from "@tanstack/react-router";
import { CircleAlert, Paperclip } from "lucide-react";
import type { Outbound } from "../api/client.ts";
import { Untrusted } from "../mail/untrusted.tsx";
import { Badge } from "../ui/badge.tsx";
import { cx } from "../ui/cx.ts";
import { RelativeTime } from "../ui/time.tsx";
import { RuleBadge } from "./hold.tsx";

/** A held message in the queue. */
export function QueueRow({
  message,
  selected,
  onSelect,
  busy,
  failed,
  showAgent,
}: {
  message: Outbound;
  selected: boolean;
  onSelect: (selected: boolean) => void;
  busy: boolean;
  failed: boolean;
  showAgent: boolean;
}) {
  const { id, subject, to, cc = [], bcc = [], hold, first_time, approval_expires_at, attachments } = message;
  const notes = message.review_notes ?? [];
  const [first = "nobody", ...others] = [...to, ...cc, ...bcc];
  return (
    <div
      aria-busy={busy}
      className={cx(
        "relative flex gap-3 border-b border-line px-4 py-2.5 hover:bg-hover has-[a:focus-visible]:bg-hover",
        busy && "opacity-50",
      )}
    >
      <input
        type="checkbox"
        aria-label={`Select ${subject || "No subject"}`}
        checked={selected}
        onChange={(event) => onSelect(event.target.checked)}
        className="relative z-10 mt-0.5 size-4 shrink-0 accent-accent"
      />
      <div className="min-w-0 flex-1">
        <div className="flex items-center gap-2">
          <Link
            to="/approvals/$id"
            params={{ id }}
            search={(search) => search}
            className="min-w-0 flex-1 truncate text-sm font-medium outline-none after:absolute after:inset-0"
          >
            <Untrusted text={subject || "No subject"} />
          </Link>
          {failed && <CircleAlert aria-label="The decision failed" className="size-4 shrink-0 text-bad" />}
          {attachments && <Paperclip aria-label="With attachments" className="size-3.5 shrink-0 text-muted" />}
          {approval_expires_at && (
            <RelativeTime at={approval_expires_at} upcoming className="relative z-10 shrink-0 text-xs text-muted" />
          )}
        </div>
        <p className="truncate text-xs text-muted">
          to <Untrusted text={first} />
          {others.length > 0 && ` and ${others.length} more`}
          {showAgent && ` · from ${message.agent_id}`}
        </p>
        <div className="flex flex-wrap gap-1 pt-1">
          {hold && <RuleBadge rule={hold.rule} />}
          {first_time && <Badge tone="warn">First time</Badge>}
          {notes.length > 0 && <Badge tone="warn">HTML needs a look</Badge>}
        </div>
      </div>
    </div>
  );
}
