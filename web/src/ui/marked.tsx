/** Text with `code` in it. */
export function Marked({ text }: { text: string }) {
  return text.split("`").map((part, place) =>
    place % 2 === 0 ? (
      part
    ) : (
      // biome-ignore lint/suspicious/noArrayIndexKey: parts of one text have no other name.
      <code key={place} className="rounded bg-quiet-soft px-1 py-px font-mono text-[0.92em] text-ink">
        {part}
      </code>
    ),
  );
}
