import { useNavigate } from "@tanstack/react-router";
import { type FormEvent, useState } from "react";
import { useChangeAgent, useDeleteAgent } from "../api/agents.ts";
import type { Agent } from "../api/client.ts";
import { ApiError } from "../api/problem.ts";
import { Button } from "../ui/button.tsx";
import { ConfirmDialog } from "../ui/dialog.tsx";
import { Field, Select, Switch, TextInput } from "../ui/field.tsx";
import { Card } from "../ui/page.tsx";
import { ErrorNote } from "../ui/states.tsx";
import { toast, toastError } from "../ui/toast.tsx";

const undoChoices = [0, 5, 10, 30, 60, 120];

/** An agent's settings: name, delivery, pause, time to undo, deletion. */
export function SettingsPanel({ agent }: { agent: Agent }) {
  const change = useChangeAgent(agent.email);
  return (
    <div className="flex flex-col gap-4">
      <DetailsForm key={JSON.stringify([agent.name, agent.agent_mode, agent.webhook_url])} agent={agent} />
      <Card title="Sending">
        <div className="flex flex-col gap-4">
          <Switch
            label="Pause"
            hint="Outbound mail and deliveries wait, in order. Inbound mail is still received."
            checked={agent.paused}
            onChange={(paused) => change.mutate({ paused }, { onError: toastError })}
          />
          <Field label="Time to undo" hint="How long each message can be cancelled before it leaves.">
            {(control) => (
              <Select
                {...control}
                className="max-w-40"
                value={agent.undo_seconds}
                onChange={(event) =>
                  change.mutate({ undo_seconds: Number(event.target.value) }, { onError: toastError })
                }
              >
                {[...new Set([...undoChoices, agent.undo_seconds])]
                  .sort((a, b) => a - b)
                  .map((seconds) => (
                    <option key={seconds} value={seconds}>
                      {seconds === 0 ? "None" : `${seconds} seconds`}
                    </option>
                  ))}
              </Select>
            )}
          </Field>
        </div>
      </Card>
      <Deletion agent={agent} />
    </div>
  );
}

function DetailsForm({ agent }: { agent: Agent }) {
  const change = useChangeAgent(agent.email);
  const [name, setName] = useState(agent.name);
  const [mode, setMode] = useState(agent.agent_mode);
  const [webhook, setWebhook] = useState(agent.webhook_url);
  const problem = change.error instanceof ApiError ? change.error : null;
  const dirty = name !== agent.name || mode !== agent.agent_mode || webhook !== agent.webhook_url;
  const submit = (event: FormEvent) => {
    event.preventDefault();
    change.mutate(
      {
        ...(name !== agent.name && { name }),
        ...(mode !== agent.agent_mode && { agent_mode: mode }),
        ...(webhook !== agent.webhook_url && { webhook_url: webhook.trim() }),
      },
      { onSuccess: () => toast("Saved") },
    );
  };
  return (
    <Card title="Details">
      <form className="flex max-w-lg flex-col gap-4" onSubmit={submit} noValidate>
        <Field label="Name" optional error={problem?.field("name")}>
          {(control) => <TextInput {...control} value={name} onChange={(event) => setName(event.target.value)} />}
        </Field>
        <Field label="Mail arrives by" error={problem?.field("agent_mode")}>
          {(control) => (
            <Select {...control} value={mode} onChange={(event) => setMode(event.target.value as Agent["agent_mode"])}>
              <option value="local">WebSocket or long-poll</option>
              <option value="cloud">Webhook</option>
            </Select>
          )}
        </Field>
        {mode === "cloud" && (
          <Field label="Webhook URL" error={problem?.field("webhook_url")}>
            {(control) => (
              <TextInput {...control} type="url" value={webhook} onChange={(event) => setWebhook(event.target.value)} />
            )}
          </Field>
        )}
        {problem && problem.errors.length === 0 && <ErrorNote error={problem} />}
        <div>
          <Button type="submit" variant="primary" busy={change.isPending} disabled={!dirty}>
            Save
          </Button>
        </div>
      </form>
    </Card>
  );
}

function Deletion({ agent }: { agent: Agent }) {
  const [asking, setAsking] = useState(false);
  const [typed, setTyped] = useState("");
  const remove = useDeleteAgent(agent.email);
  const navigate = useNavigate();
  return (
    <Card
      title="Delete this agent"
      description="Its mail, keys and settings are deleted with it. This cannot be undone."
    >
      <Button variant="danger" onClick={() => setAsking(true)}>
        Delete agent
      </Button>
      <ConfirmDialog
        open={asking}
        onOpenChange={setAsking}
        title={`Delete ${agent.email}?`}
        action="Delete agent"
        run={async () => {
          if (typed.trim().toLowerCase() !== agent.email)
            throw new ApiError({ status: 0, code: "not_confirmed", detail: "That is not the agent’s address." });
          await remove.mutateAsync();
          toast(`${agent.email} is deleted`);
          await navigate({ to: "/agents" });
        }}
      >
        <p>All its received and sent mail is deleted. Mail to it is refused from then on.</p>
        <Field label={`Type ${agent.email} to confirm`}>
          {(control) => (
            <TextInput
              {...control}
              autoComplete="off"
              value={typed}
              onChange={(event) => setTyped(event.target.value)}
            />
          )}
        </Field>
      </ConfirmDialog>
    </Card>
  );
}
