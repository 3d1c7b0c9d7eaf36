import { Dialog } from "@base-ui/react/dialog";
import { useNavigate } from "@tanstack/react-router";
import { Bot, Keyboard, type LucideIcon, Moon, Plus, Search, Sun } from "lucide-react";
import { type KeyboardEvent, useId, useMemo, useRef, useState } from "react";
import { useAgents } from "../api/agents.ts";
import { cx } from "../ui/cx.ts";
import { Keys } from "../ui/kbd.tsx";
import { useNav } from "./nav.ts";
import { setTheme } from "./theme.ts";

/** More agents than this can be found only by typing. */
const AGENTS_SHOWN_MAX = 20;

interface Command {
  label: string;
  detail?: string;
  icon: LucideIcon;
  keys?: string;
  run: () => void;
}

/** The command palette: finds pages, agents and common actions by a few letters. */
export function Palette({ onClose, showShortcuts }: { onClose: () => void; showShortcuts: () => void }) {
  const [text, setText] = useState("");
  const [chosen, setChosen] = useState(0);
  const listId = useId();
  const list = useRef<HTMLDivElement>(null);
  const navigate = useNavigate();
  const agents = useAgents();
  const nav = useNav();

  const commands = useMemo((): Command[] => {
    const pages = nav.map((item) => ({ ...item, run: () => void navigate({ to: item.to }) }));
    const actions: Command[] = [
      { label: "New agent", icon: Plus, run: () => void navigate({ to: "/agents/new" }) },
      { label: "Light theme", icon: Sun, run: () => setTheme("light") },
      { label: "Dark theme", icon: Moon, run: () => setTheme("dark") },
      { label: "Keyboard shortcuts", icon: Keyboard, keys: "?", run: showShortcuts },
    ];
    const ofAgents = (agents.data ?? []).map((agent) => ({
      label: agent.email,
      detail: agent.name,
      icon: Bot,
      run: () => void navigate({ to: "/agents/$email", params: { email: agent.email } }),
    }));
    return [...pages, ...actions, ...ofAgents];
  }, [agents.data, nav, navigate, showShortcuts]);

  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  const found = commands
    .filter(({ label, detail }) => words.every((word) => `${label} ${detail ?? ""}`.toLowerCase().includes(word)))
    .slice(0, nav.length + AGENTS_SHOWN_MAX);
  if (text.trim() !== "")
    found.push({
      label: `Search mail for “${text.trim()}”`,
      icon: Search,
      run: () => void navigate({ to: "/inbox", search: { q: text.trim() } }),
    });

  const run = (command: Command | undefined) => {
    if (!command) return;
    onClose();
    command.run();
  };
  const choose = (place: number) => {
    const next = (place + found.length) % Math.max(1, found.length);
    setChosen(next);
    list.current?.children[next]?.scrollIntoView({ block: "nearest" });
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key === "ArrowDown") choose(chosen + 1);
    else if (event.key === "ArrowUp") choose(chosen - 1);
    else if (event.key === "Enter" && !event.nativeEvent.isComposing) run(found[chosen]);
    else return;
    event.preventDefault();
  };

  return (
    <Dialog.Root open onOpenChange={(open) => !open && onClose()}>
      <Dialog.Portal>
        <Dialog.Backdrop className="fixed inset-0 z-40 bg-scrim" />
        <Dialog.Popup
          aria-modal="true"
          className="fixed top-[12vh] left-1/2 z-50 flex max-h-[65dvh] w-[calc(100vw-1.5rem)] max-w-xl -translate-x-1/2 flex-col overflow-hidden rounded-xl bg-raised shadow-pop"
        >
          <Dialog.Title className="sr-only">Find a page, an agent or a command</Dialog.Title>
          <input
            type="text"
            // biome-ignore lint/a11y/noAutofocus: the user has just opened it to type.
            autoFocus
            role="combobox"
            aria-expanded
            aria-controls={listId}
            aria-activedescendant={found.length > 0 ? `${listId}-${chosen}` : undefined}
            aria-label="Find a page, an agent or a command"
            placeholder="Find a page, an agent or a command"
            autoComplete="off"
            spellCheck={false}
            value={text}
            onChange={(event) => {
              setText(event.target.value);
              setChosen(0);
            }}
            onKeyDown={onKeyDown}
            className="h-12 border-b border-line bg-transparent px-4 text-base outline-none placeholder:text-muted"
          />
          <div ref={list} id={listId} role="listbox" aria-label="Results" className="overflow-y-auto p-1.5">
            {found.map((command, place) => (
              // biome-ignore lint/a11y/useFocusableInteractive: the input keeps the focus; aria-activedescendant points here.
              // biome-ignore lint/a11y/useKeyWithClickEvents: the input has the keys.
              <div
                key={command.label}
                id={`${listId}-${place}`}
                role="option"
                aria-selected={place === chosen}
                onClick={() => run(command)}
                onPointerMove={() => setChosen(place)}
                className={cx(
                  "flex h-9 cursor-pointer items-center gap-2.5 rounded-md px-2.5 text-sm",
                  place === chosen && "bg-selected",
                )}
              >
                <command.icon aria-hidden className="size-4 shrink-0 text-muted" />
                <span className="truncate">{command.label}</span>
                {command.detail && <span className="truncate text-muted">{command.detail}</span>}
                <span className="flex-1" />
                {command.keys && <Keys keys={command.keys} />}
              </div>
            ))}
          </div>
        </Dialog.Popup>
      </Dialog.Portal>
    </Dialog.Root>
  );
}
