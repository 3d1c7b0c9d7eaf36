/** Agents, domains and messages as the wire shows them, for tests of the command line. */
import type { Agent, Domain, MessageDetail, Outbound } from "../connect/shapes.ts";

/** An agent with an address and what else matters to the test. */
export function agent(email: string, more: Partial<Agent> = {}): Agent {
  return {
    id: email,
    domain: email.split("@")[1] ?? "",
    email,
    name: "",
    webhook_url: null,
    agent_mode: "local",
    domain_verified: true,
    created_at: new Date().toISOString(),
    hitl_enabled: false,
    ...more,
  };
}

/** A domain that is not verified yet. */
export function domain(name: string, more: Partial<Domain> = {}): Domain {
  const token = `e2a-verify=${"0".repeat(32)}`;
  return {
    domain: name,
    verified: false,
    verification_token: token,
    dns_records: {
      mx: { host: name, value: "mx.e2a.localhost", priority: 10 },
      txt: { host: `_e2a.${name}`, value: token },
      dkim: { host: `s1._domainkey.${name}`, value: `v=DKIM1; k=rsa; p=${"A".repeat(392)}` },
    },
    created_at: new Date().toISOString(),
    ...more,
  };
}

/** A received, proven message to bot@e2a.localhost, and what else matters to the test. */
export function message(n: number, more: Partial<MessageDetail> = {}): MessageDetail {
  const raw = `From: alice@example.com\r\nSubject: Hello ${n}\r\n\r\nText ${n}\r\n`;
  return {
    message_id: `msg_${n.toString(16).padStart(32, "0")}`,
    from: "alice@example.com",
    to: ["bot@e2a.localhost"],
    recipient: "bot@e2a.localhost",
    subject: `Hello ${n}`,
    conversation_id: null,
    status: "unread",
    created_at: new Date().toISOString(),
    verified: true,
    verified_domain: "example.com",
    auth_headers: {},
    raw_message: Buffer.from(raw).toString("base64"),
    text: `Text ${n}`,
    attachments: [],
    ...more,
  };
}

/** A mail that bot@e2a.localhost sent to bob@example.com, and what else matters to the test. */
export function outbound(n: number, more: Partial<Outbound> = {}): Outbound {
  const at = new Date().toISOString();
  return {
    id: `msg_${n.toString(16).padStart(32, "0")}`,
    agent_id: "bot@e2a.localhost",
    direction: "outbound",
    subject: `Report ${n}`,
    type: "send",
    conversation_id: `conv_${n.toString(16).padStart(32, "0")}`,
    from: "bot@e2a.localhost",
    to: ["bob@example.com"],
    status: "sent",
    created_at: at,
    email_message_id: `<${n}@e2a.localhost>`,
    body_text: `Text ${n}`,
    recipients: [{ address: "bob@example.com", status: "sent", method: "smtp", attempts: 1, at }],
    ...more,
  };
}
