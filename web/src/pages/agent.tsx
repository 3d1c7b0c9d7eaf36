import { useQuery } from "@tanstack/react-query";
import { getRouteApi, Link } from "@tanstack/react-router";
import { CircleCheck, Inbox, Send } from "lucide-react";
import { GatePanel } from "../agents/gate-panel.tsx";
import { SettingsPanel } from "../agents/settings-panel.tsx";
import { StartPanel } from "../agents/start-panel.tsx";
import { agentQuery, useTestAgent } from "../api/agents.ts";
import type { Agent } from "../api/client.ts";
import { Button, buttonClass } from "../ui/button.tsx";
import { CopyValue } from "../ui/copy.tsx";
import { Page } from "../ui/page.tsx";
import { Loaded } from "../ui/states.tsx";
import { Tabs } from "../ui/tabs.tsx";
import { toast, toastError } from "../ui/toast.tsx";
import { AgentState } from "./agents.tsx";

const route = getRouteApi("/agents/$email");

/** One agent: how to use it, which of its mail is held, its settings. */
export function AgentPage() {
  const { email } = route.useParams();
  const { tab = "start", created } = route.useSearch();
  const navigate = route.useNavigate();
  const agent = useQuery(agentQuery(email));
  const test = useTestAgent(email);

  return (
    <Page
      title={email}
      description={agent.data?.name}
      actions={
        <>
          <Button
            icon={Send}
            busy={test.isPending}
            onClick={() =>
              test.mutate(undefined, {
                onSuccess: () => toast("A test mail is in its inbox"),
                onError: toastError,
              })
            }
          >
            Send a test mail
          </Button>
          <Link to="/inbox" search={{ agent: email }} className={buttonClass()}>
            <Inbox aria-hidden className="size-4" /> Inbox
          </Link>
        </>
      }
    >
      <Loaded query={agent}>
        {(data) => (
          <>
            {created && <Created agent={data} />}
            <div className="flex flex-wrap items-center gap-3">
              <AgentState agent={data} />
              <CopyValue value={data.email} label="Copy the address" />
            </div>
            <Tabs
              label="Agent"
              value={tab}
              onChange={(next) => void navigate({ search: { tab: next as typeof tab }, replace: true })}
              tabs={[
                { value: "start", label: "Use it", content: <StartPanel agent={data} /> },
                { value: "gate", label: "Gate", content: <GatePanel agent={data} /> },
                { value: "settings", label: "Settings", content: <SettingsPanel agent={data} /> },
              ]}
            />
          </>
        )}
      </Loaded>
    </Page>
  );
}

function Created({ agent }: { agent: Agent }) {
  return (
    <div role="status" className="flex items-start gap-3 rounded-xl bg-ok-soft px-4 py-3 text-sm text-ok">
      <CircleCheck aria-hidden className="mt-0.5 size-4 shrink-0" />
      <p>
        <strong className="font-semibold">{agent.email} is ready.</strong> Send it a test mail, or run one of the
        programs below and write to it.
      </p>
    </div>
  );
}
