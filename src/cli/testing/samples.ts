/** Agents, domains and messages as the wire shows them, for tests of the command line. */
import type { Agent, Domain, MessageDetail } from "../client.ts";

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
    ...more,
  };
}
