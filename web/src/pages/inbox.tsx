import { getRouteApi, Link, Outlet, useMatch } from "@tanstack/react-router";
import { Inbox, MailSearch, Search, X } from "lucide-react";
import { useEffect, useRef, useState } from "react";
import { useAgents } from "../api/agents.ts";
import type { Agent } from "../api/client.ts";
import { useShortcuts } from "../app/shortcuts.ts";
import { MessageList } from "../mail/message-list.tsx";
import { ThreadList } from "../mail/thread-list.tsx";
import type { InboxSearch } from "../routes.tsx";
import { buttonClass, IconButton } from "../ui/button.tsx";
import { CodeBlock } from "../ui/copy.tsx";
import { cx } from "../ui/cx.ts";
import { Select } from "../ui/field.tsx";
import { Marked } from "../ui/marked.tsx";
import { EmptyState, Loaded } from "../ui/states.tsx";

const route = getRouteApi("/inbox");

/** The search starts when the user has typed nothing for this long. */
const TYPING_MS = 250;

/** Received mail of all agents or of one: a list with the open message beside it; on a narrow screen one of the two. */
export function InboxPage() {
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const agents = useAgents();
  const message = useMatch({ from: "/inbox/$agent/$id", shouldThrow: false });
  const thread = useMatch({ from: "/inbox/$agent/thread/$id", shouldThrow: false });
  const open = message ?? thread;
  const filtered = Boolean(search.q || search.label || search.status);
  const threads = search.view === "threads" && search.agent !== undefined;

  useShortcuts([
    {
      keys: "escape",
      label: "Back to the list, or to all mail",
      group: "Inbox",
      run: () => {
        if (open) void navigate({ to: "/inbox", search });
        else if (filtered) void navigate({ to: "/inbox", search: search.agent ? { agent: search.agent } : {} });
      },
    },
  ]);

  return (
    <div className="flex h-full">
      {!open && <title>Inbox · e2a</title>}
      <section
        aria-label="Messages"
        className={cx(
          "flex h-full w-full min-w-0 flex-col border-line bg-surface lg:w-104 lg:shrink-0 lg:border-r",
          open && "hidden lg:flex",
        )}
      >
        <ListHeader agents={agents.data ?? []} threads={threads} />
        <div className="min-h-0 flex-1">
          <Loaded query={agents}>
            {(all) =>
              all.length === 0 ? (
                <NoAgents />
              ) : threads ? (
                <ThreadList agent={search.agent as string} selected={thread?.params.id} />
              ) : (
                <MessageList
                  filter={search}
                  showAgent={search.agent === undefined && all.length > 1}
                  selected={message?.params.id}
                  empty={filtered ? <NothingFound /> : <NoMail agents={all} agent={search.agent} />}
                />
              )
            }
          </Loaded>
        </div>
      </section>
      <div className={cx("h-full min-w-0 flex-1", !open && "hidden lg:block")}>
        {open ? (
          <Outlet />
        ) : (
          <div className="flex h-full items-center justify-center">
            <p className="flex flex-col items-center gap-2 text-sm text-muted">
              <Inbox aria-hidden className="size-6" />
              Choose a message to read it here.
            </p>
          </div>
        )}
      </div>
    </div>
  );
}

function ListHeader({ agents, threads }: { agents: Agent[]; threads: boolean }) {
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const change = (next: InboxSearch) => void navigate({ to: "/inbox", search: next, replace: true });
  const without = (...names: (keyof InboxSearch)[]): InboxSearch =>
    Object.fromEntries(Object.entries(search).filter(([name]) => !names.includes(name as keyof InboxSearch)));

  return (
    <header className="flex flex-col gap-2 border-b border-line px-3 pt-3 pb-2">
      <div className="flex items-center gap-2">
        <h1 className="text-lg font-semibold">Inbox</h1>
        <span className="flex-1" />
        <Select
          aria-label="Agent"
          className="max-w-52"
          value={search.agent ?? ""}
          onChange={({ target }) =>
            change({ ...without("agent", "view"), ...(target.value && { agent: target.value }) })
          }
        >
          <option value="">All agents</option>
          {agents.map(({ email }) => (
            <option key={email}>{email}</option>
          ))}
          {search.agent && !agents.some(({ email }) => email === search.agent) && <option>{search.agent}</option>}
        </Select>
      </div>
      {!threads && <SearchBox text={search.q ?? ""} onChange={(q) => change({ ...without("q"), ...(q && { q }) })} />}
      <div className="flex items-center gap-1">
        <Toggle pressed={!search.status && !threads} onPress={() => change(without("status", "view"))}>
          All
        </Toggle>
        <Toggle
          pressed={search.status === "unread" && !threads}
          onPress={() => change({ ...without("view"), status: "unread" })}
        >
          Unread
        </Toggle>
        {search.agent && (
          <Toggle pressed={threads} onPress={() => search.agent && change({ agent: search.agent, view: "threads" })}>
            Conversations
          </Toggle>
        )}
        {search.label && (
          <span className="ml-1 inline-flex items-center rounded-full bg-selected pl-2 text-xs">
            {search.label}
            <IconButton
              icon={X}
              label={`Without the label ${search.label}`}
              className="size-6"
              onClick={() => change(without("label"))}
            />
          </span>
        )}
      </div>
    </header>
  );
}

function Toggle({ pressed, onPress, children }: { pressed: boolean; onPress: () => void; children: string }) {
  return (
    <button
      type="button"
      aria-pressed={pressed}
      onClick={onPress}
      className={cx(
        "h-6 rounded-full px-2.5 text-xs",
        pressed ? "bg-selected font-medium text-accent-strong" : "text-muted hover:bg-hover",
      )}
    >
      {children}
    </button>
  );
}

/** `text` is what is searched for: what was typed here, unless a link or the browser's history changed it. */
function SearchBox({ text, onChange }: { text: string; onChange: (text: string) => void }) {
  const [typed, setTyped] = useState(text);
  const searched = useRef(text);
  const input = useRef<HTMLInputElement>(null);
  const latest = useRef(onChange);
  latest.current = onChange;
  useShortcuts([{ keys: "/", label: "Search mail", group: "Inbox", run: () => input.current?.focus() }]);
  useEffect(() => {
    if (text === searched.current) return;
    searched.current = text;
    setTyped(text);
  }, [text]);
  useEffect(() => {
    const next = typed.trim();
    if (next === searched.current) return;
    const timer = setTimeout(() => {
      searched.current = next;
      latest.current(next);
    }, TYPING_MS);
    return () => clearTimeout(timer);
  }, [typed]);
  return (
    <div className="relative">
      <Search aria-hidden className="pointer-events-none absolute top-2 left-2.5 size-4 text-muted" />
      <input
        ref={input}
        type="search"
        aria-label="Search mail"
        placeholder="Search subjects, people, text, file names"
        value={typed}
        onChange={(event) => setTyped(event.target.value)}
        className="h-8 w-full rounded-md border border-line bg-sunken pr-2 pl-8 text-sm placeholder:text-muted"
      />
    </div>
  );
}

function NoAgents() {
  return (
    <EmptyState
      icon={Inbox}
      title="No agents yet"
      action={
        <Link to="/agents/new" className={buttonClass("primary")}>
          Make an agent
        </Link>
      }
    >
      <p>An agent has an address; its mail is here.</p>
    </EmptyState>
  );
}

function NothingFound() {
  return (
    <EmptyState
      icon={MailSearch}
      title="Nothing found"
      action={
        <Link to="/inbox" className={buttonClass()}>
          Show all mail
        </Link>
      }
    >
      <p>A word matches the beginning of a word: “inv” finds “invoice”. A message must contain all words.</p>
    </EmptyState>
  );
}

/** How to get a first message: with curl, or with a button on the agent's page. */
function NoMail({ agents, agent }: { agents: Agent[]; agent: string | undefined }) {
  const to = agent ?? agents[0]?.email ?? "";
  const command = [
    `printf 'From: you@example.com\\r\\nTo: ${to}\\r\\nSubject: Hi\\r\\n\\r\\nHello\\r\\n' |`,
    `  curl -s smtp://${location.hostname}:2525 --mail-from you@example.com \\`,
    `    --mail-rcpt ${to} -T -`,
  ].join("\n");
  return (
    <EmptyState
      icon={Inbox}
      title="No mail yet"
      action={
        <Link to="/agents/$email" params={{ email: to }} className={buttonClass("primary")}>
          Send it a test mail
        </Link>
      }
    >
      <p>What arrives for {agent ?? "your agents"} appears here at once. From a terminal:</p>
      <div className="text-left">
        <CodeBlock code={command} label="command" wrap />
      </div>
      <p>
        <Marked text="2525 is the usual SMTP port; `e2a serve` prints the one in use." />
      </p>
    </EmptyState>
  );
}
