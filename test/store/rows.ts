import { Database } from "bun:sqlite";
import { type AgentMode, READER_VERSION, splitAddress } from "../../src/mail.ts";
import { type AgentChanges, newAgent } from "../../src/store/accounts/agents.ts";
import type { InboundMail } from "../../src/store/mail/received.ts";
import type { Decision } from "../../src/store/outbound/holds.ts";
import type { Notice } from "../../src/store/outbound/notices.ts";
import type { NewOutbound, Outbound } from "../../src/store/outbound/outbound.ts";
import type { SendLimits } from "../../src/store/outbound/send-limits.ts";
import type { AgentRow, DomainRow, Hold, RecipientRow, UserRow } from "../../src/store/schema.ts";
import type { Store } from "../../src/store/store.ts";
import { newId } from "../../src/util/id.ts";
import { newSecret, unique } from "./stores.ts";

/** The creation time of test rows, unless they give another. */
export const noon = new Date("2026-05-15T12:00:00.123Z");

/** `ms` after noon. */
export function later(ms: number): Date {
  return new Date(noon.getTime() + ms);
}

/** A new account with a signing secret. */
export function addAccount(store: Store, now = noon): Promise<UserRow> {
  return store.createAccount({ email: `${unique("person")}@people.example`, name: "", secret: newSecret(), now });
}

/** A new agent; with `cloud` it has a webhook, so each message makes a delivery. A new account owns it unless given. */
export async function addAgent(
  store: Store,
  options: { userId?: string; address?: string; mode?: AgentMode; now?: Date } = {},
): Promise<AgentRow> {
  const mode = options.mode ?? "local";
  const agent = newAgent(
    {
      id: options.address ?? `${unique("bot")}@agents.example`,
      userId: options.userId ?? (await addAccount(store)).id,
      name: "Bot",
      webhookUrl: mode === "cloud" ? "https://hooks.example/in" : "",
      mode,
    },
    options.now ?? noon,
  );
  // Whatever domain the test chose: if no account has proven it, it belongs to the server.
  if (!(await store.hostedDomain(agent.domain))) await store.ensureSharedDomain({ domain: agent.domain, now: noon });
  return store.createAgent(agent, 1_000);
}

/** A domain that the account has proven. */
export async function addDomain(store: Store, userId: string, domain: string): Promise<DomainRow> {
  const claim = await store.createDomain({
    userId,
    domain,
    verificationToken: unique("token"),
    dkimKeys: [],
    domainsMax: 1_000,
    now: noon,
  });
  return store.markDomainVerified(claim.id, noon);
}

type Overrides = Partial<Omit<InboundMail, "content" | "raw">> & {
  content?: Partial<InboundMail["content"]>;
  /** The stored bytes; unique unless given. */
  bytes?: Uint8Array;
};

/** A received message for these mailboxes, different from every other one unless `changes` say otherwise. */
export function mailFor(mailboxes: string | string[], changes: Overrides = {}): InboundMail {
  const bytes = changes.bytes ?? Buffer.from(`Received: ${unique("by")}\r\n\r\nHello\r\n`);
  const { content, bytes: _, ...rest } = changes;
  return {
    envelopeFrom: "alice@sender.example",
    recipients: [mailboxes].flat().map((mailbox) => recipient(mailbox)),
    raw: { sha256: new Bun.CryptoHasher("sha256").update(bytes).digest("hex"), bytes },
    content: {
      text: "Hello",
      html: null,
      replyText: "Hello",
      headers: [{ name: "Subject", value: "Greeting" }],
      attachments: [],
      defects: [],
      reader: READER_VERSION,
      ...content,
    },
    emailMessageId: `<${unique("id")}@sender.example>`,
    references: [],
    from: [{ address: "alice@sender.example", name: "Alice" }],
    to: [mailboxes].flat().map((address) => ({ address, name: "" })),
    cc: [],
    replyTo: [],
    subject: "Greeting",
    snippet: "Hello",
    entityType: "human",
    verdict: {
      authentication: {
        spf: { result: "pass", domain: "sender.example" },
        dkim: [],
        dmarc: { result: "pass", policy: "reject", aligned_by: ["spf"] },
        arc: { result: "none" },
      },
      verified: true,
      verifiedDomain: "sender.example",
      domainCheck: "spf=pass; dmarc=pass",
      authenticationResults: "mx.example; spf=pass",
    },
    autoSubmitted: null,
    listId: null,
    precedence: null,
    inReplyTo: null,
    dedupeKey: null,
    receivedAt: noon,
    ...rest,
  };
}

/** One recipient of a message: the mailbox, and the address that the sender used. */
export function recipient(mailbox: string, address = mailbox): InboundMail["recipients"][number] {
  return { address, mailbox, messageId: newId("msg") };
}

/** Stores a message for one agent and returns its row. */
export async function addMessage(store: Store, agentId: string, changes: Overrides = {}) {
  const [accepted] = await store.acceptInbound(mailFor(agentId, changes));
  if (!accepted) throw new Error(`${agentId} is no mailbox`);
  return accepted.message;
}

/** No limits; a test sets the one it checks. */
export const unlimited: SendLimits = {
  perMinutePerAgent: 0,
  burstPerAgent: 0,
  perMinutePerAccount: 0,
  perDayPerAccount: 0,
  newRecipientsPerDayPerAccount: 0,
  loopMessages: 0,
  loopWindowMs: 600_000,
};

/** The gate of an agent whose mail is never held. */
const openGate = { hitlEnabled: false, hitlRules: null, hitlAllow: [] };

type OutboundChanges = Partial<Omit<NewOutbound, "message" | "recipients" | "limits">> & {
  message?: Partial<NewOutbound["message"]>;
  /** Message-IDs it replies to. */
  references?: string[];
  /** Addresses, or whole recipients; by default each is a `to` recipient in the lane "upstream". */
  recipients?: (string | Partial<NewOutbound["recipients"][number]>)[];
  limits?: Partial<SendLimits>;
};

/** A message from an agent to one stranger, different from every other one unless `changes` say otherwise. */
export function outboundFor(agentId: string, changes: OutboundChanges = {}): NewOutbound {
  const { message, references = [], recipients = [`${unique("bob")}@people.example`], limits, ...rest } = changes;
  const wanted = recipients.map((given) => ({
    ...{ address: `${unique("bob")}@people.example`, kind: "to" as const, lane: "upstream", lease: null },
    ...(typeof given === "string" ? { address: given } : given),
  }));
  const to = wanted.map(({ address }) => ({ address, name: "" }));
  const now = changes.now ?? noon;
  // The loop breaker counts answers only.
  const answered = limits?.loopMessages ? "<question@people.example>" : null;
  return {
    message: {
      id: newId("msg"),
      agentId,
      type: "send",
      emailMessageId: `<${unique("id")}@agents.example>`,
      idempotencyKey: null,
      requestHash: null,
      requestBy: null,
      subject: "Question",
      snippet: "How are you?",
      content: {
        ...{
          from: { address: agentId, name: "Bot" },
          replyTo: [],
          to,
          cc: [],
          bcc: [],
          text: "How are you?",
          html: null,
        },
        ...{ attachments: [], inReplyTo: references.at(-1) ?? answered, references, headers: [] },
      },
      contentHash: unique("hash"),
      ...message,
    },
    gate: { hold: null, settings: openGate },
    review: null,
    conversationId: null,
    raw: Buffer.from(`Subject: Question\r\n\r\nHow are you, ${unique("friend")}?\r\n`),
    recipients: wanted,
    leaseUntil: new Date(now.getTime() + 45_000),
    limits: { ...unlimited, ...limits },
    now,
    ...rest,
  };
}

/** Stores an outbound message of an agent and returns its rows; it is held if the agent's gate is on. */
export async function addOutbound(
  store: Store,
  agentId: string,
  changes: OutboundChanges = {},
): Promise<Outbound & { fresh: boolean }> {
  const agent = await store.getAgent(agentId);
  const hold: Hold | null = agent?.hitlEnabled ? { rule: "approval", reason: "Every message waits." } : null;
  const sent = await store.acceptOutbound(
    outboundFor(agentId, { gate: { hold, settings: agent ?? openGate }, ...changes }),
  );
  if (!sent) throw new Error("the gate was changed meanwhile");
  return sent;
}

/** A decision on a message: approved by the API unless `changes` say otherwise. */
export function decision(id: string, changes: Partial<Decision> = {}): Decision {
  return {
    ...{ userId: null, id, verdict: { kind: "approve", edit: null }, contentHash: null },
    ...{ by: "ann@people.example", how: "api", ip: "192.0.2.7", now: later(60_000) },
    ...changes,
  };
}

/** Turns an agent's gate on, so that all its mail is held. */
export async function watch(store: Store, agentId: string, changes: AgentChanges = {}): Promise<AgentRow> {
  const agent = await store.updateAgent(agentId, { hitlEnabled: true, ...changes }, noon);
  if (!agent) throw new Error(`${agentId} is no agent`);
  return agent;
}

/** The server's own mail, about or from an agent. */
export function noticeFor(agent: { id: string; userId: string }, changes: Partial<Notice> = {}): Notice {
  const id = newId("msg");
  const from = { address: "noreply@agents.example", name: "e2a" };
  return {
    ...{ id, agentId: agent.id, userId: agent.userId, emailMessageId: `<${id}@agents.example>`, subject: "Waiting" },
    content: {
      ...{ from, replyTo: [], to: [], cc: [], bcc: [], text: "Yes or no?", html: null, attachments: [] },
      ...{ inReplyTo: null, references: [], headers: [] },
    },
    ...{
      raw: Buffer.from("Subject: Waiting\r\n\r\nYes or no?\r\n"),
      recipient: "ann@people.example",
      lane: "upstream",
    },
    ...changes,
  };
}

/** The values of an API key's row: scope `account` unless bound to an agent. */
export function newKey(agentId: string | null = null, expiresAt: Date | null = null) {
  const keyHash = new Bun.CryptoHasher("sha256").update(newId("apk")).digest("hex");
  const scope = agentId === null ? ("account" as const) : ("agent" as const);
  return { name: "key", scope, agentId, keyHash, keyPrefix: "e2a_0123", expiresAt };
}

/** The domain part of an agent's address. */
export function domainOf(address: string): string {
  return splitAddress(address)?.domain ?? "";
}

/** Adds `times` copies of each message to a SQLite file, without going through the store. */
export function multiplyMessages(path: string, times: number): void {
  using database = new Database(path);
  const columns = (database.query("SELECT name FROM pragma_table_info('messages')").all() as { name: string }[]).map(
    ({ name }) => name,
  );
  const changed: Record<string, string> = {
    id: "id || '-' || copy",
    seq: "seq + copy",
    event_id: "event_id || '-' || copy",
    n: "NULL",
    dedupe_key: "NULL",
  };
  const values = columns.map((name) => changed[name] ?? `"${name}"`).join(", ");
  const names = columns.map((name) => `"${name}"`).join(", ");
  database.exec(`
    WITH RECURSIVE numbers (copy) AS (SELECT 1 UNION ALL SELECT copy + 1 FROM numbers WHERE copy < ${times})
    INSERT INTO messages (${names}) SELECT ${values} FROM messages, numbers`);
}

/** Claims due recipients as dispatch does, and returns them. */
export async function claimRecipients(
  store: Store,
  input: Parameters<Store["claimDueRecipients"]>[0],
): Promise<RecipientRow[]> {
  return (await store.claimDueRecipients(input)).claimed;
}
