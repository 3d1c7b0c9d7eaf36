import type { Outbound } from "../api/client.ts";
import { Address, Untrusted } from "../mail/untrusted.tsx";
import { Badge, type Tone } from "../ui/badge.tsx";
import { Card } from "../ui/page.tsx";
import { RelativeTime } from "../ui/time.tsx";

type Recipient = Outbound["recipients"][number];

const tones: Record<Recipient["status"], Tone> = {
  held: "accent",
  queued: "info",
  sending: "info",
  sent: "ok",
  delivered: "ok",
  deferred: "warn",
  bounced: "bad",
  failed: "bad",
  cancelled: "quiet",
};

const ways: Record<NonNullable<Recipient["method"]>, string> = {
  relay: "by this server itself",
  smtp: "by the upstream",
  capture: "kept here, because there is no upstream",
};

/** The status of a message for each recipient, with the answer of the recipient's server. */
export function Fates({ recipients }: { recipients: readonly Recipient[] }) {
  return (
    <Card title={recipients.length === 1 ? "1 recipient" : `${recipients.length} recipients`} flush>
      <ul aria-label="Recipients" className="divide-y divide-line">
        {recipients.map((recipient) => (
          <li key={recipient.address} className="flex flex-col gap-1 px-4 py-2.5 text-sm">
            <p className="flex flex-wrap items-center gap-x-2 gap-y-1">
              <Address address={recipient.address} />
              {recipient.status === "sent" && recipient.method === "capture" ? (
                <Badge tone="info">captured</Badge>
              ) : (
                <Badge tone={tones[recipient.status]}>{recipient.status}</Badge>
              )}
              <span className="flex-1" />
              <RelativeTime at={recipient.at} className="text-xs text-muted" />
            </p>
            <Answer recipient={recipient} />
          </li>
        ))}
      </ul>
    </Card>
  );
}

function Answer({ recipient }: { recipient: Recipient }) {
  const { method, smtp_reply, error, attempts, next_attempt_at, status } = recipient;
  const facts = [
    ...(method ? [ways[method]] : []),
    ...(attempts > 1 ? [`${attempts} attempts`] : []),
    ...(attempts === 1 && status !== "sent" ? ["1 attempt"] : []),
  ];
  return (
    <>
      {(smtp_reply || error) && (
        <p className="font-mono text-xs wrap-anywhere">
          <Untrusted text={smtp_reply ?? error ?? ""} />
        </p>
      )}
      {(facts.length > 0 || next_attempt_at) && (
        <p className="text-xs text-muted">
          {facts.join(" · ")}
          {next_attempt_at && (
            <>
              {facts.length > 0 && " · "}
              {attempts > 0 ? "tried again " : "leaves "}
              <RelativeTime at={next_attempt_at} upcoming />
            </>
          )}
        </p>
      )}
    </>
  );
}
