import { CopyButton } from "./copy.tsx";

/** Matches a member's name, a string or another value in JSON. */
const parts = /("(?:[^"\\\n]|\\.)*")(:)?|\b(?:true|false|null)\b|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;

/** A value as indented and coloured JSON, with a button that copies it. */
export function Json({ value, label }: { value: unknown; label: string }) {
  const text = JSON.stringify(value, null, 2);
  const pieces = [];
  let end = 0;
  for (const match of text.matchAll(parts)) {
    const [whole, string, colon] = match;
    pieces.push(text.slice(end, match.index));
    const colour = colon ? "text-info" : string ? "text-ok" : "text-warn";
    pieces.push(
      <span key={match.index} className={colour}>
        {string ?? whole}
      </span>,
      colon ?? "",
    );
    end = match.index + whole.length;
  }
  pieces.push(text.slice(end));
  return (
    <section aria-label={label} className="relative rounded-lg border border-line bg-sunken">
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a scrollable region must be reachable by keyboard. */}
      <pre tabIndex={0} className="overflow-x-auto p-3 pr-11 font-mono text-xs">
        <code className="wrap-anywhere whitespace-pre-wrap">{pieces}</code>
      </pre>
      <CopyButton text={text} label={`Copy ${label}`} className="absolute top-1.5 right-1.5 bg-sunken" />
    </section>
  );
}
