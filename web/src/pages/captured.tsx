import { useInfiniteQuery } from "@tanstack/react-query";
import { getRouteApi, Link, useMatch } from "@tanstack/react-router";
import { MailX } from "lucide-react";
import { useMemo } from "react";
import { useAgents } from "../api/agents.ts";
import { outboundListQuery } from "../api/outbound.ts";
import { useShortcuts } from "../app/shortcuts.ts";
import { OutboundRow } from "../outbound/outbound-row.tsx";
import { SentMessage } from "../outbound/sent-message.tsx";
import { AgentFilter } from "../ui/agent-filter.tsx";
import { buttonClass } from "../ui/button.tsx";
import { CodeBlock } from "../ui/copy.tsx";
import { PagedList } from "../ui/paged.tsx";
import { Split } from "../ui/split.tsx";
import { EmptyState } from "../ui/states.tsx";

const route = getRouteApi("/captured");
const ROW_PIXELS = 66;

/** Outside mail that a development server without an upstream captured instead of sending. */
export function CapturedPage() {
  const { agent } = route.useSearch();
  const navigate = route.useNavigate();
  const open = useMatch({ from: "/captured/$id", shouldThrow: false })?.params.id;
  const agents = useAgents();
  const sent = useInfiniteQuery(outboundListQuery(agent ? { agent } : {}));
  const captured = useMemo(() => sent.data?.filter(({ method }) => method === "capture"), [sent.data]);
  const search = agent ? { agent } : {};
  const back = () => void navigate({ to: "/captured", search });
  useShortcuts([{ keys: "escape", label: "Back to the list", group: "Captured mail", run: back }]);

  return (
    <Split
      title="Captured mail"
      open={open !== undefined}
      filters={
        <AgentFilter
          agents={agents.data}
          value={agent}
          onChange={(next) => void navigate({ to: "/captured", search: next ? { agent: next } : {}, replace: true })}
        />
      }
      list={
        <PagedList
          label="Captured mail, newest first"
          query={{ ...sent, data: captured } as typeof sent}
          keyOf={({ id }) => id}
          rowHeight={ROW_PIXELS}
          selected={open}
          empty={<NothingCaptured />}
        >
          {(message) => (
            <OutboundRow message={message} to="/captured/$id" showAgent={!agent && (agents.data?.length ?? 0) > 1} />
          )}
        </PagedList>
      }
      detail={open !== undefined && <SentMessage key={open} id={open} back={back} />}
      hint={
        <p className="max-w-sm text-pretty">
          This server has no upstream, so it keeps mail to the outside here instead of sending it. Open a message to see
          what its recipient would have received.
        </p>
      }
    />
  );
}

const upstream = `outbound_smtp:
  host: smtp.example.com
  username: …
  password: …`;

function NothingCaptured() {
  return (
    <EmptyState
      icon={MailX}
      title="Nothing captured"
      action={
        <Link to="/agents" className={buttonClass()}>
          Choose an agent to send from
        </Link>
      }
    >
      <p>
        A development server without an upstream captures mail that agents send to the outside: it appears here and is
        not sent. Mail between agents of this server is still delivered. To send mail, configure an upstream:
      </p>
      <div className="w-full text-left">
        <CodeBlock code={upstream} label="configuration" />
      </div>
    </EmptyState>
  );
}
