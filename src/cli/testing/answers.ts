/**
 * Answers of the server as docs/openapi.json describes them, for cases that it does not reach in a test without help.
 */
import type {
  Agent,
  ApiKey,
  Delivery,
  DeliveryDetail,
  Domain,
  MessageDetail,
  MessageSummary,
  Outbound,
  Webhook,
} from "../../../sdks/typescript/src/index.ts";

const at = "2026-05-15T12:00:00.000Z";
const hex = (n: number) => n.toString(16).padStart(32, "0");

/** An agent with an address; `more` overrides other members. */
export function agent(email: string, more: Partial<Agent> = {}): Agent {
  return {
    ...{ id: email, domain: email.split("@")[1] ?? "", email, name: "", webhook_url: "", agent_mode: "local" },
    ...{
      domain_verified: true,
      created_at: new Date().toISOString(),
      paused: false,
      undo_seconds: 0,
      webhook_status: "enabled",
    },
    ...{ hitl_enabled: false, hitl_ttl_seconds: 604_800, hitl_expiration_action: "reject", hitl_notify_email: true },
    ...{ hitl_rules: null, hitl_allow: [], hitl_reviewers: [] },
    ...more,
  };
}

const named = (name: string) => ({ host: name, name });

/** A domain that is not verified yet. */
export function domain(name: string, more: Partial<Domain> = {}): Domain {
  const token = `e2a-verify=${"0".repeat(32)}`;
  return {
    ...{ domain: name, verified: false, verification_token: token, paused: false },
    dns_records: {
      mx: { host: "@", name, value: "mx.e2a.localhost", priority: 10 },
      txt: { host: "@", name, value: token },
      dkim: { ...named(`s1._domainkey.${name}`), value: `v=DKIM1; k=rsa; p=${"A".repeat(392)}` },
      spf: { ...named(name), value: "v=spf1 mx ~all" },
      dmarc: { ...named(`_dmarc.${name}`), value: "v=DMARC1; p=none" },
    },
    created_at: new Date().toISOString(),
    ...more,
  };
}

/** A received, verified message to bot@e2a.localhost; `more` overrides other members. */
export function message(n: number, more: Partial<MessageDetail> = {}): MessageDetail {
  const raw = `From: alice@example.com\r\nSubject: Hello ${n}\r\n\r\nText ${n}\r\n`;
  return {
    ...summary(n),
    ...{ auth_headers: {}, raw_message: Buffer.from(raw).toString("base64"), envelope_from: "alice@example.com" },
    ...{ email_message_id: `<${n}@example.com>`, text: `Text ${n}`, html: null, reply_text: `Text ${n}` },
    ...{ attachments: [], headers: [], defects: [] },
    authentication: {
      ...{ spf: { result: "none", domain: "" }, dkim: [], arc: { result: "none" }, unsigned: [] },
      dmarc: { result: "pass", policy: "reject", aligned_by: ["dkim"] },
    },
    ...more,
  };
}

/** As `message`, but as in a list. */
export function summary(n: number, more: Partial<MessageSummary> = {}): MessageSummary {
  return {
    ...{ message_id: `msg_${hex(n)}`, conversation_id: `conv_${hex(n)}`, direction: "inbound", status: "unread" },
    ...{ from: "alice@example.com", from_name: "", to: ["bot@e2a.localhost"], recipient: "bot@e2a.localhost" },
    ...{ subject: `Hello ${n}`, snippet: `Text ${n}`, created_at: new Date().toISOString(), labels: [] },
    ...{ verified: true, verified_domain: "example.com", has_attachments: false },
    ...{ auto_submitted: null, list_id: null, precedence: null, in_reply_to: null },
    ...more,
  };
}

/** A mail that bot@e2a.localhost sent to bob@example.com; `more` overrides other members. */
export function outbound(n: number, more: Partial<Outbound> = {}): Outbound {
  return {
    ...{ id: `msg_${hex(n)}`, agent_id: "bot@e2a.localhost", direction: "outbound", type: "send", status: "sent" },
    ...{
      subject: `Report ${n}`,
      conversation_id: `conv_${hex(n)}`,
      from: "bot@e2a.localhost",
      to: ["bob@example.com"],
    },
    ...{ created_at: new Date().toISOString(), email_message_id: `<${n}@e2a.localhost>`, body_text: `Text ${n}` },
    ...{ edited: false, attempts: 1, recipients: [recipient("bob@example.com", "sent", { method: "smtp" })] },
    ...more,
  };
}

/** A mail that is held for a week because a recipient is a first-time one. */
export function heldMail(n: number, more: Partial<Outbound> = {}): Outbound {
  const mail = outbound(n, {
    status: "pending_approval",
    hold: { rule: "first_time", reason: "bob@example.com is a first-time recipient." },
    first_time: ["bob@example.com"],
    approval_expires_at: new Date(Date.now() + 7 * 86_400_000 + n * 60_000).toISOString(),
    content_hash: n.toString(16).padStart(64, "0"),
    ...more,
  });
  const addresses = [...mail.to, ...(mail.cc ?? []), ...(mail.bcc ?? [])];
  return { ...mail, recipients: addresses.map((address) => recipient(address, "held", { attempts: 0 })) };
}

type Recipient = Outbound["recipients"][number];

/** A recipient of a mail; `more` overrides other members. */
export function recipient(address: string, status: Recipient["status"], more: Partial<Recipient> = {}): Recipient {
  return { address, status, attempts: 1, at: new Date().toISOString(), smtp_reply: null, error: null, ...more };
}

/** A webhook for all events; `more` overrides other members. */
export function webhook(n: number, more: Partial<Webhook> = {}): Webhook {
  const own = { id: `whk_${hex(n)}`, url: `https://example.com/${n}`, status: "enabled" as const };
  return { ...own, events: [], agents: [], description: "", created_at: at, updated_at: at, ...more };
}

/** A delivery that succeeded at once; `more` overrides other members. */
export function delivery(n: number, more: Partial<DeliveryDetail> = {}): DeliveryDetail {
  const tries = [{ attempt: 1, started_at: at, duration_ms: 34, status: 200, error: null, answer: "ok" }];
  return { ...listedDelivery(n), tries, ...more };
}

/** As `delivery`, but as in a list. */
export function listedDelivery(n: number, more: Partial<Delivery> = {}): Delivery {
  return {
    ...{ id: `dlv_${hex(n)}`, event_id: `evt_${hex(n)}`, event_type: "message.received" },
    ...{ endpoint_id: `whk_${hex(1)}`, webhook_id: `whk_${hex(1)}`, url: "https://example.com/1" },
    ...{ status: "succeeded", attempts: 1, last_status: 200, created_at: at, finished_at: at },
    ...more,
  };
}

/** A key of the account; `more` overrides other members. */
export function key(n: number, more: Partial<ApiKey> = {}): ApiKey {
  return {
    ...{ id: `apk_${hex(n)}`, name: `key ${n}`, scope: "account", agent: null, key_prefix: `e2a_${n}234567` },
    ...{ created_at: at, expires_at: null, last_used_at: null },
    ...more,
  };
}
