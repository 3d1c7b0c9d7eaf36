/** A model of the outbound queue and its holds, for property tests: the state of every row, and what clients see. */
import { expect } from "bun:test";
import type fc from "fast-check";
import type { Store } from "../../src/store/store.ts";
import { step } from "../support/property.ts";

export interface QueueRow {
  lane: string;
  /** Where the row is: `open` is ready, or paused with its agent. */
  place: "held" | "open" | "done";
  status: string;
  attempts: number;
  at: number;
  lease: string | null;
}
export interface QueuedMessage {
  id: string;
  agent: number;
  rows: QueueRow[];
  /** The decision that released or ended it: `by` is a person's address, or `expiry`. */
  decided: { status: "queued" | "rejected" | "expired_approved" | "expired_rejected"; by: string } | null;
  expiresAt: number | null;
}
export interface QueueModel {
  now: number;
  agents: { paused: boolean; hitlEnabled: boolean; hitlTtlSeconds: number; undoSeconds: number; approves: boolean }[];
  paused: { domain: boolean; account: boolean };
  messages: QueuedMessage[];
  /** Every lease ever given, including ended ones. */
  leases: { message: QueuedMessage; n: number; token: string }[];
}
export interface QueueWorld {
  store: Store;
  userId: string;
  domain: string;
  agents: string[];
  lanes: string[];
}

export const isPaused = (model: QueueModel, agent: number) =>
  model.agents[agent]?.paused || model.paused.domain || model.paused.account;
export const queueOf = (model: QueueModel, { agent }: QueuedMessage, { place }: QueueRow) =>
  place === "open" ? (isPaused(model, agent) ? "paused" : "ready") : place;
export const isPending = ({ rows, decided }: QueuedMessage) =>
  rows.some(({ place }) => place === "held") && (decided === null || decided.status === "queued");

export function statusOf({ rows, decided }: QueuedMessage): string {
  if (decided && decided.status !== "queued") return decided.status;
  const order = ["held", "sending", "queued", "deferred", "sent", "delivered", "failed", "cancelled"];
  const first = order.find((status) => rows.some((row) => row.status === status));
  return first === "held" ? "pending_approval" : (first ?? "cancelled");
}
export const waiting = (row: QueueRow) => (row.attempts > 0 ? "deferred" : "queued");

/** Checks that everything visible of the queue matches the model. */
async function compare(model: QueueModel, { store, userId, lanes }: QueueWorld): Promise<void> {
  for (const message of model.messages) {
    const found = await store.getOutbound(userId, message.id);
    expect({
      status: found?.message.status as string,
      expiresAt: found?.message.approvalExpiresAt?.getTime() ?? null,
      rows: found?.recipients.map((row) => ({
        ...{ lane: row.lane, queue: row.queue as string, status: row.status as string, attempts: row.attempts },
        ...(row.queue === "done" ? {} : { at: row.nextAttemptAt.getTime(), lease: row.leaseToken }),
      })),
    }).toEqual({
      status: statusOf(message),
      expiresAt: message.expiresAt,
      rows: message.rows.map((row) => ({
        ...{ lane: row.lane, queue: queueOf(model, message, row), status: row.status, attempts: row.attempts },
        ...(row.place === "done" ? {} : { at: row.at, lease: row.lease }),
      })),
    });
  }
  const ready = readyRows(model).map(({ row }) => row.at);
  expect((await store.nextRecipientDue(lanes))?.getTime() ?? null).toBe(ready.length > 0 ? Math.min(...ready) : null);
  const pending = model.messages.filter(isPending);
  const due = pending.flatMap(({ expiresAt }) => expiresAt ?? []);
  expect((await store.nextHoldDue())?.getTime() ?? null).toBe(due.length > 0 ? Math.min(...due) : null);
  const listed = await store.listOutbound(userId, { status: "pending_approval" }, { limit: 1_000, sort: "asc" });
  expect(listed.map(({ message }) => message.id)).toEqual(pending.map(({ id }) => id).sort());
}

export function readyRows(model: QueueModel, lanes?: string) {
  return model.messages
    .flatMap((message) => message.rows.map((row, n) => ({ message, row, n })))
    .filter(({ message, row }) => queueOf(model, message, row) === "ready" && (!lanes || row.lane === lanes))
    .sort(
      (a, b) =>
        a.row.at - b.row.at || (a.message.id < b.message.id ? -1 : +(a.message.id !== b.message.id)) || a.n - b.n,
    );
}

export function letGo(message: QueuedMessage, status: "queued" | "expired_approved", by: string, at: number): void {
  message.decided = { status, by };
  for (const row of message.rows) if (row.place === "held") Object.assign(row, { place: "open", status: "queued", at });
}

export function refuse(message: QueuedMessage, status: "rejected" | "expired_rejected", by: string): void {
  message.decided = { status, by };
  message.expiresAt = null;
  for (const row of message.rows) if (row.place === "held") Object.assign(row, { place: "done", status: "cancelled" });
}

export const command = <Given>(
  name: string,
  given: fc.Arbitrary<Given>,
  run: (given: Given, model: QueueModel, world: QueueWorld) => Promise<void>,
) =>
  step<QueueModel, QueueWorld, Given>(name, given, async (value, model, world) => {
    await run(value, model, world);
    await compare(model, world);
  });
