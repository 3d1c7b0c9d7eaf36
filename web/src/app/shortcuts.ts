import { useLayoutEffect, useRef } from "react";

export interface Shortcut {
  /**
   * One key, or two in sequence: `?`, `j`, `g i`; `mod` is Command or Control, as in `mod+k`. Characters are written as
   * typed (`A` needs Shift), named keys in lower case: `escape`, `enter`.
   */
  keys: string;
  /** What it does, for the list behind `?`. */
  label: string;
  group: string;
  run: () => void;
}

/** The second key of a sequence must follow within this time. */
const SEQUENCE_MS = 1_000;

/** If two components register the same keys, the later one wins: it belongs to a more specific part of the page. */
const registered = new Set<{ current: readonly Shortcut[] }>();

/** Registers shortcuts while the component is mounted. */
export function useShortcuts(shortcuts: readonly Shortcut[]): void {
  const latest = useRef(shortcuts);
  latest.current = shortcuts;
  // Runs before the paint, so that every shortcut works as soon as it is visible.
  useLayoutEffect(() => {
    registered.add(latest);
    return () => {
      registered.delete(latest);
    };
  }, []);
}

/** The shortcuts that work now, without duplicates, in the order of their registration. */
export function currentShortcuts(): Shortcut[] {
  const byKeys = new Map<string, Shortcut>();
  for (const { current } of registered) for (const shortcut of current) byKeys.set(shortcut.keys, shortcut);
  return [...byKeys.values()];
}

/**
 * Elements that capture the keyboard while they are open. The role `dialog` alone does not suffice: toasts and
 * explanations have it too, and the page keeps working beside them (WAI-ARIA 1.2, aria-modal).
 */
const MODAL = "[aria-modal=true], dialog[open], [role=menu]";

/** A key as shortcuts spell it: `Escape` → `escape`; `a` and `A` stay different keys. */
function spelled(key: string): string {
  return key.length > 1 ? key.toLowerCase() : key;
}

/** Whether Escape first closes something smaller: an open explanation, or the toast that has the focus. */
function closesByEscape(target: EventTarget | null): boolean {
  if (document.querySelector("[data-closes-by-escape]")) return true;
  return target instanceof Element && target.closest("[role=dialog], [role=alertdialog]") !== null;
}

/** Input types that take no text, so letters typed on them are shortcuts. */
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
      // The first Escape leaves the field; the next one goes to the page.
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
