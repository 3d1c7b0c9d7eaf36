import { Clock, Hand, Repeat, TriangleAlert } from "lucide-react";
import type { Agent, Outbound } from "../api/client.ts";
import { Untrusted } from "../mail/untrusted.tsx";
import { Badge } from "../ui/badge.tsx";
import { RelativeTime } from "../ui/time.tsx";

export type Rule = NonNullable<Outbound["hold"]>["rule"];

const names: Record<Rule, string> = {
  approval: "All mail is held",
  loop: "Loop",
  pattern: "Words",
  unverified: "Unproven sender",
  new_links: "New link",
  first_time: "Somebody new",
  unsearched: "Unsearched part",
  outside: "Leaves this account",
  attachments: "Attachments",
  max_recipients: "Many recipients",
};

/** The rule that holds a message, in a word or two. */
export function RuleBadge({ rule }: { rule: Rule }) {
  return <Badge tone={rule === "loop" ? "bad" : "warn"}>{names[rule] ?? rule}</Badge>;
}

/** Why a message waits, and what happens if nobody decides. */
export function HoldNote({ message, agent }: { message: Outbound; agent: Agent | undefined }) {
  const { hold, approval_expires_at: expires } = message;
  if (!hold) return null;
  const loop = hold.rule === "loop";
  const sends = !loop && agent?.hitl_expiration_action === "approve";
  const Icon = loop ? Repeat : Hand;
  return (
    <div className="flex flex-col gap-1.5 rounded-xl border border-warn/40 bg-warn-soft px-4 py-3 text-sm">
      <p className="flex items-start gap-2.5">
        <Icon aria-hidden className="mt-0.5 size-4 shrink-0 text-warn" />
        <span className="min-w-0 font-medium wrap-anywhere">{hold.reason}</span>
      </p>
      {expires && (
        <p className="flex items-start gap-2.5 text-xs">
          <Clock aria-hidden className="size-4 shrink-0 text-warn" />
          <span>
            Without a decision it is {sends ? "sent" : "rejected"}{" "}
            <RelativeTime at={expires} upcoming className="font-medium" />.
          </span>
        </p>
      )}
    </div>
  );
}

/** Warns of what reading the message does not show: differing bodies, hidden HTML, parts that could not be searched. */
export function ReviewNotes({ message }: { message: Outbound }) {
  const { review_notes: notes = [], unsearched = [] } = message;
  const files = unsearched.map(({ name, why }) => `Could not be searched: ${name} (${why}).`);
  if (notes.length + files.length === 0) return null;
  return (
    <section aria-label="Before you decide" className="rounded-xl border border-warn/40 bg-warn-soft px-4 py-3 text-sm">
      <ul className="flex flex-col gap-1.5">
        {[...notes, ...files].map((note) => (
          <li key={note} className="flex items-start gap-2.5">
            <TriangleAlert aria-hidden className="mt-0.5 size-4 shrink-0 text-warn" />
            <span className="min-w-0 wrap-anywhere">
              <Untrusted text={note} />
            </span>
          </li>
        ))}
      </ul>
    </section>
  );
}
