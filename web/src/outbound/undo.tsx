import { Undo2 } from "lucide-react";
import { useEffect, useState } from "react";
import type { Outbound } from "../api/client.ts";
import { useCancel, useUndo } from "../api/outbound.ts";
import { useShortcuts } from "../app/shortcuts.ts";
import { Button } from "../ui/button.tsx";
import { ConfirmDialog } from "../ui/dialog.tsx";
import { Keys } from "../ui/kbd.tsx";
import { toast, toastError } from "../ui/toast.tsx";
import { isWithdrawable } from "./withdrawable.ts";

/** A longer wait before a message leaves is a retry or a rate limit, not the time to undo. */
const UNDO_MS_MAX = 120_000;

const SECOND = 1_000;

/** Seconds until the first recipient's attempt, if nothing has left yet; null outside the time to undo. */
function useSecondsLeft({ status, recipients }: Outbound): number | null {
  const waits = status === "queued" && recipients.every(({ attempts }) => attempts === 0);
  const times = recipients.flatMap(({ next_attempt_at: at }) => (at ? [Date.parse(at)] : []));
  const due = waits && times.length > 0 ? Math.min(...times) : null;
  const [now, setNow] = useState(Date.now);
  const left = due === null ? null : due - now;
  const runs = left !== null && left > 0 && left <= UNDO_MS_MAX;
  useEffect(() => {
    if (!runs) return;
    const timer = setInterval(() => setNow(Date.now()), SECOND / 2);
    return () => clearInterval(timer);
  }, [runs]);
  return runs ? Math.ceil(left / SECOND) : null;
}

/** Undoes an approval: the message waits for a decision again. */
export function UndoApproval({ message }: { message: Outbound }) {
  const undo = useUndo(message.id);
  const seconds = useSecondsLeft(message);
  const run = () =>
    undo.mutate(undefined, {
      onSuccess: () => toast("Approval undone; the message is held again", message.subject),
      onError: toastError,
    });
  useShortcuts([{ keys: "z", label: "Undo the approval: hold it again", group: "Outbox", run }]);
  return (
    <Button variant="primary" icon={Undo2} busy={undo.isPending} onClick={run}>
      Undo the approval {seconds !== null && <span className="tabular-nums">({seconds} s)</span>} <Keys keys="z" />
    </Button>
  );
}

/** The button that undoes an approval or cancels the message, as far as that is still possible. */
export function TakeBack({ message }: { message: Outbound }) {
  return isWithdrawable(message) ? <UndoApproval message={message} /> : <CancelButton message={message} />;
}

function CancelButton({ message }: { message: Outbound }) {
  const cancel = useCancel(message.id);
  const [asking, setAsking] = useState(false);
  const seconds = useSecondsLeft(message);
  const waiting = message.recipients.filter(({ status }) => ["held", "queued", "deferred"].includes(status));
  const run = () =>
    cancel.mutate(undefined, { onSuccess: () => toast("Taken back", message.subject), onError: toastError });
  useShortcuts(
    seconds === null ? [] : [{ keys: "z", label: "Undo: do not send it", group: "Outbox", run: () => run() }],
  );
  if (waiting.length === 0) return null;
  if (seconds !== null)
    return (
      <Button variant="primary" icon={Undo2} busy={cancel.isPending} onClick={run}>
        Undo <span className="tabular-nums">({seconds} s)</span> <Keys keys="z" />
      </Button>
    );
  const all = waiting.length === message.recipients.length;
  return (
    <>
      <Button variant="danger" icon={Undo2} onClick={() => setAsking(true)}>
        Cancel
      </Button>
      <ConfirmDialog
        open={asking}
        onOpenChange={setAsking}
        title="Cancel this message?"
        action={all ? "Cancel the message" : `Cancel for ${waiting.length} of ${message.recipients.length}`}
        run={async () => {
          await cancel.mutateAsync();
          toast("Taken back", message.subject);
        }}
      >
        <p>
          {all
            ? "It has not been sent to anyone. If you cancel it, it never will be."
            : `${waiting.length} of ${message.recipients.length} recipients do not have it yet. Those who have it keep it.`}
        </p>
      </ConfirmDialog>
    </>
  );
}
