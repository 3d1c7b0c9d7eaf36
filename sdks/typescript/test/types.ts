/**
 * What the compiler knows about the SDK. None of this runs: the check compiles it against the source, and a test
 * against the installed package. An expected error that does not occur is an error.
 */
import {
  type Agent,
  APIError,
  E2AClient,
  type EventType,
  type List,
  type Message,
  type MessageSummary,
  parseWebhook,
  type Sent,
  UnverifiedEmailError,
  type WebhookMessage,
  webhookHandler,
} from "e2a-sdk";

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
function same<A, B>(_: Equal<A, B>): void {}

const client = new E2AClient({
  apiKey: "k",
  baseUrl: "https://mail.example.com",
  agentEmail: "a@b.example",
  timeoutMs: 1,
});
// @ts-expect-error a key is text
new E2AClient({ apiKey: 1 });
// @ts-expect-error an option that does not exist
new E2AClient({ apikey: "k" });

export async function calls(): Promise<void> {
  const agent = await client.agents.create({ slug: "bot", agent_mode: "local" });
  same<typeof agent, Agent>(true);
  same<typeof agent.agent_mode, "cloud" | "local">(true);
  // @ts-expect-error a mode that does not exist
  await client.agents.create({ slug: "bot", agent_mode: "both" });
  // @ts-expect-error a misspelt member
  await client.agents.update("a@b.example", { hitl_enable: true });
  // @ts-expect-error the address is missing
  await client.agents.get();

  const sent = await client.send({
    to: ["a@b.example"],
    subject: "s",
    body: "b",
    attachments: [{ filename: "f", data: new Uint8Array() }],
  });
  same<typeof sent, Sent>(true);
  // @ts-expect-error no subject
  await client.send({ to: "a@b.example", body: "b" });
  // @ts-expect-error a number is not a file
  await client.send({ to: "a@b.example", subject: "s", body: "b", attachments: [{ filename: "f", data: 1 }] });
  // @ts-expect-error a GET has no Idempotency-Key
  await client.outbox.get("msg_1", { idempotencyKey: "k" });

  const held = await client.outbox.list({ status: "pending_approval", since: new Date() });
  same<(typeof held.messages)[number]["direction"], "outbound">(true);
  // @ts-expect-error a status that does not exist
  client.outbox.list({ status: "lost" });
  // @ts-expect-error held mail always has the held status
  client.approvals.list({ status: "sent" });
  await client.approvals.approve("msg_1", { content_hash: "0", to: "a@b.example" });
}

export async function lists(): Promise<void> {
  client.keys.list({ page_size: 1, timeoutMs: 1 });
  client.secrets.list({ page_size: 1, timeoutMs: 1 });
  client.sessions.list({ page_size: 1, timeoutMs: 1 });
  client.webhooks.list({ page_size: 1, timeoutMs: 1 });
  const list = client.messages.list({ status: "unread" });
  const page = await list;
  same<typeof page.messages, MessageSummary[]>(true);
  same<typeof page.next_token, string | undefined>(true);
  for await (const summary of list) same<typeof summary, MessageSummary>(true);
  same<Awaited<ReturnType<typeof list.all>>, MessageSummary[]>(true);
  // A list of one type is a list of any wider type.
  const wider: List<unknown, { message_id: string }> = list;
  void wider;
}

export async function messages(): Promise<void> {
  for await (const message of client.listen()) {
    same<typeof message, Message>(true);
    same<typeof message.html, string | null>(true);
    same<typeof message.data.labels, string[]>(true);
    await message.reply("text");
    await message.replyAll({ body: "text", html_body: "<p>text</p>" }, { signal: AbortSignal.timeout(1) });
    // @ts-expect-error a reply has no subject of its own
    await message.reply({ body: "text", subject: "s" });
    // @ts-expect-error a message is read-only
    message.subject = "other";
    const bytes: Uint8Array = (await message.attachments[0]?.download()) ?? message.raw;
    void bytes;
  }
  await client.watch("a@b.example", {
    onMessage({ message_id, verified }, connection) {
      same<typeof message_id, string>(true);
      same<typeof verified, boolean>(true);
      return connection.aborted ? "left" : undefined;
    },
    onRetry: (_error, waitMs: number) => void waitMs,
  });
  // @ts-expect-error a word that does not exist
  await client.watch("a@b.example", { onMessage: () => "later" });
  await client.send(
    { to: "a@b.example", subject: "s", body: "b" },
    { retries: (_error, attempt) => (attempt < 3 ? 100 : null), onUpload: (sent, total) => void (sent / total) },
  );
  for await (const event of client.events.follow()) {
    same<typeof event.type, EventType>(true);
    if (event.type === "message.bounced") same<typeof event.data.recipient, string>(true);
    // @ts-expect-error only some event types have it
    event.data.recipient;
  }
  for await (const event of client.events.follow({ types: ["message.held", "loop.stopped"], after: "evt_1" }))
    same<typeof event.data.recipients, string[]>(true);
  // @ts-expect-error a type that does not exist
  client.events.follow({ types: ["message.lost"] });
}

export async function webhooks(request: Request): Promise<void> {
  const event = await parseWebhook(await request.text(), request.headers, ["secret"]);
  if (event.source === "agent") {
    same<typeof event.data, WebhookMessage>(true);
    same<typeof event.data.in_reply_to, string | null>(true);
    same<typeof event.id, string | null>(true);
  } else if (event.type === "domain.degraded") same<typeof event.data.domain, string>(true);
  const message = await client.messages.of(event);
  same<typeof message.subject, string>(true);
  // @ts-expect-error the two cases must be told apart first
  message.data.labels;
  // @ts-expect-error a parsed body has lost its bytes
  await parseWebhook({ message_id: "msg_1" }, request.headers, "secret");
  await parseWebhook(new Uint8Array(), { "webhook-id": "x", other: undefined, more: ["a", "b"] }, "secret");
  await parseWebhook(new ArrayBuffer(0), null, undefined, { now: new Date() });
  const POST: (request: Request) => Promise<Response> = webhookHandler(({ type }) => type);
  void POST;
}

export function errors(error: unknown): string | undefined {
  if (error instanceof UnverifiedEmailError) {
    // @ts-expect-error a reason that does not exist
    if (error.reason === "unknown") return;
    return error.reason;
  }
  if (!(error instanceof APIError)) return;
  same<typeof error.status, number>(true);
  same<typeof error.fix, string | undefined>(true);
  return error.errors.map(({ field, message }) => `${field} ${message}`).join() + error.code + error.requestId;
}
