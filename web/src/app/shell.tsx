import { Dialog } from "@base-ui/react/dialog";
import { useQueryClient } from "@tanstack/react-query";
import { Link, Outlet, useNavigate, useRouterState } from "@tanstack/react-router";
import { BookOpen, ChevronsUpDown, LogOut, Menu as MenuIcon, Monitor, Moon, Search, Sun, X } from "lucide-react";
import { useEffect, useRef, useState } from "react";
import { signOut, useMe, useOverview } from "../api/account.ts";
import { createEffects } from "../api/effects.ts";
import { startLive, useLiveState } from "../api/live.ts";
import { announce } from "../ui/announce.ts";
import { IconButton } from "../ui/button.tsx";
import { cx } from "../ui/cx.ts";
import { Keys } from "../ui/kbd.tsx";
import { Menu } from "../ui/menu.tsx";
import { Toaster, toastError } from "../ui/toast.tsx";
import { type NavItem, useNav } from "./nav.ts";
import { Palette } from "./palette.tsx";
import { listenForShortcuts, useShortcuts } from "./shortcuts.ts";
import { ShortcutsDialog } from "./shortcuts-dialog.tsx";
import { setTheme } from "./theme.ts";

/** Everything around the pages: navigation, palette, shortcuts, live updates, announcements to screen readers. */
export function Shell() {
  const [open, setOpen] = useState<"palette" | "shortcuts" | "menu" | null>(null);
  const close = () => setOpen(null);
  const navigate = useNavigate();
  const nav = useNav();
  useLiveUpdates();
  useFocusOnPage();
  useEffect(listenForShortcuts, []);
  useShortcuts([
    { keys: "mod+k", label: "Find a page, an agent or a command", group: "Anywhere", run: () => setOpen("palette") },
    { keys: "?", label: "Show these keys", group: "Anywhere", run: () => setOpen("shortcuts") },
    ...nav.map(({ to, label, keys }) => ({
      keys,
      label: `Go to ${label}`,
      group: "Go to",
      run: () => void navigate({ to }),
    })),
  ]);

  return (
    <div className="grid h-dvh grid-rows-[auto_1fr] md:grid-cols-[13.5rem_1fr] md:grid-rows-1">
      <a
        href="#main"
        className="fixed top-2 left-2 z-70 -translate-y-16 rounded-md bg-accent px-3 py-1.5 text-sm text-on-accent focus:translate-y-0"
      >
        Skip to content
      </a>
      <header className="flex items-center gap-2 border-b border-line bg-surface px-3 py-1.5 md:hidden">
        <IconButton icon={MenuIcon} label="Open the menu" onClick={() => setOpen("menu")} />
        <Logo />
        <span className="flex-1" />
        <IconButton icon={Search} label="Find" onClick={() => setOpen("palette")} />
      </header>
      <aside className="hidden min-h-0 border-r border-line bg-sunken md:block">
        <Sidebar openPalette={() => setOpen("palette")} openShortcuts={() => setOpen("shortcuts")} />
      </aside>
      <main id="main" tabIndex={-1} data-page-start className="min-h-0 min-w-0">
        <Outlet />
      </main>

      <Dialog.Root open={open === "menu"} onOpenChange={(next) => !next && close()}>
        <Dialog.Portal>
          <Dialog.Backdrop className="fixed inset-0 z-40 bg-scrim" />
          <Dialog.Popup aria-modal="true" className="fixed inset-y-0 left-0 z-50 w-64 bg-sunken shadow-pop">
            <Dialog.Title className="sr-only">Menu</Dialog.Title>
            <Dialog.Close render={<IconButton icon={X} label="Close" className="absolute top-2.5 right-2 z-10" />} />
            <Sidebar
              openPalette={() => setOpen("palette")}
              openShortcuts={() => setOpen("shortcuts")}
              onNavigate={close}
            />
          </Dialog.Popup>
        </Dialog.Portal>
      </Dialog.Root>
      {/* Not loaded on demand: what the user types meanwhile would be shortcuts of the page, such as Approve. */}
      {open === "palette" && <Palette onClose={close} showShortcuts={() => setOpen("shortcuts")} />}
      {open === "shortcuts" && <ShortcutsDialog onClose={close} />}
      <Toaster />
      <div id="announcer" aria-live="polite" className="sr-only" />
    </div>
  );
}

function Logo() {
  return (
    <Link to="/" className="flex items-center gap-2 rounded-md font-semibold tracking-tight">
      <svg viewBox="0 0 32 32" aria-hidden className="size-6 rounded-md">
        <rect width="32" height="32" fill="#4f46e5" />
        <path
          d="M7 11.5 16 18l9-6.5M8.5 9h15A1.5 1.5 0 0 1 25 10.5v11a1.5 1.5 0 0 1-1.5 1.5h-15A1.5 1.5 0 0 1 7 21.5v-11A1.5 1.5 0 0 1 8.5 9Z"
          fill="none"
          stroke="#fff"
          strokeWidth="2"
          strokeLinecap="round"
          strokeLinejoin="round"
        />
      </svg>
      e2a
    </Link>
  );
}

interface SidebarProps {
  openPalette: () => void;
  openShortcuts: () => void;
  onNavigate?: () => void;
}

function Sidebar({ openPalette, openShortcuts, onNavigate }: SidebarProps) {
  const nav = useNav();
  const groups = [...new Set(nav.map(({ group }) => group))];
  return (
    <div className="flex h-full flex-col gap-4 overflow-y-auto p-3">
      <div className="px-1.5 pt-0.5">
        <Logo />
      </div>
      <button
        type="button"
        onClick={openPalette}
        className="flex h-8 shrink-0 items-center gap-2 rounded-md border border-line bg-surface px-2 text-sm text-muted shadow-card hover:border-line-strong"
      >
        <Search aria-hidden className="size-4" />
        <span className="flex-1 text-left">Find…</span>
        <Keys keys="mod+k" />
      </button>
      <nav aria-label="Main" className="flex flex-1 flex-col gap-4">
        {groups.map((group) => (
          <ul key={group} aria-label={group} className="flex flex-col gap-0.5">
            {groups.length > 1 && (
              <li aria-hidden className="px-2 pb-1 text-2xs font-medium text-muted">
                {group}
              </li>
            )}
            {nav
              .filter((item) => item.group === group)
              .map((item) => (
                <NavLink key={item.to} item={item} onNavigate={onNavigate} />
              ))}
          </ul>
        ))}
      </nav>
      <div className="flex flex-col gap-1 border-t border-line pt-2">
        <a
          href="/api/docs"
          className="flex h-8 items-center gap-2.5 rounded-md px-2 text-sm text-muted hover:bg-hover hover:text-ink"
        >
          <BookOpen aria-hidden className="size-4" />
          API reference
        </a>
        <Account openShortcuts={openShortcuts} />
      </div>
    </div>
  );
}

function NavLink({ item, onNavigate }: { item: NavItem; onNavigate: (() => void) | undefined }) {
  const { data } = useOverview();
  const counts: Record<string, number | undefined> = { "/inbox": data?.unread, "/approvals": data?.pending_approval };
  const count = counts[item.to] ?? 0;
  return (
    <li>
      <Link
        to={item.to}
        onClick={onNavigate}
        activeOptions={{ exact: item.to === "/", includeSearch: false }}
        className="flex h-8 items-center gap-2.5 rounded-md px-2 text-sm text-muted hover:bg-hover hover:text-ink data-[status=active]:bg-selected data-[status=active]:font-medium data-[status=active]:text-ink"
      >
        <item.icon aria-hidden className="size-4 shrink-0" />
        <span className="flex-1">{item.label}</span>
        {count > 0 && (
          <span className="text-xs tabular-nums">
            {count > 999 ? "999+" : count}
            <span className="sr-only">{item.to === "/inbox" ? " unread" : " waiting"}</span>
          </span>
        )}
      </Link>
    </li>
  );
}

const liveWords = {
  connecting: ["bg-muted", "Connecting"],
  live: ["bg-ok", "Live: changes appear automatically"],
  polling: ["bg-info", "Live by polling: a proxy may be blocking WebSockets"],
  offline: ["bg-warn", "Not connected; trying again"],
} as const;

function Account({ openShortcuts }: { openShortcuts: () => void }) {
  const me = useMe();
  const [colour, words] = liveWords[useLiveState()];
  const name = me.data?.email ?? "";
  return (
    <Menu
      trigger={
        <button
          type="button"
          className="flex h-9 w-full min-w-0 items-center gap-2.5 rounded-md px-2 text-left text-sm hover:bg-hover"
        >
          <span title={words} className={cx("mx-1 size-2 shrink-0 rounded-full", colour)}>
            <span className="sr-only">{words}</span>
          </span>
          <span className="min-w-0 flex-1 truncate" title={name}>
            {name || "Account"}
          </span>
          <ChevronsUpDown aria-hidden className="size-4 text-muted" />
        </button>
      }
      items={[
        { label: "Light", icon: Sun, onSelect: () => setTheme("light") },
        { label: "Dark", icon: Moon, onSelect: () => setTheme("dark") },
        { label: "Match the system", icon: Monitor, onSelect: () => setTheme("system") },
        null,
        { label: "Keyboard shortcuts", icon: Search, onSelect: openShortcuts },
        null,
        { label: "Sign out", icon: LogOut, onSelect: () => signOut().catch(toastError) },
      ]}
    />
  );
}

/** Follows the event log while the dashboard is open. */
function useLiveUpdates(): void {
  const client = useQueryClient();
  useEffect(() => {
    const apply = createEffects(client);
    return startLive({
      onEvent: (event) => {
        apply(event);
        if (event.type === "message.received") announce(`New mail for ${event.data.agent_id}`);
        if (event.type === "message.held") announce("A message waits for approval");
      },
      onGap: () => void client.invalidateQueries(),
    });
  }, [client]);
}

/** Moves the focus to the start of the new page after navigation, unless the page has already taken it. */
function useFocusOnPage(): void {
  const path = useRouterState({ select: (state) => state.resolvedLocation?.pathname });
  const before = useRef(path);
  useEffect(() => {
    const moved = before.current !== undefined && before.current !== path;
    before.current = path;
    const main = document.getElementById("main");
    if (moved && !main?.contains(document.activeElement)) main?.focus({ preventScroll: true });
  }, [path]);
}
