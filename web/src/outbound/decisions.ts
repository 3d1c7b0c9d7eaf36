import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import type { Outbound } from "../api/client.ts";
import { type Approval, approve, dropHeld, outboundChanged, reject, undo } from "../api/outbound.ts";
import { ApiError } from "../api/problem.ts";
import { toast, toastError } from "../ui/toast.tsx";
import { namesOf } from "./parts.ts";

export type Verdict = { kind: "approve"; changes?: Approval } | { kind: "reject"; reason: string };

export interface Tally {
  done: number;
  /** The messages whose decision failed, each with its error. */
  failed: { message: Outbound; error: unknown }[];
}

/** How many decisions of a bulk action run at the same time. */
const AT_ONCE = 4;

/**
 * Decides about held mail. `undoSecondsOf` is an agent's time to undo, or undefined while that is not known. Every
 * decision names the content that the reviewer saw, so only that content can leave. If someone else has decided, or has
 * changed the message, the decision fails and sends nothing.
 */
export function useDecisions(undoSecondsOf: (agent: string) => number | undefined) {
  const client = useQueryClient();
  const [busy, setBusy] = useState<ReadonlySet<string>>(new Set());
  const mark = (id: string, on: boolean) =>
    setBusy((before) => new Set(on ? [...before, id] : [...before].filter((one) => one !== id)));

  /** Decides, and shows the outcome in a toast. Rejects with an ApiError. */
  async function decide(message: Outbound, verdict: Verdict): Promise<void> {
    const known = verdict.kind === "approve" ? undoSecondsOf(message.agent_id) : 0;
    mark(message.id, true);
    try {
      const outcome = await send(message, verdict, known !== 0);
      dropHeld(client, message.id);
      // The list of agents may be outdated. The answer never is, but this machine's clock may be wrong.
      const undoSeconds = outcome.status === "queued" ? known || secondsLeft(outcome) : 0;
      tell(message, verdict, outcome, undoSeconds, () =>
        undo(message.id)
          .then(() => toast("Approval undone; the message is held again", message.subject), toastError)
          .finally(() => outboundChanged(client)),
      );
    } finally {
      mark(message.id, false);
      void outboundChanged(client);
    }
  }

  /** Decides about many messages alike. Never rejects: the tally lists the failures. */
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

type Outcome = Awaited<ReturnType<typeof approve>> | Awaited<ReturnType<typeof reject>>;

/** Seconds until the first recipient's attempt; 0 if it is due. */
function secondsLeft(outcome: Outcome): number {
  const recipients = "recipients" in outcome ? outcome.recipients : [];
  const times = recipients.flatMap(({ next_attempt_at: at }) => (at ? [Date.parse(at)] : []));
  return times.length > 0 ? Math.max(0, Math.round((Math.min(...times) - Date.now()) / 1000)) : 0;
}

/** `atOnce`: the answer does not wait until it has left. */
function send(message: Outbound, verdict: Verdict, atOnce: boolean): Promise<Outcome> {
  const seen = message.content_hash ? { content_hash: message.content_hash } : {};
  return verdict.kind === "approve"
    ? approve(message.id, { ...verdict.changes, ...seen }, atOnce)
    : reject(message.id, { ...(verdict.reason && { reason: verdict.reason }), ...seen });
}

function tell(message: Outbound, verdict: Verdict, outcome: Outcome, undoSeconds: number, undo: () => void): void {
  const parts = "edited_parts" in outcome ? namesOf(outcome.edited_parts ?? []) : "";
  const subject = message.subject || "No subject";
  const about = parts ? `${subject}: changed ${parts}` : subject;
  const method = "method" in outcome ? outcome.method : undefined;
  if (verdict.kind === "reject") toast("Rejected", about);
  else if (method === "capture")
    toast("Approved and captured", `${parts && `Changed ${parts}. `}Without an upstream it is not sent.`);
  else if (undoSeconds > 0)
    toast(`Approved; it will leave in ${undoSeconds} seconds`, about, {
      label: "Undo",
      run: undo,
      forMs: undoSeconds * 1000,
    });
  else toast(outcome.status === "sent" ? "Approved and sent" : "Approved; it is on its way", about);
}

/** Whether someone else has decided about the message, or changed it. Loading it again shows which. */
export function isConflict(error: unknown): boolean {
  return error instanceof ApiError && error.status === 409;
}
