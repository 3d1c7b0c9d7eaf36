import { Link } from "@tanstack/react-router";
import { Plus, Tag, X } from "lucide-react";
import { useState } from "react";
import { useChangeMessage } from "../api/messages.ts";
import { IconButton } from "../ui/button.tsx";
import { toastError } from "../ui/toast.tsx";
import { Untrusted } from "./untrusted.tsx";

const LABEL_CHARS_MAX = 64;

/** A message's labels, with controls to add and remove them. */
export function Labels({ agent, id, labels }: { agent: string; id: string; labels: readonly string[] }) {
  const change = useChangeMessage(agent, id);
  const [adding, setAdding] = useState(false);
  const [text, setText] = useState("");
  const add = () => {
    setAdding(false);
    setText("");
    if (text.trim()) change.mutate({ add_labels: [text.trim()] }, { onError: toastError });
  };
  return (
    <span className="inline-flex flex-wrap items-center gap-1">
      {labels.map((label) => (
        <span
          key={label}
          className="inline-flex items-center rounded-full bg-selected pl-2 text-2xs font-medium text-accent-strong"
        >
          <Link to="/inbox" search={{ label }} title={`All mail with the label ${label}`}>
            <Untrusted text={label} />
          </Link>
          <IconButton
            icon={X}
            label={`Remove the label ${label}`}
            className="size-5"
            onClick={() => change.mutate({ remove_labels: [label] }, { onError: toastError })}
          />
        </span>
      ))}
      {adding ? (
        <input
          type="text"
          aria-label="New label"
          // biome-ignore lint/a11y/noAutofocus: the user has just opened it to type.
          autoFocus
          maxLength={LABEL_CHARS_MAX}
          value={text}
          onChange={(event) => setText(event.target.value)}
          onBlur={add}
          onKeyDown={(event) => {
            if (event.key === "Enter") add();
            if (event.key === "Escape") setAdding(false);
          }}
          className="h-6 w-28 rounded-full border border-line-strong bg-surface px-2 text-xs"
        />
      ) : (
        <button
          type="button"
          onClick={() => setAdding(true)}
          className="inline-flex h-5 items-center gap-1 rounded-full px-1.5 text-2xs text-muted hover:bg-hover hover:text-ink"
        >
          {labels.length === 0 ? <Tag aria-hidden className="size-3" /> : <Plus aria-hidden className="size-3" />}
          Label
        </button>
      )}
    </span>
  );
}
