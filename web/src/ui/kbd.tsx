/** Keys to press: `g i` in sequence, `mod+k` together (`mod` is Command on a Mac, otherwise Control). */
export function Keys({ keys }: { keys: string }) {
  const mac = /Mac|iPhone|iPad/.test(navigator.platform);
  return (
    <span className="inline-flex gap-1">
      {keys.split(" ").map((key) => (
        <kbd
          key={key}
          className="inline-flex h-5 min-w-5 items-center justify-center rounded border border-line-strong bg-surface px-1 font-mono text-2xs text-muted"
        >
          {key
            .replace("mod+", mac ? "⌘" : "Ctrl ")
            .replace(/^[A-Z]$/, "⇧$&")
            .replace("enter", "↵")
            .replace("escape", "Esc")}
        </kbd>
      ))}
    </span>
  );
}
