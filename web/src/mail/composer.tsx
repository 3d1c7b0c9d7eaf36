import { Send, X } from "lucide-react";
import { type FormEvent, type KeyboardEvent, useState } from "react";
import type { MessageDetail } from "../api/client.ts";
import { useForward, useReply } from "../api/messages.ts";
import { ApiError } from "../api/problem.ts";
import { Button, IconButton } from "../ui/button.tsx";
import { Checkbox, Field, TextArea, TextInput } from "../ui/field.tsx";
import { Keys } from "../ui/kbd.tsx";
import { ErrorNote } from "../ui/states.tsx";
import { toast } from "../ui/toast.tsx";
import { UnsavedGuard } from "../ui/unsaved.tsx";
import { replyAddresses } from "./reply-addresses.ts";
import { Address } from "./untrusted.tsx";

/** Replies to or forwards a message as the agent, under the agent's own rules. */
export function Composer({
  mode,
  agent,
  message,
  onClose,
}: {
  mode: "reply" | "forward";
  agent: string;
  message: MessageDetail;
  onClose: () => void;
}) {
  const [body, setBody] = useState("");
  const [to, setTo] = useState("");
  const [all, setAll] = useState(false);
  const [quote, setQuote] = useState(false);
  const reply = useReply(agent, message.message_id);
  const forward = useForward(agent, message.message_id);
  const { isPending, error } = mode === "reply" ? reply : forward;
  const problem = error instanceof ApiError ? error : null;
  const { answerTo, others } = replyAddresses(message, agent);
  const recipients = to.split(/[\s,;]+/).filter(Boolean);

  const submit = async (event?: FormEvent) => {
    event?.preventDefault();
    const sent =
      mode === "reply"
        ? await reply.mutateAsync({ body, reply_all: all, quote_history: quote })
        : await forward.mutateAsync({ to: recipients, body });
    if (sent.fix) toast("Not sent to everyone", sent.fix);
    if (sent.status === "pending_approval") toast("Waiting for approval", sent.hold?.reason);
    else if (sent.method === "capture")
      toast("Captured", "No upstream is configured, so it was kept here and not sent.");
    else toast(sent.status === "sent" ? "Sent" : "On its way");
    onClose();
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key === "Enter" && (event.metaKey || event.ctrlKey)) void submit().catch(() => {});
    if (event.key === "Escape" && body === "" && to === "") onClose();
  };

  return (
    <form
      onSubmit={(event) => void submit(event).catch(() => {})}
      onKeyDown={onKeyDown}
      aria-label={mode === "reply" ? "Reply" : "Forward"}
      className="flex flex-col gap-3 rounded-xl border border-line bg-surface p-4 shadow-card"
    >
      <div className="flex items-start justify-between gap-2">
        <p className="text-sm text-muted">
          {mode === "reply" ? (
            <>
              As {agent}, to{" "}
              {answerTo.map((address) => (
                <Address key={address} address={address} className="text-ink" />
              ))}
            </>
          ) : (
            <>As {agent}, with the message's text and files</>
          )}
        </p>
        <IconButton icon={X} label="Discard" onClick={onClose} className="-m-1.5" />
      </div>
      {mode === "forward" && (
        <Field label="To" error={problem?.errors.find(({ field }) => field.startsWith("to"))?.message}>
          {(control) => (
            <TextInput
              {...control}
              autoFocus
              placeholder="ann@example.com, bob@example.com"
              value={to}
              onChange={(event) => setTo(event.target.value)}
            />
          )}
        </Field>
      )}
      <TextArea
        aria-label="Text"
        autoFocus={mode === "reply"}
        rows={6}
        value={body}
        onChange={(event) => setBody(event.target.value)}
      />
      {mode === "reply" && others.length > 0 && (
        <Checkbox
          label={`Also to the ${others.length === 1 ? "other recipient" : `${others.length} others`}`}
          hint={others.slice(0, 5).join(", ")}
          checked={all}
          onChange={(event) => setAll(event.target.checked)}
        />
      )}
      {mode === "reply" && (
        <Checkbox
          label="Quote the message"
          hint="Below your text, as mail programs do"
          checked={quote}
          onChange={(event) => setQuote(event.target.checked)}
        />
      )}
      {error && !problem?.errors.some(({ field }) => field.startsWith("to")) && <ErrorNote error={error} />}
      <div className="flex items-center gap-3">
        <Button
          type="submit"
          variant="primary"
          icon={Send}
          busy={isPending}
          disabled={mode === "reply" ? body.trim() === "" : recipients.length === 0}
        >
          {mode === "reply" ? "Send reply" : "Forward"}
        </Button>
        <span className="hidden text-xs text-muted sm:inline">
          <Keys keys="mod+enter" />
        </span>
      </div>
      <UnsavedGuard active={body !== "" || to !== ""} title="Discard the text?">
        <p>It is not sent, and is not stored anywhere else.</p>
      </UnsavedGuard>
    </form>
  );
}
