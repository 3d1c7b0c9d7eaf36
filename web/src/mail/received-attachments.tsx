import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import type { Attachment } from "../api/client.ts";
import { attachedMessageQuery } from "../api/messages.ts";
import { Dialog } from "../ui/dialog.tsx";
import { Facts } from "../ui/page.tsx";
import { Loaded } from "../ui/states.tsx";
import { RelativeTime } from "../ui/time.tsx";
import { Attachments } from "./attachments.tsx";
import { CalendarLine, Warning } from "./message-head.tsx";
import { Address, MailText, Untrusted } from "./untrusted.tsx";

/** The attachments of a received message. Messages among them can be read here, however deep they are. */
export function ReceivedAttachments({
  agent,
  id,
  attachments,
}: {
  agent: string;
  id: string;
  attachments: readonly Attachment[];
}) {
  const source = `/api/v1/agents/${encodeURIComponent(agent)}/messages/${id}`;
  const [place, setPlace] = useState<string | null>(null);
  return (
    <>
      <Attachments attachments={attachments} source={source} read={setPlace} />
      <Dialog open={place !== null} onOpenChange={() => setPlace(null)} title="Attached message" wide>
        {place !== null && <AttachedMessage key={place} {...{ agent, id, place, source }} read={setPlace} />}
      </Dialog>
    </>
  );
}

/** An attached message. `place` is its index as the API has it: `2`, or `2.0` for one inside the attached message 2. */
function AttachedMessage({
  agent,
  id,
  place,
  source,
  read,
}: {
  agent: string;
  id: string;
  place: string;
  source: string;
  read: (place: string) => void;
}) {
  const message = useQuery(attachedMessageQuery(agent, id, place));
  return (
    <Loaded query={message}>
      {({ attachments, calendar, cc = [], date, defects, from, from_name, subject, text, to }) => (
        <div className="flex flex-col gap-4">
          <Facts
            facts={[
              ["From", <Address key="from" address={from} name={from_name} />],
              ...[["To", to] as const, ["Cc", cc] as const]
                .filter(([, list]) => list.length > 0)
                .map(([name, list]) => [name, <Untrusted key={name} text={list.join(", ")} />] as const),
              ["Subject", <Untrusted key="subject" text={subject || "No subject"} />],
              ...(date === null ? [] : [["Date", <RelativeTime key="date" at={date} />] as const]),
            ]}
          />
          {calendar && <CalendarLine calendar={calendar} />}
          <Warning>It is part of another message: nothing proves who wrote it.</Warning>
          {defects.map(({ detail }) => (
            <Warning key={detail}>{detail}</Warning>
          ))}
          <Attachments attachments={attachments} source={source} within={place} read={read} />
          {text.trim() === "" ? <p className="text-sm text-muted">No text.</p> : <MailText text={text} />}
        </div>
      )}
    </Loaded>
  );
}
