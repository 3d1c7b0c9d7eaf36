import { deliver } from "../smtp/smtp-client.ts";
import type { ApiAnswer, TestApp } from "./app.ts";
import type { Sink } from "./sink.ts";

const helper = "helper@e2a.localhost";
const seller = "seller@e2a.localhost";
const echo = "echo@e2a.localhost";
const pdf = { filename: "receipt.pdf", content_type: "application/pdf", data: btoa("%PDF-1.4") };
const html = `<h1>Your refund</h1><p><a href="https://evil.example.net/x">acme.example/refunds</a>,
<a href="https://xn--pple-43d.com/">apple.com</a></p><img src="https://pixel.example.org/o.png">`;

/** The limits that the sample needs: a few messages already make a loop. */
export const sampleLimits = { "limits.loop_messages": "2" };

/** Fills an account with data of every kind, good and bad, and returns the path of every page that shows it. */
export async function sampleAccount(it: TestApp, sink: Sink): Promise<Record<string, string>> {
  const api = async (method: string, path: string, body?: unknown): Promise<ApiAnswer["body"]> => {
    const answer = await it.api(method, `/api/v1${path}`, body);
    if (answer.status >= 400) throw new Error(`${method} ${path}: ${JSON.stringify(answer.body)}`);
    return answer.body;
  };
  const send = async (from: string, to: string, rest: object) => api("POST", "/send", { from, to: [to], ...rest });

  for (const slug of ["helper", "seller", "echo"])
    await api("POST", "/agents", { slug, name: `The ${slug}`, agent_mode: "local" });
  await api("PATCH", `/agents/${helper}`, { hitl_enabled: true });
  await api("PATCH", `/agents/${seller}`, { hitl_enabled: true, hitl_rules: { outside: true }, undo_seconds: 60 });
  const well = await api("POST", "/webhooks", { url: sink.url, description: "The warehouse" });
  const failing = await api("POST", "/webhooks", {
    url: `${sink.url}/fails`,
    events: ["message.held"],
    agents: [helper],
  });
  const off = await api("POST", "/webhooks", { url: "https://old.example.com/e2a" });
  await api("PATCH", `/webhooks/${off.id}`, { status: "disabled" });

  const message = "From: ann@example.com\r\nSubject: Where is my order?\r\n\r\nI want it.\r\n";
  await deliver(it.app.smtp.port, { from: "ann@example.com", to: helper, message });
  const held = await send(helper, "bob@example.org", {
    ...{ cc: ["accounts@example.org"], bcc: ["audit@example.org"], subject: "Your refund", body: "It is on its way." },
    ...{ html_body: html, attachments: [pdf] },
  });
  const rejected = await send(helper, "erin@example.org", { subject: "Reset", body: "Click here" });
  await api("POST", `/messages/${rejected.message_id}/reject`, { reason: "We never send these." });
  const changed = await send(helper, "frank@example.org", { subject: "Your invoise", body: "Pay 100.\n\nThanks" });
  const change = { subject: "Your invoice", body_text: "Pay 110.\n\nThanks" };
  await api("POST", `/messages/${changed.message_id}/approve`, change);
  const captured = await send(echo, "grace@example.org", { subject: "Summary", body: "All is well", html_body: html });
  for (const n of [1, 2, 3])
    await send(echo, "heidi@example.org", {
      subject: `Ping ${n}`,
      body: "ping",
      reply_to_message_id: "<ping@example.org>",
    });
  const { messages: waiting } = await api("GET", `/messages?status=pending_approval&agent=${echo}`);
  const queued = await send(seller, echo, { subject: "Can be undone", body: "For a minute" });

  await api("POST", "/suppressions", { address: "gone@example.com", detail: "Asked us to stop." });
  const domain = await api("POST", "/domains", { domain: "agents.example.com" });
  it.dns.zone = {
    "agents.example.com": { TXT: [domain.verification_token], MX: [{ exchange: "mx.elsewhere.example", priority: 5 }] },
  };
  await api("POST", "/keys", { name: "on the VPS", scope: "agent", agent: helper });
  await api("POST", "/users/me/signing-secrets", { name: "new" });
  const test = await api("POST", `/webhooks/${well.id}/test`);
  const { deliveries } = await api("GET", `/deliveries?webhook=${failing.id}`);
  const { events } = await api("GET", "/events?types=message.held");
  const { messages: received } = await api("GET", "/inbox");

  return {
    overview: "/",
    inbox: "/inbox",
    message: `/inbox/${received[0].agent_id}/${received[0].message_id}`,
    conversation: `/inbox/${received[0].agent_id}/thread/${received[0].conversation_id}`,
    agents: "/agents",
    "new agent": "/agents/new",
    agent: `/agents/${helper}`,
    "agent's gate": `/agents/${seller}?tab=gate`,
    "agent's settings": `/agents/${helper}?tab=settings`,
    approvals: "/approvals",
    "held message": `/approvals/${held.message_id}`,
    "stopped loop": `/approvals/${waiting[0].id}`,
    outbox: "/outbox",
    "changed message": `/outbox/${changed.message_id}`,
    "rejected message": `/outbox/${rejected.message_id}`,
    "message that can be undone": `/outbox/${queued.message_id}`,
    captured: "/captured",
    "captured message": `/captured/${captured.message_id}`,
    webhooks: "/webhooks",
    webhook: `/webhooks/${well.id}`,
    "failing webhook": `/webhooks/${failing.id}`,
    "disabled webhook": `/webhooks/${off.id}`,
    deliveries: "/deliveries",
    delivery: `/deliveries/${test.id}`,
    "failing delivery": `/deliveries/${deliveries[0].id}`,
    events: "/events",
    event: `/events/${events[0].id}`,
    domains: "/domains",
    domain: "/domains/agents.example.com",
    keys: "/keys",
    suppressions: "/suppressions",
    audit: "/audit",
    settings: "/settings",
    "link out of a mail": "/leaving?to=https%3A%2F%2Fexample.com%2F",
    "no such page": "/nowhere",
    "API reference": "/api/docs",
  };
}
