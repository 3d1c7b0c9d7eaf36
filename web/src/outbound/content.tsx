import { Link } from "@tanstack/react-router";
import { Download } from "lucide-react";
import { useState } from "react";
import type { Outbound } from "../api/client.ts";
import { Attachments } from "../mail/attachments.tsx";
import { MailFrame } from "../mail/frame.tsx";
import { Address, MailText, Untrusted } from "../mail/untrusted.tsx";
import { Badge } from "../ui/badge.tsx";
import { buttonClass } from "../ui/button.tsx";
import { Facts } from "../ui/page.tsx";
import { type Tab, Tabs } from "../ui/tabs.tsx";
import { Links } from "./links.tsx";

/** A message's recipients and content, complete, as they leave. */
export function OutgoingContent({ message }: { message: Outbound }) {
  const source = `/api/v1/messages/${message.id}`;
  return (
    <>
      <Envelope message={message} />
      <Body message={message} source={source} />
      <Links links={message.links ?? []} />
      <Attachments attachments={message.attachments ?? []} source={source} />
      <div>
        <a href={`${source}/raw`} download className={buttonClass("ghost", "sm")}>
          <Download aria-hidden className="size-4" /> Download .eml
        </a>
      </div>
    </>
  );
}

const kinds: Record<Outbound["type"], string> = {
  send: "New message",
  reply: "Reply",
  forward: "Forwarded message",
  test: "Test",
  notice: "Notice to reviewers",
};

function Envelope({ message }: { message: Outbound }) {
  const { from, to, cc, bcc, reply_to, headers = [], first_time = [], conversation_id, agent_id, type } = message;
  const list = (addresses: readonly string[]) => (
    <ul className="flex flex-wrap gap-x-3 gap-y-1">
      {addresses.map((address) => (
        <li key={address}>
          <Address address={address} />
          {first_time.includes(address) && (
            <>
              {" "}
              <Badge tone="warn">First time</Badge>
            </>
          )}
        </li>
      ))}
    </ul>
  );
  return (
    <Facts
      facts={[
        ["From", <Address key="from" address={from} />],
        ["To", to.length > 0 ? list(to) : "Nobody openly"],
        ...(cc ? ([["Cc", list(cc)]] as const) : []),
        ...(bcc ? ([["Bcc", list(bcc)]] as const) : []),
        ...(reply_to ? ([["Reply-To", list(reply_to)]] as const) : []),
        ...(headers.length > 0
          ? ([["Further header fields", <Fields key="headers" fields={headers} />]] as const)
          : []),
        [
          "Kind",
          <span key="kind">
            {kinds[type]},{" "}
            <Link to="/inbox/$agent/thread/$id" params={{ agent: agent_id, id: conversation_id }} className="link">
              in this conversation
            </Link>
          </span>,
        ],
      ]}
    />
  );
}

function Fields({ fields }: { fields: NonNullable<Outbound["headers"]> }) {
  return (
    <ul className="flex flex-col gap-1">
      {fields.map(({ name, value }, n) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: fields may repeat, and their order never changes.
        <li key={n} className="font-mono text-xs wrap-anywhere">
          <Untrusted text={`${name}: ${value}`} />
        </li>
      ))}
    </ul>
  );
}

function Body({ message, source }: { message: Outbound; source: string }) {
  const { body_html: html, body_text: text = "" } = message;
  const [tab, setTab] = useState(html === undefined ? "text" : "html");
  const plain = text.trim() === "" ? <p className="text-sm text-muted">No text.</p> : <MailText text={text} />;
  if (html === undefined) return <section aria-label="Text">{plain}</section>;
  const tabs: Tab[] = [
    { value: "html", label: "HTML", content: <MailFrame source={`${source}/html`} html={html} /> },
    { value: "text", label: "Text", content: plain },
    {
      value: "source",
      label: "HTML source",
      content: (
        <section aria-label="HTML source" className="rounded-lg border border-line bg-sunken">
          {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a scrollable region must be reachable by keyboard. */}
          <pre tabIndex={0} className="max-h-[60vh] overflow-auto p-3 font-mono text-xs whitespace-pre-wrap">
            <Untrusted text={html} lines />
          </pre>
        </section>
      ),
    },
  ];
  return <Tabs label="What it says" tabs={tabs} value={tab} onChange={setTab} />;
}
