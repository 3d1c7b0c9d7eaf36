import { type FormEvent, useState } from "react";
import { type EventType, eventTypes } from "../../../src/wire/event-types.ts";
import { useAgents } from "../api/agents.ts";
import type { Webhook } from "../api/client.ts";
import { ApiError } from "../api/problem.ts";
import type { NewWebhook } from "../api/webhooks.ts";
import { eventWords } from "../events/words.ts";
import { Button } from "../ui/button.tsx";
import { Dialog } from "../ui/dialog.tsx";
import { Checkbox, Field, Select, TextInput } from "../ui/field.tsx";
import { ErrorNote } from "../ui/states.tsx";

/** The types that a webhook can choose. Every webhook receives test events. */
const choosable = eventTypes.filter((type) => type !== "webhook.test");

/** The form that makes or changes a webhook. */
export function WebhookForm({
  webhook,
  save,
  onClose,
}: {
  /** The webhook to change; absent for a new one. */
  webhook?: Webhook;
  /** Rejects with the server's error. */
  save: (wanted: Required<NewWebhook>) => Promise<unknown>;
  onClose: () => void;
}) {
  const agents = useAgents();
  const [url, setUrl] = useState(webhook?.url ?? "");
  const [description, setDescription] = useState(webhook?.description ?? "");
  const [types, setTypes] = useState<EventType[]>(webhook?.events ?? []);
  const [some, setSome] = useState((webhook?.events.length ?? 0) > 0);
  const [about, setAbout] = useState<string[]>(webhook?.agents ?? []);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>(null);
  const problem = error instanceof ApiError ? error : null;
  const complaint = (name: string) => problem?.errors.find(({ field }) => field.startsWith(name))?.message;
  const shown = ["url", "events", "agents", "description"];

  const submit = async (event: FormEvent) => {
    event.preventDefault();
    setBusy(true);
    setError(null);
    try {
      await save({
        url: url.trim(),
        description: description.trim(),
        events: some ? types : [],
        agents: about,
      });
      onClose();
    } catch (failure) {
      setError(failure);
    } finally {
      setBusy(false);
    }
  };

  return (
    <Dialog
      open
      onOpenChange={(open) => !open && onClose()}
      title={webhook ? "Change the webhook" : "New webhook"}
      description="Each event is posted to it as signed JSON, and retried for three days."
      wide
      footer={
        <>
          <Button onClick={onClose}>Cancel</Button>
          <Button
            type="submit"
            form="webhook"
            variant="primary"
            busy={busy}
            disabled={url.trim() === "" || (some && types.length === 0)}
          >
            {webhook ? "Save changes" : "Create webhook"}
          </Button>
        </>
      }
    >
      <form id="webhook" className="flex flex-col gap-5" onSubmit={(event) => void submit(event)} noValidate>
        <Field label="URL" error={complaint("url")} hint="https, and reachable from this server.">
          {(control) => (
            <TextInput
              {...control}
              type="url"
              placeholder="https://hooks.example.com/e2a"
              value={url}
              onChange={(event) => setUrl(event.target.value)}
            />
          )}
        </Field>
        <Field label="Purpose" optional error={complaint("description")}>
          {(control) => (
            <TextInput {...control} value={description} onChange={(event) => setDescription(event.target.value)} />
          )}
        </Field>
        <Field label="Events" error={complaint("events")}>
          {(control) => (
            <Select
              {...control}
              className="max-w-72"
              value={some ? "some" : "all"}
              onChange={(event) => setSome(event.target.value === "some")}
            >
              <option value="all">All, including future types</option>
              <option value="some">Only these</option>
            </Select>
          )}
        </Field>
        {some && (
          <fieldset className="grid gap-x-6 gap-y-2.5 border-l-2 border-line pl-4 sm:grid-cols-2">
            <legend className="sr-only">Types</legend>
            {choosable.map((type) => (
              <Checkbox
                key={type}
                label={<code className="font-mono text-xs">{type}</code>}
                hint={eventWords[type]}
                checked={types.includes(type)}
                onChange={({ target }) =>
                  setTypes(target.checked ? [...types, type] : types.filter((one) => one !== type))
                }
              />
            ))}
          </fieldset>
        )}
        {(agents.data?.length ?? 0) > 0 && (
          <fieldset className="flex flex-col gap-2">
            <legend className="pb-1.5 text-sm font-medium">
              About <span className="font-normal text-muted">(none chosen: all agents, and what is about none)</span>
            </legend>
            <div className="grid max-h-48 gap-x-6 gap-y-2 overflow-y-auto sm:grid-cols-2">
              {agents.data?.map(({ email }) => (
                <Checkbox
                  key={email}
                  label={email}
                  checked={about.includes(email)}
                  onChange={({ target }) =>
                    setAbout(target.checked ? [...about, email] : about.filter((one) => one !== email))
                  }
                />
              ))}
            </div>
            {complaint("agents") && <p className="text-xs text-bad">{complaint("agents")}</p>}
          </fieldset>
        )}
        {error !== null && !shown.some((name) => complaint(name)) && <ErrorNote error={error} />}
      </form>
    </Dialog>
  );
}
