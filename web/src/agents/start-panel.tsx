import { useMutation } from "@tanstack/react-query";
import { KeyRound } from "lucide-react";
import { useState } from "react";
import { useMe } from "../api/account.ts";
import { type Agent, api, ok } from "../api/client.ts";
import { Button } from "../ui/button.tsx";
import { CodeBlock } from "../ui/copy.tsx";
import { Marked } from "../ui/marked.tsx";
import { Card } from "../ui/page.tsx";
import { ErrorNote } from "../ui/states.tsx";
import { Tabs } from "../ui/tabs.tsx";
import { snippets } from "./snippets.ts";

/** Sample programs that use the agent. On request it makes a key for them. */
export function StartPanel({ agent }: { agent: Agent }) {
  const [language, setLanguage] = useState("curl");
  const me = useMe();
  const key = useMutation({
    mutationFn: () =>
      ok(
        api.POST("/api/v1/keys", { body: { name: `${agent.email}: first steps`, scope: "agent", agent: agent.email } }),
      ),
  });
  const all = snippets({
    url: location.origin,
    agent: agent.email,
    key: key.data?.key ?? null,
    to: me.data?.email ?? "you@example.com",
  });

  return (
    <Card
      title="Use it from a program"
      description="Each of these programs runs as it is, once it has a key."
      actions={
        !key.data && (
          <Button size="sm" icon={KeyRound} busy={key.isPending} onClick={() => key.mutate()}>
            Make a key and fill it in
          </Button>
        )
      }
    >
      <div className="flex flex-col gap-4">
        {key.error && <ErrorNote error={key.error} />}
        {key.data && (
          <p role="status" className="rounded-lg bg-ok-soft px-3 py-2 text-sm text-ok">
            This key works only for {agent.email}. It is in the code below and is not shown again.
          </p>
        )}
        <Tabs
          label="Language"
          value={language}
          onChange={setLanguage}
          tabs={all.map(({ id, label, run, code }) => ({
            value: id,
            label,
            content: (
              <div className="flex flex-col gap-2">
                <p className="text-xs text-muted">
                  <Marked text={run} />
                </p>
                <CodeBlock code={code} label={`${label} code`} />
              </div>
            ),
          }))}
        />
      </div>
    </Card>
  );
}
