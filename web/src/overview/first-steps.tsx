import { Link } from "@tanstack/react-router";
import { ChevronRight, X } from "lucide-react";
import { useState } from "react";
import type { Agent, Domain, Overview } from "../api/client.ts";
import { remember, remembered } from "../app/storage.ts";
import { buttonClass, IconButton } from "../ui/button.tsx";
import { cx } from "../ui/cx.ts";
import { Card } from "../ui/page.tsx";

const storageKey = "e2a.first-steps";

interface Step {
  done: boolean;
  title: string;
  text: string;
  to: string;
  action: string;
}

/** The first steps of a new account, shown until all are done or the user hides them. */
export function FirstSteps({
  overview,
  agents,
  domains,
}: {
  overview: Overview;
  agents: readonly Agent[];
  domains: readonly Domain[];
}) {
  const [hidden, setHidden] = useState(() => remembered(storageKey) === "hidden");
  const first = agents.at(-1)?.email;
  const page = first ? `/agents/${encodeURIComponent(first)}` : "/agents/new";
  const received = overview.unread > 0 || overview.volume.some((day) => day.received > 0);
  const sent = overview.volume.some((day) => day.sent > 0);
  const steps: Step[] = [
    {
      done: agents.length > 0,
      title: "Make an agent",
      text: "A name is enough. The agent has an address at once, without any DNS.",
      to: "/agents/new",
      action: "New agent",
    },
    {
      done: received,
      title: "Send it an email",
      text: "Send a test mail with one click, or a mail of your own by SMTP.",
      to: page,
      action: "Open the agent",
    },
    {
      done: sent,
      title: "Let a program reply",
      text: "Copy a few lines of curl, TypeScript or Python that wait for mail and reply.",
      to: page,
      action: "See the code",
    },
    {
      done: agents.some((agent) => agent.hitl_enabled),
      title: "Stay in control",
      text: "An agent’s mail can wait until you have approved it.",
      to: first ? `${page}?tab=gate` : page,
      action: "Set the gate",
    },
  ];
  const left = steps.filter((step) => !step.done);
  const [next] = left;
  if (hidden || !next) return null;
  const domainless = domains.filter((domain) => domain.verification_token !== "").length === 0;

  return (
    <Card
      title="First steps"
      description={`${steps.length - left.length} of ${steps.length} done`}
      actions={
        <IconButton
          icon={X}
          label="Do not show these steps again"
          onClick={() => {
            remember(storageKey, "hidden");
            setHidden(true);
          }}
        />
      }
      flush
    >
      <ol className="mt-2 flex flex-col divide-y divide-line border-t border-line">
        {left.map((step) => (
          <li key={step.title} className={cx("flex items-center gap-3 px-4 py-3", step === next && "bg-selected")}>
            <span className="flex size-6 shrink-0 items-center justify-center rounded-full border border-line-strong text-xs text-muted">
              {steps.indexOf(step) + 1}
            </span>
            <div className="min-w-0 flex-1">
              <p className="text-sm font-medium">{step.title}</p>
              <p className="text-xs text-muted">{step.text}</p>
            </div>
            {(step === next || first !== undefined) && (
              <Link to={step.to} className={buttonClass(step === next ? "primary" : "default", "sm")}>
                {step.action}
                <ChevronRight aria-hidden className="size-3.5" />
              </Link>
            )}
          </li>
        ))}
      </ol>
      {domainless && (
        <p className="border-t border-line px-4 py-2.5 text-xs text-muted">
          Later: add a domain of your own. Once its DNS records are set, agents can have addresses on it.
        </p>
      )}
    </Card>
  );
}
