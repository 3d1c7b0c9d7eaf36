import { useBlocker } from "@tanstack/react-router";
import { Check, FileDiff, Pencil, X } from "lucide-react";
import { type KeyboardEvent, useRef, useState } from "react";
import type { Outbound } from "../api/client.ts";
import { ApiError } from "../api/problem.ts";
import { Button } from "../ui/button.tsx";
import { ConfirmDialog } from "../ui/dialog.tsx";
import { Checkbox, Field, TextArea, TextInput } from "../ui/field.tsx";
import { Keys } from "../ui/kbd.tsx";
import { Card } from "../ui/page.tsx";
import { ErrorNote } from "../ui/states.tsx";
import { ContentDiff } from "./diff.tsx";
import { contentOf, type Draft, drafted, draftOf } from "./draft.ts";

const fieldNames = ["to", "cc", "bcc", "subject", "body_text", "body_html"];

/** Changes a held message in two steps: write, then look at what differs and approve that. */
export function EditForm({
  message,
  approve,
  onClose,
}: {
  message: Outbound;
  /** Sends the changed message; fails with what the server says of it. */
  approve: (draft: Draft) => Promise<unknown>;
  onClose: () => void;
}) {
  const [draft, setDraft] = useState(() => draftOf(message));
  const [step, setStep] = useState<"write" | "review">("write");
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>(null);
  const before = contentOf(message);
  const after = drafted(message, draft);
  const changed = JSON.stringify(before) !== JSON.stringify(after);
  const change = (part: Partial<Draft>) => setDraft({ ...draft, ...part });
  // A key or a press beside it must not lose what was written; the decision itself leads on.
  const isLeaving = useRef(false);
  const left = useBlocker({
    shouldBlockFn: () => !isLeaving.current,
    enableBeforeUnload: () => !isLeaving.current,
    disabled: !changed,
    withResolver: true,
  });

  const submit = async () => {
    if (!changed || busy) return;
    if (step === "write") return setStep("review");
    setBusy(true);
    setError(null);
    isLeaving.current = true;
    try {
      await approve(draft);
    } catch (problem) {
      isLeaving.current = false;
      setError(problem);
      if (problem instanceof ApiError && problem.errors.length > 0) setStep("write");
    } finally {
      setBusy(false);
    }
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key !== "Enter" || !(event.metaKey || event.ctrlKey)) return;
    event.preventDefault();
    void submit();
  };

  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: the key works wherever the focus is within.
    <div onKeyDown={onKeyDown} className="flex flex-col gap-4">
      {step === "write" ? (
        <Write message={message} draft={draft} change={change} error={error} />
      ) : (
        <Card title="What you change" description="This is what leaves; what the agent wrote is kept beside it.">
          <ContentDiff before={before} after={after} />
        </Card>
      )}
      {error !== null && !isAboutFields(error) && <ErrorNote error={error} />}
      <div className="flex flex-wrap items-center gap-2">
        {step === "write" ? (
          <Button variant="primary" icon={FileDiff} disabled={!changed} onClick={() => setStep("review")}>
            Review the changes
          </Button>
        ) : (
          <>
            <Button variant="primary" icon={Check} busy={busy} onClick={() => void submit()}>
              Approve as changed
            </Button>
            <Button icon={Pencil} onClick={() => setStep("write")}>
              Change more
            </Button>
          </>
        )}
        <Button variant="ghost" icon={X} onClick={onClose}>
          Discard the changes
        </Button>
        <span className="hidden text-xs text-muted sm:inline">
          <Keys keys="mod+enter" />
        </span>
      </div>
      {left.status === "blocked" && (
        <ConfirmDialog
          open
          onOpenChange={(open) => !open && left.reset()}
          title="Discard the changes?"
          action="Discard the changes"
          run={async () => left.proceed()}
        >
          <p>What you changed about this message is not approved yet. It goes on waiting as the agent wrote it.</p>
        </ConfirmDialog>
      )}
    </div>
  );
}

/** Whether every complaint has a field that shows it. */
function isAboutFields(error: unknown): boolean {
  return (
    error instanceof ApiError &&
    error.errors.length > 0 &&
    error.errors.every(({ field }) => fieldNames.some((name) => field.startsWith(name)))
  );
}

function Write({
  message,
  draft,
  change,
  error,
}: {
  message: Outbound;
  draft: Draft;
  change: (part: Partial<Draft>) => void;
  error: unknown;
}) {
  const problem = error instanceof ApiError ? error : null;
  const about = (name: string) => problem?.errors.find(({ field }) => field.startsWith(name))?.message;
  const files = message.attachments ?? [];
  return (
    <Card title="Change the message">
      <div className="flex flex-col gap-4">
        {(["to", "cc", "bcc"] as const).map((name) => (
          <Field
            key={name}
            label={{ to: "To", cc: "Cc", bcc: "Bcc" }[name]}
            optional={name !== "to"}
            error={about(name)}
          >
            {(control) => (
              <TextInput
                {...control}
                spellCheck={false}
                autoComplete="off"
                value={draft[name]}
                onChange={({ target }) => change({ [name]: target.value })}
              />
            )}
          </Field>
        ))}
        <Field label="Subject" error={about("subject")}>
          {(control) => (
            <TextInput
              {...control}
              value={draft.subject}
              onChange={({ target }) => change({ subject: target.value })}
            />
          )}
        </Field>
        <Field
          label="Text"
          error={about("body_text")}
          hint={draft.html !== null && "The HTML below says it once more: change both, or take the HTML out."}
        >
          {(control) => (
            <TextArea
              {...control}
              // biome-ignore lint/a11y/noAutofocus: the form was just opened to write in it.
              autoFocus
              rows={12}
              className="font-mono text-xs"
              value={draft.text}
              onChange={({ target }) => change({ text: target.value })}
            />
          )}
        </Field>
        {message.body_html !== undefined && (
          <>
            <Checkbox
              label="Send the HTML too"
              checked={draft.html !== null}
              onChange={({ target }) => change({ html: target.checked ? (message.body_html ?? "") : null })}
            />
            {draft.html !== null && (
              <Field label="HTML" error={about("body_html")}>
                {(control) => (
                  <TextArea
                    {...control}
                    rows={10}
                    spellCheck={false}
                    className="font-mono text-xs"
                    value={draft.html ?? ""}
                    onChange={({ target }) => change({ html: target.value })}
                  />
                )}
              </Field>
            )}
          </>
        )}
        {files.length > 0 && (
          <fieldset className="flex flex-col gap-1.5">
            <legend className="pb-1.5 text-sm font-medium">Attachments that stay</legend>
            {files.map(({ index, filename }) => (
              <Checkbox
                key={index}
                label={filename}
                checked={draft.attachments.includes(index)}
                onChange={({ target }) =>
                  change({
                    attachments: files
                      .map((file) => file.index)
                      .filter((one) => (one === index ? target.checked : draft.attachments.includes(one))),
                  })
                }
              />
            ))}
          </fieldset>
        )}
      </div>
    </Card>
  );
}
