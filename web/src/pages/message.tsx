import { useQuery } from "@tanstack/react-query";
import { getRouteApi, Link } from "@tanstack/react-router";
import { ArrowLeft, Ellipsis, Forward, Mail, MailOpen, MessagesSquare, Reply, Trash2 } from "lucide-react";
import { useState } from "react";
import { isRoleMailbox } from "../api/agents.ts";
import type { MessageDetail } from "../api/client.ts";
import { messageQuery, useChangeMessage, useDeleteMessage } from "../api/messages.ts";
import { useShortcuts } from "../app/shortcuts.ts";
import { Composer } from "../mail/composer.tsx";
import { Labels } from "../mail/labels.tsx";
import { MessageBody } from "../mail/message-body.tsx";
import { MessageHead } from "../mail/message-head.tsx";
import { Untrusted } from "../mail/untrusted.tsx";
import { Button, IconButton } from "../ui/button.tsx";
import { ConfirmDialog } from "../ui/dialog.tsx";
import { Menu } from "../ui/menu.tsx";
import { Loaded } from "../ui/states.tsx";
import { toast, toastError } from "../ui/toast.tsx";

const route = getRouteApi("/inbox/$agent/$id");

/** One received message. */
export function MessagePage() {
  const { agent, id } = route.useParams();
  const message = useQuery(messageQuery(agent, id));

  return (
    <div className="h-full overflow-y-auto">
      <Loaded query={message}>{(data) => <Message key={id} agent={agent} message={data} />}</Loaded>
    </div>
  );
}

function Message({ agent, message }: { agent: string; message: MessageDetail }) {
  const id = message.message_id;
  const [mode, setMode] = useState<"reply" | "forward" | null>(null);
  const [deleting, setDeleting] = useState(false);
  const navigate = route.useNavigate();
  const change = useChangeMessage(agent, id);
  const remove = useDeleteMessage(agent, id);
  const back = () => navigate({ to: "/inbox", search: (search) => search });
  const unread = message.status === "unread";
  const readOnly = isRoleMailbox(agent);
  const mark = (status: "read" | "unread") =>
    change.mutate(
      { status },
      {
        onError: toastError,
        onSuccess: () =>
          status === "read"
            ? toast("Marked read", readOnly ? undefined : "The agent no longer receives it.")
            : toast("Marked unread", readOnly ? undefined : "The agent receives it when it next fetches unread mail."),
      },
    );
  const toggle = () => mark(unread ? "read" : "unread");

  useShortcuts([
    ...(readOnly
      ? []
      : [
          { keys: "r", label: "Reply", group: "Message", run: () => setMode("reply") },
          { keys: "f", label: "Forward", group: "Message", run: () => setMode("forward") },
        ]),
    { keys: "u", label: "Mark read or unread", group: "Message", run: toggle },
    { keys: "#", label: "Delete", group: "Message", run: () => setDeleting(true) },
  ]);

  return (
    <article className="mx-auto flex min-h-full max-w-5xl flex-col gap-4 px-4 py-4 sm:px-8 sm:py-6">
      <title>{`${message.subject || "No subject"} · e2a`}</title>
      <div className="flex flex-wrap items-start gap-2">
        <Link
          to="/inbox"
          search={(search) => search}
          aria-label="Back to the list"
          className="-ml-2 inline-flex size-8 items-center justify-center rounded-md text-muted hover:bg-hover lg:hidden"
        >
          <ArrowLeft aria-hidden className="size-4" />
        </Link>
        <div className="flex min-w-60 flex-1 flex-col gap-1.5">
          <h1 title={message.subject} className="line-clamp-4 text-xl font-semibold tracking-tight wrap-anywhere">
            {message.subject ? <Untrusted text={message.subject} /> : <span className="text-muted">No subject</span>}
          </h1>
          <Labels agent={agent} id={id} labels={message.labels} />
        </div>
        <div className="flex items-center gap-2">
          {!readOnly && (
            <>
              <Button icon={Reply} size="sm" onClick={() => setMode("reply")}>
                Reply
              </Button>
              <Button icon={Forward} size="sm" onClick={() => setMode("forward")}>
                Forward
              </Button>
            </>
          )}
          <Button icon={unread ? MailOpen : Mail} size="sm" busy={change.isPending} onClick={toggle}>
            {unread ? "Mark read" : "Mark unread"}
          </Button>
          <Menu
            trigger={<IconButton icon={Ellipsis} label="More" className="size-7" />}
            items={[
              {
                label: "Show the conversation",
                icon: MessagesSquare,
                onSelect: () =>
                  void navigate({
                    to: "/inbox/$agent/thread/$id",
                    params: { agent, id: message.conversation_id },
                    search: { agent, view: "threads" },
                  }),
              },
              null,
              { label: "Delete", icon: Trash2, danger: true, onSelect: () => setDeleting(true) },
            ]}
          />
        </div>
      </div>
      <MessageHead message={message} />
      {readOnly && (
        <p className="text-xs text-muted">
          This is the domain’s own mailbox. Its mail can be read here, but not answered: only agents send.
        </p>
      )}
      {unread && !readOnly && (
        <p className="text-xs text-muted">
          Unread. Opening it here does not mark it read: the agent still gets it. Once it is marked read, the agent does
          not.
        </p>
      )}
      {mode && <Composer mode={mode} agent={agent} message={message} onClose={() => setMode(null)} />}
      <MessageBody agent={agent} message={message} />
      <ConfirmDialog
        open={deleting}
        onOpenChange={setDeleting}
        title="Delete this message?"
        action="Delete message"
        run={async () => {
          await remove.mutateAsync();
          toast("Message deleted");
          await back();
        }}
      >
        <p>
          {readOnly ? "It is deleted with its attachments." : "The agent loses it too, with its attachments."} This
          cannot be undone.
        </p>
      </ConfirmDialog>
    </article>
  );
}
