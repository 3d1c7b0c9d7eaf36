import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { Check, Pencil, Repeat, X } from "lucide-react";
import { useState } from "react";
import type { Agent, Outbound } from "../api/client.ts";
import { outboundQuery, useRelease } from "../api/outbound.ts";
import { useShortcuts } from "../app/shortcuts.ts";
import { OutboundStatus } from "../mail/outbound-status.tsx";
import { Untrusted } from "../mail/untrusted.tsx";
import { Button } from "../ui/button.tsx";
import { Keys } from "../ui/kbd.tsx";
import { Card } from "../ui/page.tsx";
import { Detail } from "../ui/split.tsx";
import { ErrorNote, Loaded, SkeletonRows } from "../ui/states.tsx";
import { RelativeTime } from "../ui/time.tsx";
import { toast, toastError } from "../ui/toast.tsx";
import { OutgoingContent } from "./content.tsx";
import type { Verdict } from "./decisions.ts";
import { ContentDiff } from "./diff.tsx";
import { changesOf, contentOf, type Draft } from "./draft.ts";
import { EditForm } from "./edit-form.tsx";
import { HoldNote, ReviewNotes } from "./hold.tsx";
import { namesOf } from "./parts.ts";
import { UndoApproval } from "./undo.tsx";
import { isWithdrawable } from "./withdrawable.ts";

interface Props {
  id: string;
  agent: (address: string) => Agent | undefined;
  busy: boolean;
  /** Why the last decision about it failed. */
  problem: unknown;
  /** Decides; rejects with the server's error. */
  decide: (message: Outbound, verdict: Verdict) => Promise<void>;
  askReason: (message: Outbound) => void;
  back: () => void;
}

/** A held message: its whole content, why it is held, and the buttons that decide. */
export function HeldMessage(props: Props) {
  const message = useQuery(outboundQuery(props.id));
  return (
    <Loaded query={message} skeleton={<Waiting />}>
      {(data) => <Held {...props} message={data} />}
    </Loaded>
  );
}

function Waiting() {
  return (
    <div className="px-6 py-4">
      <SkeletonRows />
    </div>
  );
}

function Held({ message, agent, busy, problem, decide, askReason, back }: Props & { message: Outbound }) {
  const [editing, setEditing] = useState(false);
  // A decision is about the content on the screen, even if the message changes meanwhile.
  const [seen, setSeen] = useState(message);
  const release = useRelease(message.id);
  const waits = message.status === "pending_approval";
  const changed = waits && message.content_hash !== seen.content_hash;
  const { original } = seen;
  const active = waits && !changed && !editing && !busy;
  const title = seen.subject || "No subject";

  const approve = () => void decide(seen, { kind: "approve" }).catch(() => {});
  const approveChanged = async (draft: Draft) => {
    await decide(seen, { kind: "approve", changes: await changesOf(seen, draft) });
    setEditing(false);
  };
  const letGo = () =>
    release.mutate(undefined, {
      onSuccess: () => toast("Released", "All mail that was held for the same reason will leave."),
      onError: toastError,
    });
  const group = "Approvals";
  useShortcuts(
    active
      ? [
          { keys: "a", label: "Approve", group, run: approve },
          { keys: "e", label: "Edit before approving", group, run: () => setEditing(true) },
          { keys: "r", label: "Reject, with a reason", group, run: () => askReason(seen) },
        ]
      : [],
  );

  return (
    <Detail
      title={title}
      heading={<Untrusted text={title} />}
      back={back}
      actions={
        waits &&
        !editing && (
          <>
            <Button variant="primary" icon={Check} busy={busy} disabled={changed} onClick={approve}>
              Approve <Hint keys="a" />
            </Button>
            <Button icon={Pencil} disabled={!active} onClick={() => setEditing(true)}>
              Edit <Hint keys="e" />
            </Button>
            <Button variant="danger" icon={X} disabled={!active} onClick={() => askReason(seen)}>
              Reject <Hint keys="r" />
            </Button>
          </>
        )
      }
    >
      {problem !== undefined && waits && <ErrorNote error={problem} />}
      {!waits && <Decided message={message} />}
      {changed && !editing && (
        <section role="alert" className="flex flex-col gap-3 rounded-xl border border-warn/40 bg-warn-soft p-4 text-sm">
          <p className="font-medium">The message was changed while it was open here.</p>
          <ContentDiff before={contentOf(seen)} after={contentOf(message)} />
          <div>
            <Button onClick={() => setSeen(message)}>I have read the changes</Button>
          </div>
        </section>
      )}
      {waits && <HoldNote message={seen} agent={agent(seen.agent_id)} />}
      {waits && seen.hold?.rule === "loop" && (
        <div className="flex flex-wrap items-center gap-3 text-sm">
          <Button icon={Repeat} busy={release.isPending} onClick={letGo}>
            Release the loop
          </Button>
          <span className="text-xs text-muted">Releases this message and all that are held for the same reason.</span>
        </div>
      )}
      {waits && original && !changed && !editing && (
        <Card title="Earlier changes" description="An approval with these changes was undone.">
          <ContentDiff before={contentOf(original)} after={contentOf(seen)} />
        </Card>
      )}
      {editing ? (
        <EditForm
          message={seen}
          current={message}
          follow={() => setSeen(message)}
          approve={approveChanged}
          onClose={() => setEditing(false)}
        />
      ) : (
        <>
          {waits && <ReviewNotes message={seen} />}
          <OutgoingContent message={seen} />
        </>
      )}
      {waits && seen.content_hash && (
        <p className="text-xs text-muted">
          A decision is about exactly this content:{" "}
          <code className="font-mono wrap-anywhere" title="SHA-256 over all recipients and the bytes">
            {seen.content_hash.slice(0, 16)}…
          </code>
        </p>
      )}
    </Detail>
  );
}

/** The shortcut of a button; hidden on narrow screens. */
function Hint({ keys }: { keys: string }) {
  return (
    <span aria-hidden className="-mr-1 hidden opacity-80 lg:inline">
      <Keys keys={keys} />
    </span>
  );
}

/** What happened to a message that no longer waits. */
function Decided({ message }: { message: Outbound }) {
  const { status, reviewed_by, reviewed_at, rejection_reason, edited_parts = [] } = message;
  return (
    <div role="status" className="flex flex-col gap-1.5 rounded-xl border border-line bg-surface px-4 py-3 text-sm">
      <p className="flex flex-wrap items-center gap-x-2 gap-y-1">
        <OutboundStatus status={status} />
        {reviewed_at && (
          <span>
            {reviewed_by === "expiry" ? "No one decided in time" : `${reviewed_by} decided`}{" "}
            <RelativeTime at={reviewed_at} />
            {edited_parts.length > 0 && `, with changes of ${namesOf(edited_parts)}`}.
          </span>
        )}
      </p>
      {rejection_reason && (
        <p className="text-muted">
          Reason: <Untrusted text={rejection_reason} />
        </p>
      )}
      <div className="flex flex-wrap items-center gap-3">
        {isWithdrawable(message) && <UndoApproval message={message} />}
        <Link to="/outbox/$id" params={{ id: message.id }} className="link w-fit">
          Show its delivery
        </Link>
      </div>
    </div>
  );
}
