import type { ReactNode } from "react";
import { compareLines } from "../../../src/util/line-diff.ts";
import { Untrusted } from "../mail/untrusted.tsx";
import { cx } from "../ui/cx.ts";

/** The parts of a message that a reviewer can change. */
export interface Content {
  to: readonly string[];
  cc: readonly string[];
  bcc: readonly string[];
  subject: string;
  text: string;
  html: string;
  attachments: readonly string[];
}

const labels: Record<keyof Content, string> = {
  to: "To",
  cc: "Cc",
  bcc: "Bcc",
  subject: "Subject",
  text: "Text",
  html: "HTML",
  attachments: "Attachments",
};

const asText = (value: Content[keyof Content]) => (typeof value === "string" ? value : value.join("\n"));

/** The differences between two contents, part by part. */
export function ContentDiff({ before, after }: { before: Content; after: Content }) {
  const changed = (Object.keys(labels) as (keyof Content)[]).filter(
    (part) => asText(before[part]) !== asText(after[part]),
  );
  if (changed.length === 0) return <p className="text-sm text-muted">Nothing differs.</p>;
  return (
    <div className="flex flex-col gap-3">
      {changed.map((part) => (
        <section key={part} aria-label={`Changes of ${labels[part]}`}>
          <h3 className="pb-1 text-xs font-medium text-muted">{labels[part]}</h3>
          <TextDiff before={asText(before[part])} after={asText(after[part])} />
        </section>
      ))}
    </div>
  );
}

/** Unchanged lines shown around a change. */
const CONTEXT_LINES = 3;

/** A piece of a comparison: lines that both texts have, or removed lines with the lines that replaced them. */
type Piece = { same: string[] } | { gone: string[]; come: string[] };

function pieces(before: string, after: string): Piece[] {
  const all: Piece[] = [];
  for (const [sign, line] of compareLines(before.split("\n"), after.split("\n"))) {
    const last = all.at(-1);
    if (sign === " ") {
      if (last && "same" in last) last.same.push(line);
      else all.push({ same: [line] });
      continue;
    }
    const change = last && "gone" in last ? last : { gone: [], come: [] };
    if (change !== last) all.push(change);
    (sign === "-" ? change.gone : change.come).push(line);
  }
  return all;
}

function TextDiff({ before, after }: { before: string; after: string }) {
  const all = pieces(before, after);
  return (
    <div className="overflow-hidden rounded-lg border border-line bg-surface font-mono text-xs wrap-anywhere whitespace-pre-wrap">
      {all.map((piece, place) =>
        "same" in piece ? (
          // biome-ignore lint/suspicious/noArrayIndexKey: pieces of a text have no other name.
          <Same key={place} lines={piece.same} first={place === 0} last={place === all.length - 1} />
        ) : (
          // biome-ignore lint/suspicious/noArrayIndexKey: pieces of a text have no other name.
          <Change key={place} gone={piece.gone} come={piece.come} />
        ),
      )}
    </div>
  );
}

function Same({ lines, first, last }: { lines: string[]; first: boolean; last: boolean }) {
  const head = first ? [] : lines.slice(0, CONTEXT_LINES);
  const rest = lines.slice(head.length);
  const tail = last ? [] : rest.slice(-CONTEXT_LINES);
  const hidden = rest.length - tail.length;
  return (
    <>
      {head.length > 0 && <Line sign=" ">{head.join("\n")}</Line>}
      {hidden > 0 && (
        <p className="border-y border-line bg-sunken px-3 py-0.5 font-sans text-2xs text-muted">
          {hidden === 1 ? "1 line" : `${hidden} lines`} unchanged
        </p>
      )}
      {tail.length > 0 && <Line sign=" ">{tail.join("\n")}</Line>}
    </>
  );
}

/** Splits lines into words, so that a changed line shows which words differ. */
const words = (lines: readonly string[]) => lines.join("\n").split(/(\s+)/);

function Change({ gone, come }: { gone: string[]; come: string[] }) {
  const steps = gone.length > 0 && come.length > 0 ? compareLines(words(gone), words(come)) : null;
  const side = (sign: "-" | "+", text: string[]) =>
    steps
      ? steps
          .filter(([one]) => one === " " || one === sign)
          .map(([one, word], place) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: words of a text have no other name.
            <span key={place} className={cx(one !== " " && (sign === "-" ? "bg-bad/25" : "bg-ok/25"))}>
              <Untrusted text={word} lines />
            </span>
          ))
      : text.join("\n");
  return (
    <>
      {gone.length > 0 && <Line sign="-">{side("-", gone)}</Line>}
      {come.length > 0 && <Line sign="+">{side("+", come)}</Line>}
    </>
  );
}

function Line({ sign, children }: { sign: " " | "-" | "+"; children: ReactNode }) {
  const content = typeof children === "string" ? <Untrusted text={children} lines /> : children;
  const Box = sign === "-" ? "del" : sign === "+" ? "ins" : "div";
  return (
    <Box
      className={cx(
        "flex gap-2 px-3 py-0.5 no-underline",
        sign === "-" && "bg-bad-soft",
        sign === "+" && "bg-ok-soft",
        sign === " " && "text-muted",
      )}
    >
      <span aria-hidden className="w-2 shrink-0 select-none">
        {sign === "-" ? "−" : sign}
      </span>
      <span className="min-w-0 flex-1">{content}</span>
    </Box>
  );
}
