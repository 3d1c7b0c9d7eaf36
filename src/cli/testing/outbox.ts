/** The sending half of the wire, for tests of the command line: it keeps mails and never sends one. */
import type { OutboundStatus, OutboundType, RecipientStatus } from "../../mail.ts";
import type { MessageDetail, NewForward, NewMail, NewReply, Outbound, Recipient, Sent } from "../connect/shapes.ts";
import { outbound } from "./samples.ts";

/** What came, beside the wire: the body as posted. */
type Posted = Partial<NewMail> & Partial<NewReply> & Partial<NewForward>;

export class WireOutbox {
  /** Newest last; the wire shows them newest first. */
  mails: Outbound[] = [];
  /** What becomes of the next mails. */
  next: Partial<Pick<Sent, "status" | "method" | "hold" | "approval_expires_at" | "recipients">> = {};
  private readonly answered = new Map<string, { request: string; answer: Sent; status: number }>();

  /** POST /send, …/reply, …/forward: once for an Idempotency-Key. */
  post(request: Request, path: string, body: Posted, original?: MessageDetail): Response {
    const key = request.headers.get("idempotency-key");
    const before = this.answered.get(key ?? "");
    const asked = JSON.stringify([path, body]);
    if (before) {
      if (before.request !== asked) return problem(422, { code: "idempotency_key_reused", detail: "Another request." });
      return Response.json(before.answer, { status: before.status, headers: { "idempotency-replayed": "true" } });
    }
    const type = path === "/send" ? "send" : path.endsWith("/reply") ? "reply" : "forward";
    const to = body.to ?? original?.reply_to ?? (original ? [original.from] : []);
    const errors = [...to, ...(body.cc ?? []), ...(body.bcc ?? [])]
      .filter((address) => !address.includes("@"))
      .map((address) => ({ field: "to", message: `"${address}" is not an address` }));
    if (type !== "forward" && typeof body.body !== "string") errors.push({ field: "body", message: "is missing" });
    if (type === "send" && typeof body.subject !== "string") errors.push({ field: "subject", message: "is missing" });
    if (errors.length > 0)
      return problem(400, { code: "invalid_request", detail: "The request is not valid.", errors });
    const mail = this.keep(type, to, body, original);
    const queued = request.headers.get("prefer") === "respond-async" && mail.status === "sent";
    if (queued) Object.assign(mail, { status: "queued", recipients: mail.recipients.map(asQueued) });
    const { id, method, email_message_id, conversation_id, approval_expires_at, hold, recipients } = mail;
    const answer: Sent = {
      message_id: id,
      status: mail.status,
      ...(mail.status === "sent" && method ? { method } : {}),
      ...(hold ? { hold, approval_expires_at: approval_expires_at ?? null } : {}),
      email_message_id: email_message_id ?? "",
      conversation_id: conversation_id ?? null,
      recipients,
    };
    const status = mail.status === "sent" ? 200 : 202;
    if (key) this.answered.set(key, { request: asked, answer, status });
    return Response.json(answer, { status });
  }

  /** GET /messages, GET /messages/{id}, POST …/cancel, POST …/release */
  answer(query: URLSearchParams, id: string, action: string | undefined): Response {
    if (id === "") return this.list(query);
    const mail = this.mails.find((candidate) => candidate.id === id);
    if (!mail) return problem(404, { detail: `There is no message ${id}.`, code: "not_found" });
    if (action === "cancel") {
      const open: RecipientStatus[] = ["held", "queued", "deferred"];
      const stopped = mail.recipients.filter(({ status }) => open.includes(status));
      if (stopped.length === 0) return problem(409, { code: "conflict", detail: "The message has left already." });
      for (const recipient of stopped) recipient.status = "cancelled";
      if (stopped.length === mail.recipients.length) mail.status = "cancelled";
    }
    if (action === "release") {
      if (mail.hold?.rule !== "loop") return problem(409, { code: "conflict", detail: "Nothing holds the message." });
      Object.assign(mail, { status: "queued", hold: null, recipients: mail.recipients.map(asQueued) });
    }
    return Response.json(mail);
  }

  /** GET /agents/{email}/messages?direction=outbound&conversation_id=… */
  inConversation(query: URLSearchParams): Response {
    const id = query.get("conversation_id");
    return Response.json({ messages: this.mails.filter((mail) => mail.conversation_id === id) });
  }

  private list(query: URLSearchParams): Response {
    const [status, agent] = [query.get("status"), query.get("agent")];
    const start = Number(query.get("token") ?? 0);
    const matching = this.mails
      .toReversed()
      .filter((mail) => (!status || mail.status === status) && (!agent || mail.agent_id === agent));
    const end = start + Number(query.get("page_size") ?? 50);
    const next = end < matching.length ? { next_token: String(end) } : {};
    return Response.json({ messages: matching.slice(start, end), ...next });
  }

  private keep(type: OutboundType, to: string[], body: Posted, original?: MessageDetail): Outbound {
    const status: OutboundStatus = this.next.status ?? "sent";
    const method = this.next.method ?? "relay";
    const fate: RecipientStatus = status === "sent" ? "sent" : status === "queued" ? "queued" : "held";
    const addresses = [...to, ...(body.cc ?? []), ...(body.bcc ?? [])];
    const mail = outbound(this.mails.length + 1, {
      type,
      from: body.from ?? original?.recipient ?? "",
      to,
      subject: body.subject ?? `Re: ${original?.subject}`,
      body_text: body.body ?? "",
      status,
      ...(status === "sent" ? { method } : {}),
      ...this.next,
      recipients: this.next.recipients ?? addresses.map((address) => recipient(address, fate, { method })),
    });
    this.mails.push(mail);
    return mail;
  }
}

/** One recipient of a mail, and what else matters to the test. */
export function recipient(address: string, status: RecipientStatus, more: Partial<Recipient> = {}): Recipient {
  return { address, status, attempts: status === "held" ? 0 : 1, at: new Date().toISOString(), ...more };
}

function asQueued(one: Recipient): Recipient {
  return recipient(one.address, "queued", { attempts: 0 });
}

/** A problem document (RFC 9457). */
export function problem(
  status: number,
  members: Record<string, unknown>,
  headers: Record<string, string> = {},
): Response {
  const body = { type: "about:blank", title: "Refused", status, request_id: "req_1", ...members };
  return Response.json(body, { status, headers: { ...headers, "content-type": "application/problem+json" } });
}
