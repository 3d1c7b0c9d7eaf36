import { Check, Copy } from "lucide-react";
import { useEffect, useState } from "react";
import { announce } from "./announce.ts";
import { IconButton } from "./button.tsx";
import { cx } from "./cx.ts";

const DONE_SHOWN_MS = 1_500;

/** Copies a text to the clipboard. Without HTTPS pages have no clipboard API; then it copies a selection instead. */
async function copyText(text: string): Promise<void> {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  const area = document.createElement("textarea");
  area.value = text;
  area.style.position = "fixed";
  document.body.append(area);
  area.select();
  const done = document.execCommand("copy");
  area.remove();
  if (!done) throw new Error("The browser does not let this page use the clipboard: select the text and copy it.");
}

/** A button that copies a text and confirms it. */
export function CopyButton({ text, label = "Copy", className }: { text: string; label?: string; className?: string }) {
  const [done, setDone] = useState(false);
  useEffect(() => {
    if (!done) return;
    const timer = setTimeout(() => setDone(false), DONE_SHOWN_MS);
    return () => clearTimeout(timer);
  }, [done]);
  const copy = () =>
    copyText(text).then(
      () => {
        setDone(true);
        announce("Copied");
      },
      (error) => announce(String(error)),
    );
  return (
    <IconButton
      icon={done ? Check : Copy}
      label={done ? "Copied" : label}
      onClick={() => void copy()}
      className={cx("size-7", done && "text-ok", className)}
    />
  );
}

/** Text to be copied as it is: commands, DNS records, keys. */
export function CodeBlock({ code, label, wrap = false }: { code: string; label: string; wrap?: boolean }) {
  return (
    <section aria-label={label} className="relative rounded-lg border border-line bg-sunken">
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a scrollable region must be reachable by keyboard. */}
      <pre tabIndex={0} className="overflow-x-auto p-3 pr-11 font-mono text-xs">
        <code className={wrap ? "wrap-anywhere whitespace-pre-wrap" : ""}>{code}</code>
      </pre>
      <CopyButton text={code} label={`Copy ${label}`} className="absolute top-1.5 right-1.5 bg-sunken" />
    </section>
  );
}

/** A short value, with a button that copies it. */
export function CopyValue({ value, label }: { value: string; label: string }) {
  return (
    <span className="inline-flex max-w-full min-w-0 items-center gap-0.5">
      <code className="truncate font-mono text-xs" title={value}>
        {value}
      </code>
      <CopyButton text={value} label={label} />
    </span>
  );
}
