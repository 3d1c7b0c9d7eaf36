import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import type { Outbound } from "../api/client.ts";
import { type Approval, approve, cancel, dropHeld, outboundChanged, reject } from "../api/outbound.ts";
import { ApiError } from "../api/problem.ts";
import { toast, toastError } from "../ui/toast.tsx";

export type Verdict = { kind: "approve"; changes?: Approval } | { kind: "reject"; reason: string };

export interface Tally {
  done: number;
  /** Each message whose decision failed, with why. */
  failed: { message: Outbound; error: unknown }[];
}

/** So many decisions of a heap are under way at once. */
const AT_ONCE = 4;

/**
 * Deciding about held mail. Every decision names the content that was looked at, so what was seen is what leaves; when
 * somebody else was faster, or the message is another one by now, it fails and nothing is sent.
 */
export function useDecisions(undoSecondsOf: (agent: string) => number) {
  const client = useQueryClient();
  const [busy, setBusy] = useState<ReadonlySet<string>>(new Set());
  const mark = (id: string, on: boolean) =>
    setBusy((before) => new Set(on ? [...before, id] : [...before].filter((one) => one !== id)));

  /** Decides and says how it went. Fails with an ApiError. */
  async function decide(message: Outbound, verdict: Verdict): Promise<void> {
    const undoSeconds = verdict.kind === "approve" ? undoSecondsOf(message.agent_id) : 0;
    mark(message.id, true);
    try {
      const outcome = await send(message, verdict, undoSeconds > 0);
      dropHeld(client, message.id);
      tell(message, verdict, outcome, undoSeconds, () =>
        cancel(message.id).then(
          () => toast("Taken back: it does not leave", message.subject),
          (error) => toastError(error),
        ),
      );
    } finally {
      mark(message.id, false);
      void outboundChanged(client);
    }
  }

  /** Decides about many alike. Never fails: the tally says which did. */
  async function decideAll(messages: readonly Outbound[], verdict: Verdict): Promise<Tally> {
    const tally: Tally = { done: 0, failed: [] };
    const waiting = [...messages];
    for (const { id } of messages) mark(id, true);
    const worker = async () => {
      for (let message = waiting.shift(); message; message = waiting.shift()) {
        try {
          await send(message, verdict, true);
          tally.done++;
          dropHeld(client, message.id);
        } catch (error) {
          tally.failed.push({ message, error });
        }
        mark(message.id, false);
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, worker));
    void outboundChanged(client);
    return tally;
  }

  return { busy, decide, decideAll };
}

/** `atOnce`: the answer does not wait until it has left. */
function send(message: Outbound, verdict: Verdict, atOnce: boolean) {
  const seen = message.content_hash ? { content_hash: message.content_hash } : {};
  return verdict.kind === "approve"
    ? approve(message.id, { ...verdict.changes, ...seen }, atOnce)
    : reject(message.id, { ...(verdict.reason && { reason: verdict.reason }), ...seen });
}

function tell(
  message: Outbound,
  verdict: Verdict,
  outcome: { status: string; method?: string },
  undoSeconds: number,
  undo: () => void,
): void {
  const about = message.subject || "No subject";
  if (verdict.kind === "reject") toast("Rejected", about);
  else if (outcome.method === "capture") toast("Approved and captured", "Without an upstream it does not leave.");
  else if (undoSeconds > 0)
    toast(`Approved; it leaves in ${undoSeconds} seconds`, about, {
      label: "Undo",
      run: undo,
      forMs: undoSeconds * 1000,
    });
  else toast(outcome.status === "sent" ? "Approved and sent" : "Approved; it is on its way", about);
}

/** Somebody else decided, or it is not the same message any more: looking again tells. */
export function isConflict(error: unknown): boolean {
  return error instanceof ApiError && error.status === 409;
}
