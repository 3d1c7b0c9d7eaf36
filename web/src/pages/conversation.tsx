import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { getRouteApi, Link } from "@tanstack/react-router";
import { ArrowDownLeft, ArrowLeft, ArrowUpRight, Reply } from "lucide-react";
import { useState } from "react";
import { isRoleMailbox } from "../api/agents.ts";
import { api, type MessageSummary, ok } from "../api/client.ts";
import { keys } from "../api/keys.ts";
import { conversationQuery, messageQuery } from "../api/messages.ts";
import { Attachments } from "../mail/attachments.tsx";
import { Composer } from "../mail/composer.tsx";
import { MailFrame } from "../mail/frame.tsx";
import { OutboundStatus } from "../mail/outbound-status.tsx";
import { ReceivedAttachments } from "../mail/received-attachments.tsx";
import { Address, MailText, Untrusted } from "../mail/untrusted.tsx";
import { VerdictBadge } from "../mail/verdict.tsx";
import { Button } from "../ui/button.tsx";
import { cx } from "../ui/cx.ts";
import { ErrorState, Loaded, Skeleton, SkeletonRows } from "../ui/states.tsx";
import { RelativeTime } from "../ui/time.tsx";

const route = getRouteApi("/inbox/$agent/thread/$id");

/** An agent's received and sent mail in one conversation, oldest first. The last message and unread ones are open. */
export function ConversationPage() {
  const { agent, id } = route.useParams();
  const query = useInfiniteQuery(conversationQuery(agent, id));
  const { data, hasNextPage, isFetchingNextPage, fetchNextPage } = query;
  const messages = data?.pages.flatMap((page) => page.messages) ?? [];
  const subject = data?.pages[0]?.subject ?? "";
  return (
    <div className="h-full overflow-y-auto">
      <div className="mx-auto flex max-w-5xl flex-col gap-4 px-4 py-4 sm:px-8 sm:py-6">
        <title>{`${subject || "Conversation"} · e2a`}</title>
        <Link
          to="/inbox"
          search={(search) => search}
          aria-label="Back to the list"
          className="-ml-2 inline-flex size-8 items-center justify-center rounded-md text-muted hover:bg-hover lg:hidden"
        >
          <ArrowLeft aria-hidden className="size-4" />
        </Link>
        {query.isPending ? (
          <SkeletonRows />
        ) : !data ? (
          <ErrorState error={query.error} retry={() => void query.refetch()} />
        ) : (
          <>
            <h1 className="text-xl font-semibold tracking-tight wrap-anywhere">
              {subject ? <Untrusted text={subject} /> : <span className="text-muted">No subject</span>}
            </h1>
            <ol aria-label="Messages" className="flex flex-col gap-2">
              {messages.map((message, place) => (
                <li key={message.message_id}>
                  <Entry
                    agent={agent}
                    message={message}
                    begin={(!hasNextPage && place === messages.length - 1) || message.status === "unread"}
                  />
                </li>
              ))}
            </ol>
            {hasNextPage && (
              <Button busy={isFetchingNextPage} onClick={() => void fetchNextPage()}>
                Show later messages
              </Button>
            )}
          </>
        )}
      </div>
    </div>
  );
}

function Entry({ agent, message, begin }: { agent: string; message: MessageSummary; begin: boolean }) {
  const [open, setOpen] = useState(begin);
  const inbound = message.direction === "inbound";
  const Icon = inbound ? ArrowDownLeft : ArrowUpRight;
  return (
    <section className="rounded-xl border border-line bg-surface shadow-card">
      <div className="relative flex items-center gap-2.5 px-4 py-2.5">
        <Icon aria-hidden className={cx("size-4 shrink-0", inbound ? "text-info" : "text-accent")} />
        <button
          type="button"
          aria-expanded={open}
          onClick={() => setOpen(!open)}
          className="min-w-0 flex-1 truncate text-left text-sm after:absolute after:inset-0"
        >
          <span className="sr-only">{inbound ? "Received from " : "Sent by "}</span>
          <Address address={message.from} name={message.from_name} />
          {!open && (
            <span className="text-muted">
              {" "}
              · <Untrusted text={message.snippet} />
            </span>
          )}
        </button>
        {inbound ? <VerdictBadge message={message} compact /> : <OutboundStatus status={message.status} />}
        <RelativeTime at={message.created_at} className="relative z-10 shrink-0 text-xs text-muted" />
      </div>
      {open && (
        <div className="flex flex-col gap-3 border-t border-line p-4">
          {inbound ? <Received agent={agent} id={message.message_id} /> : <Sent id={message.message_id} />}
        </div>
      )}
    </section>
  );
}

const loading = <Skeleton className="h-24" />;

function Received({ agent, id }: { agent: string; id: string }) {
  const message = useQuery(messageQuery(agent, id));
  const [replying, setReplying] = useState(false);
  const source = `/api/v1/agents/${encodeURIComponent(agent)}/messages/${id}`;
  return (
    <Loaded query={message} skeleton={loading}>
      {(data) => (
        <>
          <MailContent text={data.reply_text || data.text} html={data.html} source={source} />
          <ReceivedAttachments agent={agent} id={id} attachments={data.attachments} />
          {replying ? (
            <Composer mode="reply" agent={agent} message={data} onClose={() => setReplying(false)} />
          ) : (
            <div className="flex items-center gap-3">
              {!isRoleMailbox(agent) && (
                <Button size="sm" icon={Reply} onClick={() => setReplying(true)}>
                  Reply
                </Button>
              )}
              <Link to="/inbox/$agent/$id" params={{ agent, id }} search={(search) => search} className="link text-sm">
                Open the message
              </Link>
            </div>
          )}
        </>
      )}
    </Loaded>
  );
}

function Sent({ id }: { id: string }) {
  const message = useQuery({
    queryKey: [...keys.outbound, "one", id],
    queryFn: ({ signal }) =>
      ok(api.GET("/api/v1/messages/{id}", { params: { path: { id }, query: { data: false } }, signal })),
  });
  return (
    <Loaded query={message} skeleton={loading}>
      {(data) => (
        <>
          <p className="text-xs text-muted">To {data.to.join(", ")}</p>
          <MailContent text={data.body_text ?? ""} html={data.body_html ?? null} source={`/api/v1/messages/${id}`} />
          <Attachments attachments={data.attachments ?? []} source={`/api/v1/messages/${id}`} />
        </>
      )}
    </Loaded>
  );
}

/** The text of a mail; its HTML if the user asks for it, or if there is no text. */
function MailContent({ text, html, source }: { text: string; html: string | null; source: string }) {
  const [formatted, setFormatted] = useState(text.trim() === "" && html !== null);
  return (
    <>
      {formatted && html !== null ? <MailFrame source={`${source}/html`} html={html} /> : <MailText text={text} />}
      {html !== null && (
        <div>
          <Button size="sm" variant="ghost" onClick={() => setFormatted(!formatted)}>
            {formatted ? "Show the text" : "Show the HTML"}
          </Button>
        </div>
      )}
    </>
  );
}
