import { useLayoutEffect, useRef } from "react";

export interface Shortcut {
  /** One key, or two after each other: `?`, `j`, `g i`; `mod+k` is Command or Control. `event.key` spells them. */
  keys: string;
  /** What it does, for the list behind `?`. */
  label: string;
  group: string;
  run: () => void;
}

/** The second key of two has to come within this. */
const SEQUENCE_MS = 1_000;

/** The later one wins where two want the same keys: it belongs to the more special part of the page. */
const registered = new Set<{ current: readonly Shortcut[] }>();

/** Keys that work while the component is there. */
export function useShortcuts(shortcuts: readonly Shortcut[]): void {
  const latest = useRef(shortcuts);
  latest.current = shortcuts;
  // Before the paint: a key that is shown works.
  useLayoutEffect(() => {
    registered.add(latest);
    return () => {
      registered.delete(latest);
    };
  }, []);
}

/** All that work now, each once, in the order in which they came. */
export function currentShortcuts(): Shortcut[] {
  const byKeys = new Map<string, Shortcut>();
  for (const { current } of registered) for (const shortcut of current) byKeys.set(shortcut.keys, shortcut);
  return [...byKeys.values()];
}

/** Listens to the keyboard until the returned function is called. */
export function listenForShortcuts(): () => void {
  let first: { key: string; atMs: number } | null = null;

  function onKeyDown(event: KeyboardEvent): void {
    const held = event.metaKey || event.ctrlKey;
    if (event.altKey || event.isComposing || event.defaultPrevented) return;
    const key = held ? `mod+${event.key.toLowerCase()}` : event.key;
    if (!held && isTyping(event.target)) return;
    // A dialog has the keyboard to itself.
    if (document.querySelector("[role=dialog], [role=alertdialog], [role=menu]") && !held) return;
    const began = first && event.timeStamp - first.atMs < SEQUENCE_MS ? `${first.key} ${key}` : null;
    const all = currentShortcuts();
    const found = all.find(({ keys }) => keys === began) ?? all.find(({ keys }) => keys === key);
    first = null;
    if (found) {
      event.preventDefault();
      found.run();
    } else if (!held) first = { key, atMs: event.timeStamp };
  }

  document.addEventListener("keydown", onKeyDown);
  return () => document.removeEventListener("keydown", onKeyDown);
}

function isTyping(target: EventTarget | null): boolean {
  return (
    target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName))
  );
}
