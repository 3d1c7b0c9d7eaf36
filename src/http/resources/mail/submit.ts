import type { Static } from "@sinclair/typebox";
import type { Quotable } from "../../../message/quote.ts";
import { inboundOriginal, type Original, outboundOriginal, quotedDate } from "../../../outbound/reply.ts";
import type { SendRequest } from "../../../outbound/send.ts";
import type { Outbound } from "../../../store/outbound/outbound.ts";
import type { AgentRow } from "../../../store/schema.ts";
import { Failure } from "../../../util/errors.ts";
import type { Sent } from "../../../wire/outbound.ts";
import { principalKey } from "../../framework/idempotency.ts";
import type { Identity } from "../../framework/identity.ts";
import type { Exchange, RouteDeps } from "../../framework/resource.ts";
import { recipientOnWire, sentOnWire } from "./outbound-wire.ts";

/** Failures of submitting a message, beyond those of every request. */
export const submitFailures = [
  ...(["forbidden", "conflict", "recipient_suppressed", "upstream_not_configured", "upstream_rejected"] as const),
];

/** The members that a route sets; the other members of a message follow from the request. */
export type Said = Omit<SendRequest, "asked" | "wait" | "signal" | "requireStanding">;

interface Context {
  request: Request;
  exchange: Exchange;
  caller: Identity;
  set: { headers: Record<string, string | number> };
}

/** A message that is answered or forwarded, and its bytes. */
export interface Found {
  original: Original;
  /** What a quote shows of it, with its HTML as it was written. */
  quotable: Quotable;
  raw(): Promise<Uint8Array | null>;
}

interface Outcome {
  status: 200 | 202;
  sent: Static<typeof Sent>;
}

/**
 * Submits a message, and waits for its first attempt unless the client asks not to (RFC 7240 4.1). The same request
 * again joins the first one: for a day under its Idempotency-Key, for two minutes without one, unless a final answer
 * reached the client. Failures: the sender's, and `upstream_rejected` if no recipient will get it.
 */
export async function submit(
  { sender, answers }: RouteDeps,
  said: Said,
  { request, exchange, caller, set }: Context,
): Promise<Outcome> {
  const async = prefersAsync(request, set);
  const key = request.headers.get("idempotency-key");
  const idempotencyKey = key === null ? null : principalKey(caller, key);
  const asked = { hash: exchange.requestHash, by: caller.proofId, idempotencyKey };
  await answers.noted(asked.hash);
  const sent = await sender.send({
    ...said,
    asked,
    wait: !async,
    requireStanding: exchange.requireStanding,
    ...(async ? {} : { signal: exchange.signal }),
  });
  if (!sent.fresh) {
    set.headers["idempotent-replayed"] = "true";
    if (idempotencyKey !== null) set.headers["idempotency-replayed"] = "true";
  }
  const outcome = outcomeOf(sent);
  // A client that has gone did not get the answer.
  if (outcome.status === 200 && idempotencyKey === null && !exchange.clientHasGone)
    answers.note(sent.message.id, asked.hash);
  return outcome;
}

/** Whether the client asks not to wait (RFC 7240 4.1). The answer says that the preference was applied. */
export function prefersAsync(request: Request, set: Context["set"]): boolean {
  const preferences = (request.headers.get("prefer") ?? "").split(",").map((one) => one.split(";")[0]?.trim());
  const async = preferences.some((one) => one?.toLowerCase() === "respond-async");
  if (async) set.headers["preference-applied"] = "respond-async";
  return async;
}

/** Finds the agent's message with this id, received or sent; null if there is none. */
export async function findMessage(
  { store }: Pick<RouteDeps, "store">,
  agent: AgentRow,
  id: string,
): Promise<Found | null> {
  const inbound = await store.getMessage(agent.id, id);
  if (inbound) {
    const { message, content, raw } = inbound;
    const { to, cc, subject } = message;
    const { text, html } = content;
    const date = quotedDate(content.headers, message.createdAt);
    const quotable = { from: message.from[0] ?? null, to, cc, subject, date, text, html };
    return { original: inboundOriginal(message, content), quotable, raw: async () => raw };
  }
  const outbound = await store.getOutbound(agent.userId, id);
  // The server's own mail to reviewers must not be answered or forwarded: it has links that decide.
  if (outbound?.message.agentId !== agent.id || outbound.message.type === "notice") return null;
  // The ids of hidden copies would tell the others that there were some.
  const known = outbound.recipients.filter(({ kind }) => kind !== "bcc");
  const renamed = known.flatMap(({ sentAs }) => sentAs ?? []);
  const { subject, createdAt: date } = outbound.message;
  const { from, to, cc, text, html } = outbound.message.content;
  const quotable = { from, to, cc, subject, date, text, html };
  return { original: outboundOriginal(outbound.message, renamed), quotable, raw: () => store.outboundBytes(id) };
}

/** Returns the agent if it may send. Failure `forbidden` for a domain's own mailbox. */
export function mayWrite(agent: AgentRow): AgentRow {
  if (!agent.role) return agent;
  throw new Failure("forbidden", `${agent.id} is the domain's own mailbox: it can be read, but cannot send.`, {
    fix: "Send as an agent.",
  });
}

/** Returns the answer about a message. Failure `upstream_rejected` if no recipient will get it. */
export function outcomeOf({ message, recipients }: Outbound): Outcome {
  const has = (...statuses: string[]) => recipients.some((recipient) => statuses.includes(recipient.status));
  const outcome = (code: 200 | 202, status: Static<typeof Sent>["status"]): Outcome => ({
    status: code,
    sent: sentOnWire(message, recipients, status),
  });
  if (message.status === "pending_approval") return outcome(202, "pending_approval");
  if (has("queued", "sending", "deferred")) return outcome(202, "queued");
  if (has("sent", "delivered")) return outcome(200, "sent");
  // Only for a repeated request: the message was decided in between.
  const { status } = message;
  if (status === "cancelled" || status === "rejected" || status === "expired_rejected") return outcome(200, status);
  const reasons = recipients.map(({ address, smtpReply, error }) => `${address}: ${smtpReply ?? error ?? "refused"}`);
  throw new Failure("upstream_rejected", `No recipient accepted the message. ${reasons.join("; ")}`, {
    fix: "Correct what the reply complains about and send it as a new message; this one is not tried again.",
    extra: {
      message_id: message.id,
      smtp_reply: recipients.find((recipient) => recipient.smtpReply !== null)?.smtpReply ?? null,
      recipients: recipients.map(recipientOnWire),
    },
  });
}
