import { type FormEvent, useState } from "react";
import { useAgents } from "../api/agents.ts";
import { useCreateKey } from "../api/api-keys.ts";
import { ApiError } from "../api/problem.ts";
import { Button } from "../ui/button.tsx";
import { CodeBlock } from "../ui/copy.tsx";
import { Dialog } from "../ui/dialog.tsx";
import { Field, Select, TextInput } from "../ui/field.tsx";
import { ErrorNote } from "../ui/states.tsx";
import { ShownOnce } from "./once.tsx";

const DAY_MS = 24 * 3_600_000;
const lifetimes = [
  ["", "Never"],
  ["7", "In 7 days"],
  ["30", "In 30 days"],
  ["90", "In 90 days"],
  ["365", "In a year"],
  ["exact", "On a date"],
] as const;

/** Makes a key, and shows it this one time. */
export function NewKeyDialog({ onClose }: { onClose: () => void }) {
  const agents = useAgents();
  const create = useCreateKey();
  const [name, setName] = useState("");
  const [scope, setScope] = useState<"agent" | "account">("agent");
  const [chosen, setChosen] = useState("");
  const [lifetime, setLifetime] = useState("90");
  const [day, setDay] = useState("");
  // Fixed while the dialog is open: after a lost answer, the repeated request must be the same one.
  const [openedMs] = useState(() => Date.now());
  const agent = chosen || agents.data?.[0]?.email || "";
  const problem = create.error instanceof ApiError ? create.error : null;
  const named = ["name", "scope", "agent", "expires_at"];

  const expiry = (): string | undefined => {
    if (lifetime === "") return undefined;
    return lifetime === "exact"
      ? new Date(`${day}T00:00`).toISOString()
      : new Date(openedMs + Number(lifetime) * DAY_MS).toISOString();
  };
  const submit = (event: FormEvent) => {
    event.preventDefault();
    const expires_at = expiry();
    create.mutate({
      name: name.trim(),
      scope,
      ...(scope === "agent" && { agent }),
      ...(expires_at && { expires_at }),
    });
  };

  if (create.data)
    return (
      <ShownOnce title="The new key" secret={create.data.key} onClose={onClose}>
        <p>Programs send it with each request:</p>
        <CodeBlock
          code={`export E2A_URL=${location.origin}\nexport E2A_API_KEY=${create.data.key}`}
          label="environment"
          wrap
        />
      </ShownOnce>
    );
  return (
    <Dialog
      open
      onOpenChange={(open) => !open && onClose()}
      title="New API key"
      footer={
        <>
          <Button onClick={onClose}>Cancel</Button>
          <Button
            type="submit"
            form="key"
            variant="primary"
            busy={create.isPending}
            disabled={name.trim() === "" || (scope === "agent" && agent === "") || (lifetime === "exact" && day === "")}
          >
            Create key
          </Button>
        </>
      }
    >
      <form id="key" className="flex flex-col gap-5" onSubmit={submit} noValidate>
        <Field label="Purpose" error={problem?.field("name")}>
          {(control) => (
            <TextInput
              {...control}
              maxLength={100}
              placeholder="support bot on the VPS"
              value={name}
              onChange={(event) => setName(event.target.value)}
            />
          )}
        </Field>
        <Field
          label="Access"
          error={problem?.field("scope")}
          hint={
            scope === "agent"
              ? "That agent’s inbox, and sending mail from it. The key can never approve mail or change the agent’s gate."
              : "Everything in the account, including approvals. For you and your tools, not for an agent."
          }
        >
          {(control) => (
            <Select {...control} value={scope} onChange={(event) => setScope(event.target.value as typeof scope)}>
              <option value="agent">One agent</option>
              <option value="account">The whole account</option>
            </Select>
          )}
        </Field>
        {scope === "agent" && (
          <Field
            label="Agent"
            error={problem?.field("agent")}
            hint={
              agents.data?.length === 0 && "There are no agents yet. Create one first, or create a key for the account."
            }
          >
            {(control) => (
              <Select {...control} value={agent} onChange={(event) => setChosen(event.target.value)}>
                {agents.data?.map(({ email }) => (
                  <option key={email}>{email}</option>
                ))}
              </Select>
            )}
          </Field>
        )}
        <Field label="It ends" error={problem?.field("expires_at")}>
          {(control) => (
            <Select {...control} value={lifetime} onChange={(event) => setLifetime(event.target.value)}>
              {lifetimes.map(([value, words]) => (
                <option key={value} value={value}>
                  {words}
                </option>
              ))}
            </Select>
          )}
        </Field>
        {lifetime === "exact" && (
          <Field label="Day">
            {(control) => (
              <TextInput {...control} type="date" value={day} onChange={(event) => setDay(event.target.value)} />
            )}
          </Field>
        )}
        {problem && !named.some((field) => problem.field(field)) && <ErrorNote error={problem} />}
      </form>
    </Dialog>
  );
}
