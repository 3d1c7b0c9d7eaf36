import { getRouteApi, Link, useMatch } from "@tanstack/react-router";
import { Check, Hand, X } from "lucide-react";
import { useState } from "react";
import { useAgents } from "../api/agents.ts";
import type { Outbound } from "../api/client.ts";
import { useHeld } from "../api/outbound.ts";
import { useShortcuts } from "../app/shortcuts.ts";
import { ApproveDialog, RejectDialog } from "../outbound/decide-dialogs.tsx";
import { isConflict, type Tally, useDecisions, type Verdict } from "../outbound/decisions.ts";
import { HeldMessage } from "../outbound/held-message.tsx";
import { QueueRow } from "../outbound/queue-row.tsx";
import { AgentFilter } from "../ui/agent-filter.tsx";
import { announce } from "../ui/announce.ts";
import { Button, buttonClass } from "../ui/button.tsx";
import { Keys } from "../ui/kbd.tsx";
import { Split } from "../ui/split.tsx";
import { EmptyState, Loaded, SkeletonRows } from "../ui/states.tsx";
import { toast, toastError } from "../ui/toast.tsx";
import { VirtualList } from "../ui/virtual-list.tsx";

const route = getRouteApi("/approvals");
const ROW_PIXELS = 84;

type Asking = { kind: "approve" | "reject"; messages: readonly Outbound[] };

/** Mail that waits for approval: a queue that the keyboard can work through, and the open message. */
export function ApprovalsPage() {
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const open = useMatch({ from: "/approvals/$id", shouldThrow: false })?.params.id;
  const held = useHeld(search.agent);
  const agents = useAgents();
  const agentOf = (address: string) => agents.data?.find(({ email }) => email === address);
  const { busy, decide, decideAll } = useDecisions((address) => agentOf(address)?.undo_seconds);
  const [selected, setSelected] = useState<ReadonlySet<string>>(new Set());
  const [problems, setProblems] = useState<ReadonlyMap<string, unknown>>(new Map());
  const [asking, setAsking] = useState<Asking | null>(null);

  const messages = held.data?.messages ?? [];
  const chosen = messages.filter(({ id }) => selected.has(id));
  const show = (id: string | undefined) =>
    void (id === undefined
      ? navigate({ to: "/approvals", search })
      : navigate({ to: "/approvals/$id", params: { id }, search, replace: open !== undefined }));
  const select = (id: string, on: boolean) =>
    setSelected(new Set(on ? [...selected, id] : [...selected].filter((one) => one !== id)));
  const selectAll = (on: boolean) => {
    setSelected(new Set(on ? messages.map(({ id }) => id) : []));
    announce(on ? `${messages.length} selected` : "Nothing selected");
  };
  const note = (id: string, error: unknown) => setProblems((before) => new Map([...before, [id, error]]));

  /** Decides about the open message, then opens the next one. */
  const decideOne = async (message: Outbound, verdict: Verdict) => {
    setProblems((before) => new Map([...before].filter(([id]) => id !== message.id)));
    const place = messages.findIndex(({ id }) => id === message.id);
    const next = messages[place + 1] ?? messages[place - 1];
    try {
      await decide(message, verdict);
      select(message.id, false);
      show(next?.id);
    } catch (error) {
      // The form of a changed message shows the error beside its fields.
      if (!(verdict.kind === "approve" && verdict.changes) || isConflict(error)) note(message.id, error);
      toastError(isConflict(error) ? new Error("Someone else decided about this message, or changed it.") : error);
      throw error;
    }
  };

  const decideChosen = async (all: readonly Outbound[], verdict: Verdict) => {
    const tally = await decideAll(all, verdict);
    setSelected(new Set(tally.failed.map(({ message }) => message.id)));
    for (const { message, error } of tally.failed) note(message.id, error);
    report(tally, verdict);
    if (
      open !== undefined &&
      all.some(({ id }) => id === open) &&
      tally.failed.every(({ message }) => message.id !== open)
    )
      show(undefined);
  };

  const askReason = (about: readonly Outbound[]) => setAsking({ kind: "reject", messages: about });
  const group = "Approvals";
  useShortcuts([
    {
      keys: "x",
      label: "Select",
      group,
      run: () => open !== undefined && select(open, !selected.has(open)),
    },
    { keys: "* a", label: "Select all", group, run: () => selectAll(true) },
    { keys: "* n", label: "Select none", group, run: () => selectAll(false) },
    { keys: "A", label: "Approve all selected", group, run: () => bulk("approve") },
    { keys: "R", label: "Reject all selected", group, run: () => bulk("reject") },
    { keys: "escape", label: "Back to the list, or clear the selection", group, run: () => leave() },
  ]);
  const leave = () => {
    if (open !== undefined) show(undefined);
    else if (chosen.length > 0) selectAll(false);
  };
  const bulk = (kind: Asking["kind"]) => {
    if (chosen.length > 0) setAsking({ kind, messages: chosen });
  };

  return (
    <>
      <Split
        title="Approvals"
        open={open !== undefined}
        filters={
          <>
            <AgentFilter
              agents={agents.data}
              value={search.agent}
              onChange={(agent) => void navigate({ to: "/approvals", search: agent ? { agent } : {}, replace: true })}
            />
            {messages.length > 0 && (
              <label className="flex items-center gap-2 text-xs text-muted">
                <input
                  type="checkbox"
                  className="size-4 accent-accent"
                  checked={chosen.length === messages.length}
                  onChange={(event) => selectAll(event.target.checked)}
                />
                All {messages.length}
                {held.data?.more && " and more"}
              </label>
            )}
          </>
        }
        list={
          <Loaded query={held} skeleton={<Waiting />}>
            {(data) =>
              data.messages.length === 0 ? (
                <NothingWaits gated={agents.data?.some(({ hitl_enabled }) => hitl_enabled) ?? true} />
              ) : (
                <div className="flex h-full flex-col">
                  {chosen.length > 0 && <Bulk count={chosen.length} ask={bulk} clear={() => selectAll(false)} />}
                  <div className="min-h-0 flex-1">
                    <VirtualList
                      label="Held mail, soonest to expire first"
                      items={data.messages}
                      keyOf={({ id }) => id}
                      rowHeight={ROW_PIXELS}
                      selected={open}
                      follow={({ id }) => show(id)}
                    >
                      {(message) => (
                        <QueueRow
                          message={message}
                          selected={selected.has(message.id)}
                          onSelect={(on) => select(message.id, on)}
                          busy={busy.has(message.id)}
                          failed={problems.has(message.id)}
                          showAgent={!search.agent && (agents.data?.length ?? 0) > 1}
                        />
                      )}
                    </VirtualList>
                  </div>
                </div>
              )
            }
          </Loaded>
        }
        detail={
          open !== undefined && (
            <HeldMessage
              key={open}
              id={open}
              agent={agentOf}
              busy={busy.has(open)}
              problem={problems.get(open)}
              decide={decideOne}
              askReason={(message) => askReason([message])}
              back={() => show(undefined)}
            />
          )
        }
        hint={
          messages.length > 0 ? (
            <p>
              <Keys keys="j" /> opens what expires first; then <Keys keys="a" /> approves, <Keys keys="e" /> edits,{" "}
              <Keys keys="r" /> rejects.
            </p>
          ) : null
        }
      />
      {asking?.kind === "reject" && (
        <RejectDialog
          messages={asking.messages}
          onClose={() => setAsking(null)}
          reject={(reason) => {
            const [only, ...others] = asking.messages;
            const verdict = { kind: "reject", reason } as const;
            if (only && others.length === 0) void decideOne(only, verdict).catch(() => {});
            else void decideChosen(asking.messages, verdict);
          }}
        />
      )}
      {asking?.kind === "approve" && (
        <ApproveDialog
          messages={asking.messages}
          onClose={() => setAsking(null)}
          approve={() => void decideChosen(asking.messages, { kind: "approve" })}
        />
      )}
    </>
  );
}

function report({ done, failed }: Tally, { kind }: Verdict): void {
  const deed = kind === "approve" ? "approved" : "rejected";
  const [first] = failed;
  const why = first?.error instanceof Error ? first.error.message : "";
  if (first) toastError(new Error(`${done} ${deed}, ${failed.length} not. ${why}`));
  else toast(`${done} ${deed}`);
}

function Bulk({ count, ask, clear }: { count: number; ask: (kind: Asking["kind"]) => void; clear: () => void }) {
  return (
    <div className="flex flex-wrap items-center gap-2 border-b border-line bg-selected px-4 py-2">
      <span className="flex-1 text-xs font-medium">{count} selected</span>
      <Button size="sm" variant="primary" icon={Check} onClick={() => ask("approve")}>
        Approve
      </Button>
      <Button size="sm" variant="danger" icon={X} onClick={() => ask("reject")}>
        Reject
      </Button>
      <Button size="sm" variant="ghost" onClick={clear}>
        Clear
      </Button>
    </div>
  );
}

function Waiting() {
  return (
    <div className="px-4">
      <SkeletonRows rows={8} />
    </div>
  );
}

function NothingWaits({ gated }: { gated: boolean }) {
  return (
    <EmptyState
      icon={Hand}
      title="Nothing waits"
      action={
        <Link to="/agents" className={buttonClass()}>
          {gated ? "See the agents’ gates" : "Choose an agent to hold"}
        </Link>
      }
    >
      {gated ? (
        <p>Mail that an agent’s gate holds appears here at once, with the rule that held it.</p>
      ) : (
        <p>
          No agent’s mail is held yet. Switch on “A person approves outbound mail” under an agent’s Gate: then its mail
          waits here until you approve it.
        </p>
      )}
    </EmptyState>
  );
}
