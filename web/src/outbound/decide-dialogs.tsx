import { type KeyboardEvent, useState } from "react";
import type { Outbound } from "../api/client.ts";
import { Untrusted } from "../mail/untrusted.tsx";
import { Button } from "../ui/button.tsx";
import { Dialog } from "../ui/dialog.tsx";
import { Field, TextArea } from "../ui/field.tsx";
import { Keys } from "../ui/kbd.tsx";
import { RuleBadge } from "./hold.tsx";

const count = (messages: readonly unknown[]) => (messages.length === 1 ? "1 message" : `${messages.length} messages`);

/** Asks for the reason, which the agent sees. */
export function RejectDialog({
  messages,
  onClose,
  reject,
}: {
  messages: readonly Outbound[];
  onClose: () => void;
  reject: (reason: string) => void;
}) {
  const [reason, setReason] = useState("");
  const submit = () => {
    onClose();
    reject(reason.trim());
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key === "Enter" && (event.metaKey || event.ctrlKey)) submit();
  };
  return (
    <Dialog
      open
      onOpenChange={(open) => !open && onClose()}
      title={`Reject ${count(messages)}`}
      description="A rejected message is never sent."
      footer={
        <>
          <Button onClick={onClose}>Cancel</Button>
          <Button variant="danger" onClick={submit}>
            Reject {count(messages)} <Keys keys="mod+enter" />
          </Button>
        </>
      }
    >
      <div className="flex flex-col gap-4">
        {messages.length > 1 && <Heap messages={messages} />}
        <Field label="Reason" optional hint="The agent reads it and can do better next time.">
          {(control) => (
            <TextArea
              {...control}
              rows={3}
              maxLength={1000}
              value={reason}
              onChange={(event) => setReason(event.target.value)}
              onKeyDown={onKeyDown}
              placeholder="The price is wrong."
            />
          )}
        </Field>
      </div>
    </Dialog>
  );
}

/** Approves several messages; first shows what would leave. */
export function ApproveDialog({
  messages,
  onClose,
  approve,
}: {
  messages: readonly Outbound[];
  onClose: () => void;
  approve: () => void;
}) {
  const recipients = new Set(messages.flatMap(({ to, cc = [], bcc = [] }) => [...to, ...cc, ...bcc]));
  const strangers = new Set(messages.flatMap(({ first_time = [] }) => first_time));
  return (
    <Dialog
      open
      onOpenChange={(open) => !open && onClose()}
      title={`Approve ${count(messages)}`}
      description={`To ${recipients.size} ${recipients.size === 1 ? "address" : "addresses"}${
        strangers.size > 0 ? `, ${strangers.size} of them for the first time` : ""
      }. Each leaves as it was listed; what was changed meanwhile is left out.`}
      footer={
        <>
          <Button onClick={onClose}>Cancel</Button>
          <Button
            variant="primary"
            onClick={() => {
              onClose();
              approve();
            }}
          >
            Approve {count(messages)}
          </Button>
        </>
      }
    >
      <Heap messages={messages} />
    </Dialog>
  );
}

function Heap({ messages }: { messages: readonly Outbound[] }) {
  return (
    <ul aria-label="Messages" className="max-h-64 divide-y divide-line overflow-y-auto rounded-lg border border-line">
      {messages.map((message) => (
        <li key={message.id} className="flex items-center gap-2 px-3 py-1.5 text-sm">
          <span className="min-w-0 flex-1 truncate">
            <Untrusted text={message.subject || "No subject"} />
            <span className="text-muted">
              {" "}
              to <Untrusted text={[...message.to, ...(message.cc ?? []), ...(message.bcc ?? [])].join(", ")} />
            </span>
          </span>
          {message.hold && <RuleBadge rule={message.hold.rule} />}
        </li>
      ))}
    </ul>
  );
}
