import { useLayoutEffect, useRef } from "react";

export interface Shortcut {
  /**
   * One key, or two after each other: `?`, `j`, `g i`; `mod+k` is Command or Control. Characters as they are typed (`A`
   * needs Shift), named keys in lower case: `escape`, `enter`.
   */
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

/**
 * What has the keyboard to itself while it is open. The role `dialog` alone is not enough: toasts and explanations have it
 * too, and the page goes on working beside them (WAI-ARIA 1.2, aria-modal).
 */
const MODAL = "[aria-modal=true], dialog[open], [role=menu]";

/** A key as shortcuts spell it: `Escape` → `escape`, while `a` and `A` stay two keys. */
function spelled(key: string): string {
  return key.length > 1 ? key.toLowerCase() : key;
}

/** Whether Escape closes something smaller first: an explanation that is open, or the toast that has the focus. */
function closesByEscape(target: EventTarget | null): boolean {
  if (document.querySelector("[data-closes-by-escape]")) return true;
  return target instanceof Element && target.closest("[role=dialog], [role=alertdialog]") !== null;
}

/** Input types that take no text, so that letters pressed on them are the page's. */
const PRESSED_TYPES = new Set(["checkbox", "radio", "button", "submit", "reset", "file"]);

/** Listens to the keyboard until the returned function is called. */
export function listenForShortcuts(): () => void {
  let first: { key: string; atMs: number } | null = null;

  function onKeyDown(event: KeyboardEvent): void {
    const held = event.metaKey || event.ctrlKey;
    if (event.altKey || event.isComposing || event.defaultPrevented) return;
    const key = held ? `mod+${event.key.toLowerCase()}` : spelled(event.key);
    if (!held && document.querySelector(MODAL)) return;
    if (!held && isTyping(event.target)) {
      // Out of the field first; the next Escape is the page's.
      if (key === "escape") (event.target as HTMLElement).blur();
      return;
    }
    if (key === "escape" && closesByEscape(event.target)) return;
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
  if (target instanceof HTMLInputElement) return !PRESSED_TYPES.has(target.type);
  return target instanceof HTMLElement && (target.isContentEditable || /^(TEXTAREA|SELECT)$/.test(target.tagName));
}
