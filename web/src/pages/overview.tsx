import { Link } from "@tanstack/react-router";
import { Bot } from "lucide-react";
import { useAgents } from "../api/agents.ts";
import { buttonClass } from "../ui/button.tsx";
import { Page } from "../ui/page.tsx";
import { EmptyState, Loaded } from "../ui/states.tsx";

export function OverviewPage() {
  const agents = useAgents();
  return (
    <Page title="Overview" wide>
      <Loaded query={agents}>
        {(all) => (
          <EmptyState
            icon={Bot}
            title={`${all.length} agents`}
            action={
              <Link to="/agents" className={buttonClass("primary")}>
                Agents
              </Link>
            }
          />
        )}
      </Loaded>
    </Page>
  );
}
