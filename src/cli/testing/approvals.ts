/** The deciding half of the wire, for tests of the command line: one decision per mail, bound to its content. */
import { createHash } from "node:crypto";
import type { AuditEntry, Forecast, MailEdit, NewMail, Outbound } from "../connect/shapes.ts";
import { problem, recipient } from "./outbox.ts";
import { outbound } from "./samples.ts";

type Decision = MailEdit & { content_hash?: string; reason?: string };

/** A mail that waits: a week, for a first-time recipient. */
export function heldMail(n: number, more: Partial<Outbound> = {}): Outbound {
  const mail = outbound(n, {
    status: "pending_approval",
    hold: { rule: "first_time", reason: "bob@example.com is a first-time recipient." },
    first_time: ["bob@example.com"],
    approval_expires_at: new Date(Date.now() + 7 * 86_400_000 + n * 60_000).toISOString(),
    ...more,
  });
  const addresses = [...mail.to, ...(mail.cc ?? []), ...(mail.bcc ?? [])];
  mail.recipients = addresses.map((address) => recipient(address, "held"));
  return { ...mail, content_hash: hashOf(mail) };
}

/** Names what would leave. */
export function hashOf({ to, cc, bcc, subject, body_text, body_html, attachments }: Outbound): string {
  const content = [to, cc ?? [], bcc ?? [], subject, body_text ?? "", body_html ?? "", attachments ?? []];
  return createHash("sha256").update(JSON.stringify(content)).digest("hex");
}

/** POST …/approve and …/reject; every decision is added to `audit`. */
export function decide(mail: Outbound, action: "approve" | "reject", body: Decision, audit: AuditEntry[]): Response {
  const { content_hash: seen, reason, attachments, ...edit } = body;
  if (mail.status !== "pending_approval") {
    const detail = `It was ${mail.status} by ${mail.reviewed_by} at ${mail.reviewed_at}.`;
    return problem(409, { code: "conflict", detail });
  }
  if (seen !== undefined && seen !== hashOf(mail)) {
    return problem(409, {
      code: "conflict",
      detail: "The mail was changed since you saw it.",
      fix: "Look at it again.",
    });
  }
  const errors = [...(edit.to ?? []), ...(edit.cc ?? []), ...(edit.bcc ?? [])]
    .filter((address) => !/@.+\../.test(address))
    .map((address) => ({ field: "to", message: `"${address}" is not an address` }));
  if (errors.length > 0) return problem(400, { code: "invalid_request", detail: "The request is not valid.", errors });
  const edited = Object.keys(edit).length > 0 || attachments !== undefined;
  Object.assign(mail, edit, {
    reviewed_at: new Date().toISOString(),
    reviewed_by: "owner@example.com",
    ...(action === "reject" ? { status: "rejected", rejection_reason: reason ?? null } : { status: "sent", edited }),
    ...(attachments ? { attachments: attachments.map((file, index) => ({ index, ...file, size: 1 })) } : {}),
  });
  mail.content_hash = hashOf(mail);
  const addresses = [...mail.to, ...(mail.cc ?? []), ...(mail.bcc ?? [])];
  mail.recipients = addresses.map((address) =>
    recipient(address, action === "reject" ? "cancelled" : "sent", { method: "smtp" }),
  );
  audit.unshift({
    id: `aud_${audit.length + 1}`,
    at: "2026-05-15T12:00:00Z",
    action: action === "approve" ? "approved" : "rejected",
    by: "owner@example.com",
    how: "api",
    ip: "203.0.113.7",
    message_id: mail.id,
    agent_id: mail.agent_id,
    content_hash: mail.content_hash,
  });
  const { id: message_id, status, recipients } = mail;
  return Response.json(
    action === "reject"
      ? { message_id, status, rejection_reason: mail.rejection_reason }
      : { message_id, status, edited, method: "smtp", provider_message_id: "q1", recipients },
  );
}

/** POST /agents/{email}/check: this server knows only alice@example.com. */
export function forecast(mail: NewMail): Response {
  const recipients = mail.to.map((address) => ({
    address,
    method: "smtp" as const,
    first_time: address !== "alice@example.com",
  }));
  const stranger = recipients.find(({ first_time }) => first_time);
  const answer: Forecast = stranger
    ? {
        decision: "hold",
        hold: { rule: "first_time", reason: `${stranger.address} is a first-time recipient.` },
        recipients,
      }
    : { decision: "send", recipients };
  return Response.json(answer);
}
