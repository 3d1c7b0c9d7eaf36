import { type FormEvent, useState } from "react";
import { useRedeliverSince } from "../api/deliveries.ts";
import { Button } from "../ui/button.tsx";
import { Dialog } from "../ui/dialog.tsx";
import { Field, Select, TextInput } from "../ui/field.tsx";
import { ErrorNote } from "../ui/states.tsx";
import { toast } from "../ui/toast.tsx";

const HOUR_MS = 3_600_000;
const spans = [
  [HOUR_MS, "The last hour"],
  [24 * HOUR_MS, "The last day"],
  [3 * 24 * HOUR_MS, "The last 3 days"],
  [7 * 24 * HOUR_MS, "The last week"],
] as const;

/** Delivers again all that was given up since a time. */
export function RedeliverDialog({
  endpoint,
  endpointName,
  agent,
  onClose,
}: {
  endpoint: string | undefined;
  /** What people know it by. */
  endpointName: string | undefined;
  agent: string | undefined;
  onClose: () => void;
}) {
  const redeliver = useRedeliverSince();
  const [span, setSpan] = useState(String(24 * HOUR_MS));
  const [exact, setExact] = useState("");
  const since = span === "exact" ? exact && new Date(exact).toISOString() : null;

  const submit = async (event: FormEvent) => {
    event.preventDefault();
    const total = await redeliver.mutateAsync({
      since: since || new Date(Date.now() - Number(span)).toISOString(),
      ...(endpoint && { webhook: endpoint }),
      ...(agent && { agent }),
    });
    toast(
      total === 0
        ? "Nothing had failed since then"
        : total === 1
          ? "1 is delivered again"
          : `${total} are delivered again`,
    );
    onClose();
  };

  return (
    <Dialog
      open
      onOpenChange={(open) => !open && onClose()}
      title="Deliver again what failed"
      description={
        endpoint || agent
          ? `What was given up${endpoint ? ` to ${endpointName ?? endpoint}` : ""}${agent ? ` about ${agent}` : ""}.`
          : "What was given up, to all endpoints."
      }
      footer={
        <>
          <Button onClick={onClose}>Cancel</Button>
          <Button
            type="submit"
            form="redeliver"
            variant="primary"
            busy={redeliver.isPending}
            disabled={span === "exact" && !since}
          >
            Deliver again
          </Button>
        </>
      }
    >
      <form id="redeliver" className="flex flex-col gap-4" onSubmit={(event) => void submit(event).catch(() => {})}>
        <Field label="Given up in" hint="The event’s id stays the same, so a receiver drops what it has seen already.">
          {(control) => (
            <Select {...control} value={span} onChange={(event) => setSpan(event.target.value)}>
              {spans.map(([ms, words]) => (
                <option key={ms} value={ms}>
                  {words}
                </option>
              ))}
              <option value="exact">Since a time</option>
            </Select>
          )}
        </Field>
        {span === "exact" && (
          <Field label="Since">
            {(control) => (
              <TextInput
                {...control}
                type="datetime-local"
                value={exact}
                onChange={(event) => setExact(event.target.value)}
              />
            )}
          </Field>
        )}
        {redeliver.error && <ErrorNote error={redeliver.error} />}
      </form>
    </Dialog>
  );
}
