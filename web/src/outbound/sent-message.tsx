import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { Hand } from "lucide-react";
import type { Outbound } from "../api/client.ts";
import { outboundQuery } from "../api/outbound.ts";
import { Untrusted } from "../mail/untrusted.tsx";
import { buttonClass } from "../ui/button.tsx";
import { CopyValue } from "../ui/copy.tsx";
import { Card, Facts } from "../ui/page.tsx";
import { Detail } from "../ui/split.tsx";
import { Loaded, SkeletonRows } from "../ui/states.tsx";
import { RelativeTime } from "../ui/time.tsx";
import { OutgoingContent } from "./content.tsx";
import { ContentDiff } from "./diff.tsx";
import { contentOf } from "./draft.ts";
import { MessageFate } from "./fate-badge.tsx";
import { Fates } from "./fates.tsx";
import { namesOf } from "./parts.ts";
import { TakeBack } from "./undo.tsx";

/** A message that an agent sent, with its delivery status. */
export function SentMessage({ id, back }: { id: string; back: () => void }) {
  const message = useQuery(outboundQuery(id));
  return (
    <Loaded
      query={message}
      skeleton={
        <div className="px-6 py-4">
          <SkeletonRows />
        </div>
      }
    >
      {(data) => <Sent message={data} back={back} />}
    </Loaded>
  );
}

function Sent({ message, back }: { message: Outbound; back: () => void }) {
  const title = message.subject || "No subject";
  return (
    <Detail
      title={title}
      heading={<Untrusted text={title} />}
      back={back}
      actions={
        <>
          {message.status === "pending_approval" && (
            <Link to="/approvals/$id" params={{ id: message.id }} className={buttonClass("primary")}>
              <Hand aria-hidden className="size-4" /> Decide
            </Link>
          )}
          <TakeBack message={message} />
        </>
      }
    >
      <div className="flex flex-wrap items-center gap-2 text-sm">
        <MessageFate message={message} />
        <RelativeTime at={message.created_at} className="text-xs text-muted" />
      </div>
      <Fates recipients={message.recipients} />
      <Review message={message} />
      <OutgoingContent message={message} />
      <Facts
        facts={[
          ["Id", <CopyValue key="id" value={message.id} label="Copy the id" />],
          ["Message-ID", <CopyValue key="mid" value={message.email_message_id} label="Copy the Message-ID" />],
          ...(message.provider_message_id
            ? ([["Upstream’s id", <Untrusted key="pid" text={message.provider_message_id} />]] as const)
            : []),
        ]}
      />
    </Detail>
  );
}

/** Who decided about the message, and what they changed. */
function Review({ message }: { message: Outbound }) {
  const { hold, reviewed_by, reviewed_at, rejection_reason, original, edited_parts = [] } = message;
  if (!hold && !reviewed_at) return null;
  return (
    <Card title="Held">
      <div className="flex flex-col gap-3 text-sm">
        {hold && <p className="wrap-anywhere">{hold.reason}</p>}
        {reviewed_at && (
          <p>
            {reviewed_by === "expiry" ? "No one decided in time" : `${reviewed_by} decided`}{" "}
            <RelativeTime at={reviewed_at} />
            {original && `, with changes of ${namesOf(edited_parts)}`}.
          </p>
        )}
        {rejection_reason && (
          <p>
            Reason: <Untrusted text={rejection_reason} />
          </p>
        )}
        {original && <ContentDiff before={contentOf(original)} after={contentOf(message)} />}
      </div>
    </Card>
  );
}
