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

/** Repeats all deliveries that have failed since a time. */
export function RedeliverDialog({
  endpoint,
  endpointName,
  agent,
  onClose,
}: {
  endpoint: string | undefined;
  /** How users know the endpoint. */
  endpointName: string | undefined;
  agent: string | undefined;
  onClose: () => void;
}) {
  const redeliver = useRedeliverSince();
  const [span, setSpan] = useState(String(24 * HOUR_MS));
  const [exact, setExact] = useState("");
  // Fixed while the dialog is open: after a lost answer, the repeated request must be the same one.
  const [openedMs] = useState(() => Date.now());
  const since = span === "exact" ? exact && new Date(exact).toISOString() : null;

  const submit = async (event: FormEvent) => {
    event.preventDefault();
    const total = await redeliver.mutateAsync({
      since: since || new Date(openedMs - Number(span)).toISOString(),
      ...(endpoint && { webhook: endpoint }),
      ...(agent && { agent }),
    });
    toast(
      total === 0
        ? "Nothing has failed since then"
        : total === 1
          ? "1 delivery is sent again"
          : `${total} deliveries are sent again`,
    );
    onClose();
  };

  return (
    <Dialog
      open
      onOpenChange={(open) => !open && onClose()}
      title="Deliver failed events again"
      description={
        endpoint || agent
          ? `Failed deliveries${endpoint ? ` to ${endpointName ?? endpoint}` : ""}${agent ? ` about ${agent}` : ""}.`
          : "Failed deliveries to all endpoints."
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
        <Field
          label="Failed in"
          hint="The event’s id stays the same, so a receiver can drop events it has already seen."
        >
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
