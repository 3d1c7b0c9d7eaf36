import { Check, FileDiff, Pencil, X } from "lucide-react";
import { type KeyboardEvent, type ReactNode, useEffect, useRef, useState } from "react";
import type { Outbound } from "../api/client.ts";
import { ApiError } from "../api/problem.ts";
import { Button } from "../ui/button.tsx";
import { Checkbox, Field, Select, TextArea, TextInput } from "../ui/field.tsx";
import { Keys } from "../ui/kbd.tsx";
import { Card } from "../ui/page.tsx";
import { ErrorNote } from "../ui/states.tsx";
import { UnsavedGuard } from "../ui/unsaved.tsx";
import { ContentDiff } from "./diff.tsx";
import { changedParts, contentOf, type Draft, drafted, draftOf, rebase } from "./draft.ts";
import { namesOf, type Part } from "./parts.ts";

const fieldNames = ["to", "cc", "bcc", "subject", "body_text", "body_html"];

/** Edits a held message in two steps: write, then review the differences and approve them. */
export function EditForm({
  message,
  current,
  follow,
  approve,
  onClose,
}: {
  /** The message on which the changes are based. */
  message: Outbound;
  /** The same message now: someone else may have decided about it, or changed it. */
  current: Outbound;
  /** Makes `current` the base of the changes. */
  follow: () => void;
  /** Approves the changed message; rejects with the server's error. */
  approve: (draft: Draft) => Promise<unknown>;
  onClose: () => void;
}) {
  const [draft, setDraft] = useState(() => draftOf(message));
  const [step, setStep] = useState<"write" | "review">("write");
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>(null);
  const [clashes, setClashes] = useState<readonly Part[]>([]);
  // The focused field is gone in this step; without focus here, keys would go to the page instead of the form.
  const review = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (step === "review") review.current?.focus();
  }, [step]);
  const decided = current.status !== "pending_approval";
  const moved = !decided && current.content_hash !== message.content_hash;
  const before = contentOf(message);
  const after = drafted(message, draft);
  const parts = changedParts(before, after);
  const changed = parts.length > 0;
  const change = (part: Partial<Draft>) => setDraft({ ...draft, ...part });
  // A shortcut or a click elsewhere must not lose the changes; only the decision itself may leave the form.
  const isLeaving = useRef(false);

  const takeOver = () => {
    const moving = rebase(message, current, draft);
    setDraft(moving.draft);
    setClashes(moving.clashes);
    setError(null);
    setStep("write");
    follow();
  };
  const submit = async () => {
    if (!changed || busy || decided || moved) return;
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
    // A key that is held down must not approve the review that it has just opened.
    if (!event.repeat) void submit();
  };

  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: the key works wherever the focus is within.
    <div onKeyDown={onKeyDown} className="flex flex-col gap-4">
      {decided && (
        <Notice>
          <p className="font-medium">Someone decided while you were editing. Your changes were not sent.</p>
          <p>If you undo the approval above, you can continue. These are your changes:</p>
          <ContentDiff before={before} after={after} />
        </Notice>
      )}
      {moved && (
        <Notice>
          <p className="font-medium">Someone else changed the message while you were editing it.</p>
          <ContentDiff before={before} after={contentOf(current)} />
          <div>
            <Button onClick={takeOver}>Apply my changes to it</Button>
          </div>
        </Notice>
      )}
      {clashes.length > 0 && !moved && !decided && (
        <Notice>
          <p>
            You and someone else both changed {namesOf(clashes)}. The form has your version, which would replace theirs;
            the review shows the difference.
          </p>
        </Notice>
      )}
      {decided ? null : step === "write" ? (
        <Write message={message} draft={draft} change={change} error={error} />
      ) : (
        <div ref={review} tabIndex={-1} className="outline-none">
          <Card title="Your changes" description="This version is sent. The agent’s original is kept in the record.">
            <div className="flex flex-col gap-3">
              <ContentDiff before={before} after={after} />
              <OneSided parts={parts} hasBoth={before.html !== "" && after.html !== ""} />
            </div>
          </Card>
        </div>
      )}
      {error !== null && !isAboutFields(error) && !moved && !decided && <ErrorNote error={error} />}
      <div className="flex flex-wrap items-center gap-2">
        {decided ? null : step === "write" ? (
          <Button variant="primary" icon={FileDiff} disabled={!changed || moved} onClick={() => setStep("review")}>
            Review the changes <Hint />
          </Button>
        ) : (
          <>
            <Button variant="primary" icon={Check} busy={busy} disabled={moved} onClick={() => void submit()}>
              Approve as changed: {namesOf(parts)} <Hint />
            </Button>
            <Button icon={Pencil} onClick={() => setStep("write")}>
              Change more
            </Button>
          </>
        )}
        <Button variant="ghost" icon={X} onClick={onClose}>
          Discard the changes
        </Button>
      </div>
      <UnsavedGuard active={changed} isLeaving={isLeaving} title="Discard the changes?">
        <p>Your changes are not approved yet. The message keeps waiting as the agent wrote it.</p>
      </UnsavedGuard>
    </div>
  );
}

/** The shortcut of the current step; hidden on narrow screens. */
function Hint() {
  return (
    <span aria-hidden className="-mr-1 hidden opacity-80 lg:inline">
      <Keys keys="mod+enter" />
    </span>
  );
}

function Notice({ children }: { children: ReactNode }) {
  return (
    <section role="alert" className="flex flex-col gap-3 rounded-xl border border-warn/40 bg-warn-soft p-4 text-sm">
      {children}
    </section>
  );
}

/** Warns if the changes would make the text and the HTML differ. */
function OneSided({ parts, hasBoth }: { parts: readonly Part[]; hasBoth: boolean }) {
  const [text, html] = [parts.includes("body_text"), parts.includes("body_html")];
  if (!hasBoth || text === html) return null;
  const [changed, kept] = text ? ["text", "HTML"] : ["HTML", "text"];
  return (
    <p role="note" className="rounded-lg bg-warn-soft px-3 py-2 text-sm">
      Only the {changed} is changed: the {kept} is sent as the agent wrote it, and recipients may see either.
    </p>
  );
}

/** Whether every error has a field that shows it. */
function isAboutFields(error: unknown): boolean {
  return (
    error instanceof ApiError &&
    error.errors.length > 0 &&
    error.errors.every(({ field }) => fieldNames.some((name) => field.startsWith(name)))
  );
}

const htmlHints: Record<Draft["html"], string> = {
  text: "Regenerated when you change the text, without its formatting and inline images.",
  own: "Most mail programs show this instead of the text: change both.",
  none: "Only the text is sent.",
};

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
        <Field label="Text" error={about("body_text")}>
          {(control) => (
            <TextArea
              {...control}
              // biome-ignore lint/a11y/noAutofocus: the user has just opened the form to type.
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
            <Field label="HTML" hint={htmlHints[draft.html]}>
              {(control) => (
                <Select
                  {...control}
                  value={draft.html}
                  onChange={({ target }) => change({ html: target.value as Draft["html"] })}
                >
                  <option value="text">Follows the text</option>
                  <option value="own">Written by hand</option>
                  <option value="none">Left out</option>
                </Select>
              )}
            </Field>
            {draft.html === "own" && (
              <Field label="HTML source" error={about("body_html")}>
                {(control) => (
                  <TextArea
                    {...control}
                    rows={10}
                    spellCheck={false}
                    className="font-mono text-xs"
                    value={draft.ownHtml}
                    onChange={({ target }) => change({ ownHtml: target.value })}
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
