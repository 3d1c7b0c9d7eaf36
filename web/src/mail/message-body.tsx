import { Download } from "lucide-react";
import { useMemo, useState } from "react";
import type { MessageDetail } from "../api/client.ts";
import { buttonClass } from "../ui/button.tsx";
import { Card } from "../ui/page.tsx";
import { type Tab, Tabs } from "../ui/tabs.tsx";
import { Deliveries } from "./deliveries.tsx";
import { MailFrame } from "./frame.tsx";
import { ReceivedAttachments } from "./received-attachments.tsx";
import { MailText, Untrusted } from "./untrusted.tsx";
import { Findings } from "./verdict.tsx";

/** A message's content, and tabs with everything else that is known about it. */
export function MessageBody({ agent, message }: { agent: string; message: MessageDetail }) {
  const source = `/api/v1/agents/${encodeURIComponent(agent)}/messages/${message.message_id}`;
  const { html } = message;
  const [tab, setTab] = useState(html === null ? "text" : "html");
  const tabs: Tab[] = [
    ...(html === null
      ? []
      : [{ value: "html", label: "HTML", content: <MailFrame source={`${source}/html`} html={html} /> }]),
    { value: "text", label: "Text", content: <MailText text={message.text} /> },
    { value: "proof", label: "Proof", content: <Proof message={message} /> },
    { value: "headers", label: "Headers", content: <Headers headers={message.headers} /> },
    { value: "source", label: "Source", content: <Source message={message} source={source} /> },
    {
      value: "deliveries",
      label: "Deliveries",
      content: <Deliveries id={message.message_id} status={message.status} />,
    },
  ];
  return (
    <>
      <ReceivedAttachments agent={agent} id={message.message_id} attachments={message.attachments} />
      <Tabs label="Message" tabs={tabs} value={tab} onChange={setTab} />
    </>
  );
}

/** The results of authentication, and the signed headers that carry them to an agent. */
function Proof({ message }: { message: MessageDetail }) {
  return (
    <div className="flex flex-col gap-4">
      <Card title="What was checked">
        <div className="text-sm">
          <Findings message={message} />
        </div>
      </Card>
      <Card
        title="What the agent receives"
        description="Signed with the account’s newest secret. A receiver should trust only these headers."
        flush
      >
        <Headers headers={Object.entries(message.auth_headers).map(([name, value]) => ({ name, value }))} />
      </Card>
    </div>
  );
}

function Headers({ headers }: { headers: readonly { name: string; value: string }[] }) {
  return (
    <dl className="grid grid-cols-1 gap-x-4 gap-y-1 p-4 font-mono text-xs sm:grid-cols-[minmax(8rem,max-content)_minmax(0,1fr)]">
      {headers.map(({ name, value }, place) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: fields may repeat, and their order never changes.
        <div key={place} className="contents">
          <dt className="text-muted">{name}</dt>
          <dd className="min-w-0 pb-1 wrap-anywhere sm:pb-0">
            <Untrusted text={value} />
          </dd>
        </div>
      ))}
    </dl>
  );
}

/** The page shows no more than this; the rest is in the download. */
const SOURCE_CHARS_MAX = 100_000;

function Source({ message, source }: { message: MessageDetail; source: string }) {
  const text = useMemo(() => {
    // Four characters of Base64 encode three bytes.
    const head = message.raw_message.slice(0, Math.ceil(SOURCE_CHARS_MAX / 3) * 4);
    return new TextDecoder().decode(Uint8Array.from(atob(head), (character) => character.charCodeAt(0)));
  }, [message.raw_message]);
  const cut = message.raw_message.length > (SOURCE_CHARS_MAX / 3) * 4;
  return (
    <div className="flex flex-col gap-3">
      <div className="flex flex-wrap items-center gap-3">
        <a href={`${source}/raw`} download className={buttonClass("default", "sm")}>
          <Download aria-hidden className="size-4" /> Download .eml
        </a>
        {cut && <span className="text-xs text-muted">This is its beginning.</span>}
      </div>
      <section aria-label="Source" className="rounded-lg border border-line bg-sunken">
        {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a scrollable region must be reachable by keyboard. */}
        <pre tabIndex={0} className="max-h-[70vh] overflow-auto p-3 font-mono text-xs">
          <Untrusted text={text} lines />
        </pre>
      </section>
    </div>
  );
}
