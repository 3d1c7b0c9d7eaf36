import { useNavigate } from "@tanstack/react-router";
import { type FormEvent, useState } from "react";
import { useInfo } from "../api/account.ts";
import { useCreateAgent } from "../api/agents.ts";
import { useDomains } from "../api/domains.ts";
import { ApiError } from "../api/problem.ts";
import { Button } from "../ui/button.tsx";
import { Field, Select, TextInput } from "../ui/field.tsx";
import { Card, Page } from "../ui/page.tsx";
import { ErrorNote } from "../ui/states.tsx";

/** Makes an agent in one step. */
export function NewAgentPage() {
  const navigate = useNavigate();
  const info = useInfo();
  const domains = useDomains();
  const create = useCreateAgent();
  const shared = info.data?.shared_domain ?? "";
  const own = (domains.data ?? []).filter(({ verified, domain }) => verified && domain !== shared);
  const [local, setLocal] = useState("");
  const [domain, setDomain] = useState<string | null>(null);
  const [name, setName] = useState("");
  const [mode, setMode] = useState<"local" | "cloud">("local");
  const [webhook, setWebhook] = useState("");
  const chosen = domain ?? shared;
  const problem = create.error instanceof ApiError ? create.error : null;
  const fields = ["slug", "email", "name", "webhook_url"];

  const submit = async (event: FormEvent) => {
    event.preventDefault();
    const agent = await create.mutateAsync({
      // A slug is an address at the shared domain, whose name may not be loaded yet.
      ...(domain === null || domain === shared ? { slug: local.trim() } : { email: `${local.trim()}@${domain}` }),
      ...(name.trim() && { name: name.trim() }),
      agent_mode: mode,
      ...(mode === "cloud" && { webhook_url: webhook.trim() }),
    });
    void navigate({ to: "/agents/$email", params: { email: agent.email }, search: { created: true } });
  };

  return (
    <Page title="New agent" description="It can receive mail as soon as it exists.">
      <div className="max-w-2xl">
        <Card>
          <form className="flex flex-col gap-5" onSubmit={(event) => void submit(event).catch(() => {})} noValidate>
            <Field
              label="Address"
              error={problem?.field("slug") ?? problem?.field("email")}
              hint="Lower-case letters, digits and hyphens."
            >
              {(control) => (
                <div className="flex items-center gap-1.5">
                  <TextInput
                    {...control}
                    autoFocus
                    required
                    value={local}
                    onChange={(event) => setLocal(event.target.value)}
                    placeholder="support-bot"
                    autoComplete="off"
                    autoCapitalize="none"
                    spellCheck={false}
                  />
                  <span className="text-muted">@</span>
                  {own.length === 0 ? (
                    <span className="shrink-0 text-sm">{shared}</span>
                  ) : (
                    <Select aria-label="Domain" value={chosen} onChange={(event) => setDomain(event.target.value)}>
                      {[shared, ...own.map((one) => one.domain)].map((one) => (
                        <option key={one}>{one}</option>
                      ))}
                    </Select>
                  )}
                </div>
              )}
            </Field>
            <Field label="Name" optional error={problem?.field("name")} hint="Shown next to the address in its mail.">
              {(control) => <TextInput {...control} value={name} onChange={(event) => setName(event.target.value)} />}
            </Field>
            <fieldset className="flex flex-col gap-2">
              <legend className="pb-1.5 text-sm font-medium">How its mail reaches your code</legend>
              <Choice
                name="mode"
                checked={mode === "local"}
                onChoose={() => setMode("local")}
                label="Your code fetches it"
                hint="By WebSocket or long-poll, from anywhere, without a public address."
              />
              <Choice
                name="mode"
                checked={mode === "cloud"}
                onChoose={() => setMode("cloud")}
                label="We call your webhook"
                hint="Each message is posted to your HTTPS address, signed, and tried again for three days."
              />
            </fieldset>
            {mode === "cloud" && (
              <Field label="Webhook URL" error={problem?.field("webhook_url")}>
                {(control) => (
                  <TextInput
                    {...control}
                    type="url"
                    required
                    value={webhook}
                    onChange={(event) => setWebhook(event.target.value)}
                    placeholder="https://example.com/mail"
                  />
                )}
              </Field>
            )}
            {create.error && !fields.some((field) => problem?.field(field)) && <ErrorNote error={create.error} />}
            <div>
              <Button type="submit" variant="primary" busy={create.isPending} disabled={local.trim() === ""}>
                Create agent
              </Button>
            </div>
          </form>
        </Card>
      </div>
    </Page>
  );
}

function Choice(props: { name: string; checked: boolean; onChoose: () => void; label: string; hint: string }) {
  return (
    <label className="flex cursor-pointer items-start gap-2.5 rounded-lg border border-line p-3 has-checked:border-accent has-checked:bg-selected">
      <input
        type="radio"
        name={props.name}
        checked={props.checked}
        onChange={props.onChoose}
        className="mt-0.5 accent-accent"
      />
      <span className="flex flex-col">
        <span className="text-sm font-medium">{props.label}</span>
        <span className="text-xs text-muted">{props.hint}</span>
      </span>
    </label>
  );
}
