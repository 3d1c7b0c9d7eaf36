import { useEffect, useState } from "react";
import { type AgentChange, useChangeAgent } from "../api/agents.ts";
import type { Agent } from "../api/client.ts";
import { ApiError } from "../api/problem.ts";
import { Button } from "../ui/button.tsx";
import { Checkbox, Field, Select, Switch, TextArea, TextInput } from "../ui/field.tsx";
import { Card } from "../ui/page.tsx";
import { ErrorNote } from "../ui/states.tsx";
import { toast, toastError } from "../ui/toast.tsx";

type Rules = NonNullable<Agent["hitl_rules"]>;

const switches = [
  ["outside", "Leaves this account", "A recipient is not an agent of this account."],
  ["first_time", "Somebody new", "The agent has never written to a recipient or received verified mail from them."],
  ["attachments", "Attachments", "The message has attachments."],
  ["new_links", "New links", "A link leads to a host that a recipient has not seen in the conversation."],
  ["unverified", "Unproven senders", "The conversation or a recipient has mail from an unverified sender."],
  ["unsearched", "Unsearched parts", "A part is binary, encrypted or too large to search for words and links."],
] as const;

const HOUR_SECONDS = 3_600;
const ttlChoices = [
  [HOUR_SECONDS, "1 hour"],
  [4 * HOUR_SECONDS, "4 hours"],
  [24 * HOUR_SECONDS, "1 day"],
  [3 * 24 * HOUR_SECONDS, "3 days"],
  [7 * 24 * HOUR_SECONDS, "1 week"],
] as const;

/** Which of the agent's mail waits for approval, and what happens to it then. */
export function GatePanel({ agent }: { agent: Agent }) {
  const change = useChangeAgent(agent.email);
  const set = (body: AgentChange) => change.mutate(body, { onError: toastError });
  const known = ttlChoices.some(([seconds]) => seconds === agent.hitl_ttl_seconds);

  return (
    <div className="flex flex-col gap-4">
      <Card>
        <Switch
          label="A person approves outbound mail"
          hint="Held mail waits under Approvals. The agent is told that it waits, and why."
          checked={agent.hitl_enabled}
          onChange={(hitl_enabled) => set({ hitl_enabled })}
        />
      </Card>
      {agent.hitl_enabled && (
        <>
          <RulesForm key={JSON.stringify([agent.hitl_rules, agent.hitl_allow])} agent={agent} />
          <Card title="If no one decides">
            <div className="grid max-w-lg gap-4 sm:grid-cols-2">
              <Field label="Wait for">
                {(control) => (
                  <Select
                    {...control}
                    value={agent.hitl_ttl_seconds}
                    onChange={(event) => set({ hitl_ttl_seconds: Number(event.target.value) })}
                  >
                    {!known && <option value={agent.hitl_ttl_seconds}>{agent.hitl_ttl_seconds} seconds</option>}
                    {ttlChoices.map(([seconds, label]) => (
                      <option key={seconds} value={seconds}>
                        {label}
                      </option>
                    ))}
                  </Select>
                )}
              </Field>
              <Field label="Then" hint="Mail that the loop breaker holds is never sent automatically.">
                {(control) => (
                  <Select
                    {...control}
                    value={agent.hitl_expiration_action}
                    onChange={(event) => set({ hitl_expiration_action: event.target.value as "approve" | "reject" })}
                  >
                    <option value="reject">Reject it</option>
                    <option value="approve">Send it</option>
                  </Select>
                )}
              </Field>
            </div>
          </Card>
          <ReviewersForm key={agent.hitl_reviewers.join()} agent={agent} />
        </>
      )}
    </div>
  );
}

/** The entries of a text, one per line or separated by commas: trimmed, without empty ones. */
const linesOf = (text: string) =>
  text
    .split(/[\n,]/)
    .map((line) => line.trim())
    .filter(Boolean);

function RulesForm({ agent }: { agent: Agent }) {
  const change = useChangeAgent(agent.email);
  const [rules, setRules] = useState<Rules>(agent.hitl_rules ?? {});
  const [some, setSome] = useState(agent.hitl_rules !== null);
  const [patterns, setPatterns] = useState((agent.hitl_rules?.patterns ?? []).join("\n"));
  const [allow, setAllow] = useState(agent.hitl_allow.join("\n"));
  const [dirty, setDirty] = useState(false);
  const problem = change.error instanceof ApiError ? change.error : null;
  const about = (start: string) => problem?.errors.find(({ field }) => field.startsWith(start))?.message;
  const update = (next: Rules) => {
    setRules(next);
    setDirty(true);
  };

  const save = () => {
    const { patterns: _, ...rest } = rules;
    const wanted: Rules = { ...rest, ...(linesOf(patterns).length > 0 && { patterns: linesOf(patterns) }) };
    const hitl_rules = some && Object.keys(wanted).length > 0 ? wanted : null;
    change.mutate({ hitl_rules, hitl_allow: linesOf(allow) }, { onSuccess: () => toast("The gate’s rules are saved") });
  };

  return (
    <Card title="What is held">
      <div className="flex flex-col gap-4">
        <Field
          label="Hold"
          hint={
            some ? "A message is held if it matches any of these. Without a rule, every message is held." : undefined
          }
        >
          {(control) => (
            <Select
              {...control}
              className="max-w-72"
              value={some ? "some" : "all"}
              onChange={(event) => {
                setSome(event.target.value === "some");
                setDirty(true);
              }}
            >
              <option value="all">Every message</option>
              <option value="some">Messages that match a rule</option>
            </Select>
          )}
        </Field>
        {some && (
          <div className="flex flex-col gap-3 border-l-2 border-line pl-4">
            {switches.map(([name, label, hint]) => (
              <Checkbox
                key={name}
                label={label}
                hint={hint}
                checked={rules[name] ?? false}
                onChange={({ target }) => {
                  const { [name]: _, ...rest } = rules;
                  update(target.checked ? { ...rest, [name]: true } : rest);
                }}
              />
            ))}
            <Field label="More recipients than" optional error={about("hitl_rules.max_recipients")}>
              {(control) => (
                <TextInput
                  {...control}
                  type="number"
                  min={1}
                  className="max-w-28"
                  value={rules.max_recipients ?? ""}
                  onChange={({ target }) => {
                    const { max_recipients: _, ...rest } = rules;
                    update(target.value === "" ? rest : { ...rest, max_recipients: Number(target.value) });
                  }}
                />
              )}
            </Field>
            <Field
              label="Words"
              optional
              error={about("hitl_rules.patterns")}
              hint="One pattern per line; * matches anything. `secrets` matches text that looks like a key or a password."
            >
              {(control) => (
                <TextArea
                  {...control}
                  rows={3}
                  value={patterns}
                  onChange={({ target }) => {
                    setPatterns(target.value);
                    setDirty(true);
                  }}
                />
              )}
            </Field>
          </div>
        )}
        <Field
          label="Never held when all recipients are on this list"
          optional
          error={about("hitl_allow")}
          hint="One address or domain per line."
        >
          {(control) => (
            <TextArea
              {...control}
              rows={3}
              value={allow}
              onChange={({ target }) => {
                setAllow(target.value);
                setDirty(true);
              }}
            />
          )}
        </Field>
        {change.error && <ErrorNote error={change.error} />}
        <div>
          <Button variant="primary" busy={change.isPending} disabled={!dirty} onClick={save}>
            Save rules
          </Button>
        </div>
      </div>
    </Card>
  );
}

function ReviewersForm({ agent }: { agent: Agent }) {
  const change = useChangeAgent(agent.email);
  const [text, setText] = useState(agent.hitl_reviewers.join("\n"));
  const saved = agent.hitl_reviewers.join("\n");
  useEffect(() => setText(saved), [saved]);
  const problem = change.error instanceof ApiError ? change.error : null;
  return (
    <Card title="Notifications">
      <div className="flex flex-col gap-4">
        <Switch
          label="Mail about held messages"
          hint="To the account’s own address, with links that approve or reject."
          checked={agent.hitl_notify_email}
          onChange={(hitl_notify_email) => change.mutate({ hitl_notify_email }, { onError: toastError })}
        />
        <Field
          label="Also to"
          optional
          error={problem?.errors.find(({ field }) => field.startsWith("hitl_reviewers"))?.message}
          hint="One address per line, at most five, not on this server."
        >
          {(control) => (
            <TextArea {...control} rows={2} value={text} onChange={(event) => setText(event.target.value)} />
          )}
        </Field>
        <div>
          <Button
            busy={change.isPending}
            disabled={linesOf(text).join("\n") === saved}
            onClick={() =>
              change.mutate({ hitl_reviewers: linesOf(text) }, { onSuccess: () => toast("Reviewers are saved") })
            }
          >
            Save reviewers
          </Button>
        </div>
      </div>
    </Card>
  );
}
