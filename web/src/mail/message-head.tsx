import { Bot, CalendarDays, TriangleAlert } from "lucide-react";
import type { ReactNode } from "react";
import { calendarLine } from "../../../src/message/calendar/words.ts";
import type { MessageDetail } from "../api/client.ts";
import { Badge } from "../ui/badge.tsx";
import { RelativeTime } from "../ui/time.tsx";
import { hostOf } from "./hosts.ts";
import { Address, Untrusted } from "./untrusted.tsx";
import { VerdictBadge } from "./verdict.tsx";

/** A message's sender and recipients, whether the sender is proven, and what a reader should be wary of. */
export function MessageHead({ message }: { message: MessageDetail }) {
  const isUnsigned = message.authentication.unsigned.includes("Reply-To");
  const elsewhere = (message.reply_to ?? []).filter((one) => isUnsigned || hostOf(one) !== hostOf(message.from));
  const envelope = message.envelope_from !== "" && hostOf(message.envelope_from) !== hostOf(message.from);
  return (
    <div className="flex flex-col gap-2 text-sm">
      <div className="flex flex-wrap items-center gap-x-3 gap-y-1">
        <Address address={message.from} name={message.from_name} />
        <VerdictBadge message={message} />
        {message.auto_submitted && (
          <Badge icon={Bot} tone="quiet">
            Sent automatically
          </Badge>
        )}
        <span className="flex-1" />
        <RelativeTime at={message.created_at} className="text-xs text-muted" />
      </div>
      <div className="flex flex-wrap gap-x-4 gap-y-1 text-xs text-muted">
        <Addresses label="To" addresses={message.to} />
        {message.cc && <Addresses label="Cc" addresses={message.cc} />}
        {message.to.every((one) => one !== message.recipient) && (
          <Addresses label="Delivered to" addresses={[message.recipient]} />
        )}
        {envelope && <Addresses label="Sent by" addresses={[message.envelope_from]} />}
        <Said label="In reply to" words={message.in_reply_to} />
        <Said label="Mailing list" words={message.list_id} />
        <Said label="Precedence" words={message.precedence} />
      </div>
      {message.calendar && <CalendarLine calendar={message.calendar} />}
      {elsewhere.length > 0 && (
        <Warning>
          {isUnsigned
            ? "Replies do not go to this Reply-To, which the sender’s signature does not cover: "
            : "Replies go to another domain: "}
          <Addresses label="" addresses={elsewhere} />
        </Warning>
      )}
      {message.defects.map(({ detail }) => (
        <Warning key={detail}>{detail}</Warning>
      ))}
    </div>
  );
}

/** What a field of the message says, in its sender's words; nothing if it says nothing. */
function Said({ label, words }: { label: string; words: string | null }) {
  if (!words) return null;
  return (
    <span className="inline-flex flex-wrap gap-x-1.5">
      <span>{label}</span>
      <span className="wrap-anywhere text-ink">
        <Untrusted text={words} />
      </span>
    </span>
  );
}

const SHOWN_MAX = 6;

function Addresses({ label, addresses }: { label: string; addresses: readonly string[] }) {
  if (addresses.length === 0) return null;
  return (
    <span className="inline-flex flex-wrap gap-x-1.5">
      {label && <span>{label}</span>}
      {addresses.slice(0, SHOWN_MAX).map((address) => (
        <Address key={address} address={address} className="text-ink" />
      ))}
      {addresses.length > SHOWN_MAX && <span>and {addresses.length - SHOWN_MAX} more</span>}
    </span>
  );
}

/** The event that a message is about, on one line. */
export function CalendarLine({ calendar }: { calendar: NonNullable<MessageDetail["calendar"]> }) {
  return (
    <p className="flex items-start gap-2 text-xs">
      <CalendarDays aria-hidden className="mt-px size-4 shrink-0 text-muted" />
      <span className="wrap-anywhere">
        <Untrusted text={calendarLine(calendar)} />
      </span>
    </p>
  );
}

/** One sentence that a reader should know before they believe the message. */
export function Warning({ children }: { children: ReactNode }) {
  return (
    <p className="flex items-start gap-2 rounded-md bg-warn-soft px-2.5 py-1.5 text-xs text-warn">
      <TriangleAlert aria-hidden className="mt-px size-4 shrink-0" />
      <span>{children}</span>
    </p>
  );
}
