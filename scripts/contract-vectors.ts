import { createHash } from "node:crypto";
import { join } from "node:path";
import { authHeaders, standardWebhookHeaders, standardWebhookSecret } from "../src/notify/sign.ts";
import { noClaims } from "../src/wire/message.ts";

/**
 * Writes sdks/contract/vectors.json: webhook requests, and whether an SDK must accept them. A test fails if the file is
 * outdated.
 *
 *   bun scripts/contract-vectors.ts
 */

const path = join(import.meta.dir, "../sdks/contract/vectors.json");

/** The receiver's time, unless a vector says otherwise: a minute after signing. */
const now = "2026-05-15T12:01:00Z";
const signedAt = new Date("2026-05-15T12:00:00Z");

const secrets = {
  current: "0123456789abcdef".repeat(4),
  next: "fedcba9876543210".repeat(4),
  other: "00ff00ff00ff00ff".repeat(4),
};
const forms = { current_whsec: standardWebhookSecret(secrets.current) };
type SecretName = keyof typeof secrets | keyof typeof forms;

const raw =
  "From: alice@example.com\r\nTo: bot@agents.example.com\r\nSubject: Hi\r\nMessage-ID: <abc@example.com>\r\n\r\nHello\r\n";
const swappedRaw = raw.replace("Hello", "Pay me");
const messageId = "msg_00112233445566778899aabbccddeeff";
const eventId = "evt_00112233445566778899aabbccddeeff";
const base64 = (text: string) => Buffer.from(text).toString("base64");

type Headers = Record<string, string>;
interface Request {
  body: string;
  headers: Headers;
}

const message = {
  verified: true,
  sender: "alice@example.com",
  entityType: "human" as const,
  domainCheck: "spf=pass; dkim=none",
  messageId,
  bodyHash: createHash("sha256").update(raw).digest("hex"),
};

const auth = (by: string[] = [secrets.current], at = signedAt, more: object = {}) =>
  authHeaders({ ...message, ...more }, by, at);

/** The body of an agent's webhook. */
function agentBody(authOf: Headers, change: object = {}): string {
  return JSON.stringify({
    type: "message.received",
    event_id: eventId,
    message_id: messageId,
    conversation_id: "conv_00112233445566778899aabbccddeeff",
    from: "alice@example.com",
    to: ["bot@agents.example.com"],
    recipient: "bot+news@agents.example.com",
    subject: "Hi",
    received_at: "2026-05-15T11:59:59.000Z",
    verified: true,
    ...noClaims,
    auth_headers: authOf,
    text: "Hello\n",
    html: null,
    reply_text: "Hello",
    attachments: [],
    raw_message: base64(raw),
    ...change,
  });
}

function agentRequest(options: { by?: string[]; at?: Date; change?: object; auth?: object } = {}): Request {
  const { by = [secrets.current], at = signedAt } = options;
  const signed = auth(by, at, options.auth);
  const body = agentBody(signed, options.change);
  return { body, headers: { ...signed, ...standard(body, by, at) } };
}

const standard = (body: string, by: string[] = [secrets.current], at = signedAt) =>
  standardWebhookHeaders({ id: eventId, body, secrets: by, now: at });

const accountEvent = {
  id: eventId,
  type: "message.bounced",
  timestamp: "2026-05-15T11:59:59.000Z",
  agent_id: "bot@agents.example.com",
  data: {
    message_id: messageId,
    agent_id: "bot@agents.example.com",
    recipient: "grüße@example.com",
    status: "bounced",
  },
};
const receivedEvent = {
  ...accountEvent,
  type: "message.received",
  data: { message_id: messageId, agent_id: "bot@agents.example.com", from: "alice@example.com", verified: true },
};

function accountRequest(event: object, by: string[] = [secrets.current], at = signedAt): Request {
  const body = JSON.stringify(event);
  return { body, headers: standard(body, by, at) };
}

const without = (headers: Headers, ...names: string[]) =>
  Object.fromEntries(Object.entries(headers).filter(([name]) => !names.includes(name)));
const only = (headers: Headers, start: RegExp) =>
  Object.fromEntries(Object.entries(headers).filter(([name]) => start.test(name)));
const lower = (headers: Headers) =>
  Object.fromEntries(Object.entries(headers).map(([name, v]) => [name.toLowerCase(), v]));
/** Changes the first hex or base64 digit after position `after`. */
const forged = (text: string, after = 0) =>
  text.slice(0, after) + (text[after] === "a" ? "b" : "a") + text.slice(after + 1);

interface Outcome {
  secrets?: SecretName[];
  now?: string;
  proven?: "body" | "message";
  expect?: object;
  unreadable?: readonly string[];
  reason?: "missing" | "signature" | "stale" | "future" | "malformed" | "body";
}

const vectors: object[] = [];
function add(name: string, request: { body: string; headers: Headers | null }, outcome: Outcome): void {
  const { secrets: by = ["current"], reason, ...rest } = outcome;
  const valid = reason === undefined;
  vectors.push({ name, ...request, secrets: by, valid, ...(valid ? rest : { ...rest, reason }) });
}

const whole = agentRequest();
const wholeExpect = {
  id: eventId,
  type: "message.received",
  agent_id: "bot@agents.example.com",
  source: "agent",
  timestamp: "2026-05-15T11:59:59.000Z",
  data: { message_id: messageId, from: "alice@example.com", subject: "Hi", text: "Hello\n", verified: true },
};
const provenBody = { proven: "body", expect: wholeExpect } as const;
const provenMessage = {
  proven: "message",
  expect: {
    type: "message.received",
    id: null,
    timestamp: null,
    agent_id: null,
    source: "agent",
    data: { message_id: messageId, from: "alice@example.com", verified: true },
  },
  unreadable: ["subject", "text", "html", "reply_text", "attachments", "to", "conversation_id"],
} as const;

add("an agent's webhook", whole, provenBody);
add("header names in lower case", { ...whole, headers: lower(whole.headers) }, provenBody);
add("the secret as whsec_", whole, { ...provenBody, secrets: ["current_whsec"] });
add("one of several secrets", whole, { ...provenBody, secrets: ["other", "current", "next"] });
add(
  "signed by the new and the old secret, the old one known",
  agentRequest({ by: [secrets.next, secrets.current] }),
  provenBody,
);
add("signed by the new and the old secret, the new one known", agentRequest({ by: [secrets.next, secrets.current] }), {
  ...provenBody,
  secrets: ["next"],
});
add("only the auth headers in the body are at hand", { body: whole.body, headers: null }, provenMessage);
add("only the X-E2A-Auth headers", { ...whole, headers: only(whole.headers, /^X-/) }, provenMessage);
const rotated = agentRequest({ by: [secrets.next, secrets.other, secrets.current] });
add(
  "the previous signatures in the X-E2A-Auth headers",
  { ...rotated, headers: only(rotated.headers, /^X-/) },
  provenMessage,
);
add(
  "the auth headers in the body, a delegation among them",
  agentRequest({ auth: { delegation: "carol@example.com" } }),
  provenBody,
);
const unicode = agentRequest({ auth: { sender: "jörg@bücher.example" }, change: { from: "jörg@bücher.example" } });
add("a sender outside ASCII", unicode, { proven: "body", expect: { data: { from: "jörg@bücher.example" } } });
add(
  "a sender outside ASCII, as its header writes it",
  { ...unicode, headers: null },
  {
    proven: "message",
    expect: { data: { from: "j\\x{F6}rg@xn--bcher-kva.example" } },
  },
);
add("30 seconds early", whole, { ...provenBody, now: "2026-05-15T11:59:30Z" });
add("300 seconds old", whole, { ...provenBody, now: "2026-05-15T12:05:00Z" });

const account = accountRequest(accountEvent);
add("an account's webhook", account, { proven: "body", expect: { ...accountEvent, source: "account" } });
add(
  "an account's webhook for received mail",
  (() => {
    const request = accountRequest(receivedEvent);
    return { ...request, headers: { ...auth(), ...request.headers } };
  })(),
  { proven: "body", expect: receivedEvent },
);
add(
  "an account's webhook, the second of its signatures",
  accountRequest(accountEvent, [secrets.next, secrets.current]),
  {
    proven: "body",
    expect: accountEvent,
  },
);

add("31 seconds early", whole, { reason: "future", now: "2026-05-15T11:59:29Z" });
add("301 seconds old", whole, { reason: "stale", now: "2026-05-15T12:05:01Z" });
add(
  "only the auth headers in the body, stale",
  { body: whole.body, headers: null },
  { reason: "stale", now: "2026-05-15T13:00:00Z" },
);
add(
  "a new Standard Webhooks signature around stale auth headers",
  (() => {
    const body = agentBody(auth([secrets.current], new Date("2026-05-15T11:00:00Z")));
    return { body, headers: standard(body) };
  })(),
  { reason: "stale" },
);
add("another secret", whole, { reason: "signature", secrets: ["other"] });
add("a secret that is not used any more", agentRequest({ by: [secrets.next] }), { reason: "signature" });
const signatureOf = whole.headers["webhook-signature"] ?? "";
add(
  "a forged Standard Webhooks signature",
  {
    ...whole,
    headers: { ...whole.headers, "webhook-signature": forged(signatureOf, 3) },
  },
  { reason: "signature" },
);
// Compared no further than the shorter one reaches, these would be right.
for (const [name, signature] of [
  ["only the beginning of a Standard Webhooks signature", signatureOf.slice(0, "v1,".length + 4)],
  ["a Standard Webhooks signature of no bytes", "v1,"],
])
  add(
    name as string,
    { ...whole, headers: { ...whole.headers, "webhook-signature": signature as string } },
    { reason: "signature" },
  );
add(
  "a Standard Webhooks signature of an unknown version",
  {
    ...whole,
    headers: { ...whole.headers, "webhook-signature": signatureOf.replace("v1,", "v9,") },
  },
  { reason: "signature" },
);
add(
  "a forged X-E2A-Auth-Signature",
  {
    ...whole,
    headers: { ...whole.headers, "X-E2A-Auth-Signature": forged(whole.headers["X-E2A-Auth-Signature"] ?? "") },
  },
  { reason: "signature" },
);
add(
  "only the beginning of X-E2A-Auth-Signature",
  {
    ...whole,
    headers: {
      ...only(whole.headers, /^X-/),
      "X-E2A-Auth-Signature": whole.headers["X-E2A-Auth-Signature"]?.slice(0, 2) ?? "",
    },
  },
  { reason: "signature" },
);
add(
  "X-E2A-Auth-Signature is empty",
  {
    body: agentBody({}),
    headers: { ...only(whole.headers, /^X-/), "X-E2A-Auth-Signature": "" },
  },
  { reason: "missing" },
);
add(
  "a previous signature that is no signature",
  {
    body: whole.body,
    headers: {
      ...only(whole.headers, /^X-/),
      "X-E2A-Auth-Signature": "0".repeat(64),
      "X-E2A-Auth-Signature-Previous": `zz ${"0".repeat(63)}  ü`,
    },
  },
  { reason: "signature" },
);
add(
  "verified set by somebody else",
  {
    body: whole.body,
    headers: { ...only(whole.headers, /^X-/), "X-E2A-Auth-Verified": "false" },
  },
  { reason: "signature" },
);
add(
  "one byte of the text changed",
  { ...whole, body: whole.body.replace('"Hello\\n"', '"Jello\\n"') },
  { reason: "signature" },
);
add(
  "one byte of the mail changed",
  {
    ...whole,
    body: whole.body.replace(base64(raw), base64(raw.replace("Hello", "Jello"))),
  },
  { reason: "signature" },
);
add("a space behind the body", { ...whole, body: `${whole.body} ` }, { reason: "signature" });
add(
  "only the X-E2A-Auth headers, another mail in the body",
  {
    body: agentBody(auth(), { raw_message: base64(swappedRaw) }),
    headers: only(whole.headers, /^X-/),
  },
  { reason: "body" },
);
add(
  "only the X-E2A-Auth headers, no mail in the body",
  {
    body: agentBody(auth(), { raw_message: undefined }),
    headers: only(whole.headers, /^X-/),
  },
  { reason: "body" },
);
add(
  "only the X-E2A-Auth headers, one byte of the mail changed",
  {
    body: agentBody(auth(), { raw_message: base64(raw.replace("Hello", "Jello")) }),
    headers: only(whole.headers, /^X-/),
  },
  { reason: "body" },
);
add(
  "only the X-E2A-Auth headers, another message id in the body",
  {
    body: agentBody(auth(), { message_id: messageId.replace("00", "ff") }),
    headers: only(whole.headers, /^X-/),
  },
  { reason: "body" },
);
add(
  "only the X-E2A-Auth headers, verified in the body only",
  {
    body: agentBody(auth([secrets.current], signedAt, { verified: false })),
    headers: only(auth([secrets.current], signedAt, { verified: false }), /^X-/),
  },
  { reason: "body" },
);
add(
  "only the X-E2A-Auth headers, the message id in data",
  {
    body: agentBody(auth(), { message_id: undefined, data: { message_id: messageId } }),
    headers: only(whole.headers, /^X-/),
  },
  { reason: "body" },
);
add(
  "the headers of another message",
  (() => {
    const request = accountRequest(receivedEvent);
    const of = auth([secrets.current], signedAt, { messageId: messageId.replace("00", "ff") });
    return { ...request, headers: { ...of, ...request.headers } };
  })(),
  { reason: "body" },
);
add("the body is no JSON", { body: "Hello", headers: standard("Hello") }, { reason: "malformed" });
add("the body is a list", { body: "[1]", headers: standard("[1]") }, { reason: "malformed" });
add(
  "the body is no JSON, with X-E2A-Auth headers",
  { body: "Hello", headers: only(whole.headers, /^X-/) },
  { reason: "malformed" },
);
add("no headers, and none in the body", { body: agentBody({}), headers: {} }, { reason: "missing" });
add(
  "no headers, and auth_headers is no object",
  { body: JSON.stringify({ auth_headers: "yes" }), headers: null },
  { reason: "missing" },
);
add("an account's webhook without its headers", { ...account, headers: {} }, { reason: "missing" });
for (const name of ["webhook-id", "webhook-timestamp"])
  add(`no ${name}`, { ...account, headers: without(account.headers, name) }, { reason: "missing" });
add(
  "no X-E2A-Auth-Timestamp",
  { ...whole, headers: without(only(whole.headers, /^X-/), "X-E2A-Auth-Timestamp") },
  { reason: "missing" },
);
add(
  "another webhook-id",
  { ...account, headers: { ...account.headers, "webhook-id": "evt_0" } },
  { reason: "signature" },
);
add(
  "a webhook-timestamp that is no number",
  {
    ...account,
    headers: { ...account.headers, "webhook-timestamp": "1778846400x" },
  },
  { reason: "signature" },
);
add("an account's webhook, stale", account, { reason: "stale", now: "2026-05-15T12:05:01Z" });
add(
  "an account's webhook, another event type",
  {
    ...account,
    body: account.body.replace("message.bounced", "message.sent"),
  },
  { reason: "signature" },
);

/** The expected content of the file. */
export function contractVectors(): object {
  return { now, secrets: { ...secrets, ...forms }, vectors };
}

if (import.meta.main) await Bun.write(path, `${JSON.stringify(contractVectors(), null, 2)}\n`);
