import type { Clock } from "../clock.ts";
import type { Config } from "../config.ts";
import { Failure, type FieldError } from "../errors.ts";
import { newId } from "../id.ts";
import type { HeaderField, Mailbox, OutboundAttachment, OutboundType } from "../mail.ts";
import type { Outbound } from "../store/outbound.ts";
import type { AgentRow, OutboundContent, RecipientKind, RecipientRow } from "../store/schema.ts";
import type { SendLimits } from "../store/send-limits.ts";
import type { Store } from "../store/store.ts";
import { compose } from "./compose.ts";
import type { Dispatch } from "./dispatch.ts";
import { type Routes, relayLane } from "./routes.ts";

/** How long an answer waits for the first try (WIRE). */
const WAIT_MS = 10_000;
/** Characters of the text that lists show, as for inbound mail. */
const SNIPPET_CHARS = 200;

export interface SendRequest {
  agent: AgentRow;
  type: OutboundType;
  to: Mailbox[];
  cc: Mailbox[];
  bcc: Mailbox[];
  replyTo: Mailbox[];
  subject: string;
  text: string;
  html: string | null;
  attachments: OutboundAttachment[];
  /** Null: found by the references, or a new one. */
  conversationId: string | null;
  inReplyTo: string | null;
  /** Message-IDs with brackets, oldest first. */
  references: string[];
  headers: HeaderField[];
  idempotencyKey: string | null;
  /** Wait for the first try of every recipient, 10 s at most. */
  wait: boolean;
  /** Aborts the waiting, not the sending. */
  signal?: AbortSignal;
}

export interface Sender {
  /**
   * Sends: check → compose → one transaction → first try. Resolves when every recipient was tried, or after 10 s.
   * Failures: `invalid_request` names local addresses that nobody has, and a message that is too large;
   * `upstream_not_configured`, `recipient_suppressed`, `rate_limited`, `not_found`. Nothing is stored then.
   */
  send(request: SendRequest): Promise<Outbound>;
}

export interface SendOptions {
  store: Store;
  clock: Clock;
  config: Config;
  routes: Routes;
  dispatch: Dispatch;
}

interface Addressee {
  mailbox: Mailbox;
  kind: RecipientKind;
  /** Its place in the request, for complaints: `cc.2`. */
  field: string;
}

export function createSender(options: SendOptions): Sender {
  const { store, clock, config, routes, dispatch } = options;
  const limits = sendLimits(config);

  /** The lane of each recipient. Failures name those that no lane takes. */
  async function route(agent: AgentRow, addressees: Addressee[]): Promise<string[]> {
    const errors: FieldError[] = [];
    const outside: string[] = [];
    const lanes = await Promise.all(
      addressees.map(async ({ mailbox: { address }, field }) => {
        const found = await store.findMailbox(address, config.sharedDomain);
        if (found.kind === "mailbox") return relayLane;
        if (found.kind !== "foreign")
          errors.push({ field, message: `is ${address}, which nobody has on this server: check the address` });
        const lane = routes.laneFor(agent.domain);
        if (found.kind === "foreign" && lane === null) outside.push(address);
        return lane ?? relayLane;
      }),
    );
    if (errors.length > 0) throw invalid(errors);
    if (outside.length > 0)
      throw new Failure("upstream_not_configured", `There is no way out for mail to ${outside.join(", ")}.`, {
        fix: "Set outbound_smtp.host, with user name and password, in the server's configuration.",
      });
    return lanes;
  }

  async function compile(request: SendRequest, now: Date) {
    const { agent, to, cc, bcc, replyTo, subject, text, html, attachments, inReplyTo, references, headers } = request;
    const from = { address: agent.id, name: agent.name };
    const id = newId("msg");
    const emailMessageId = `<${id.slice("msg_".length)}@${agent.domain}>`;
    const content: OutboundContent = {
      ...{ from, replyTo, to, cc, bcc, text, html, inReplyTo, references, headers },
      attachments: attachments.map(({ filename, contentType, contentId, content }, index) => ({
        index,
        filename,
        content_type: contentType,
        size: content.byteLength,
        ...(contentId ? { content_id: contentId } : {}),
      })),
    };
    const { attachments: _, ...said } = content;
    const raw = await compose({ ...said, subject, attachments, messageId: emailMessageId, date: now });
    const max = config.limits.outboundMessageSize;
    if (raw.byteLength > max)
      throw invalid([
        {
          field: attachments.length > 0 ? "attachments" : "body",
          message: `makes a message of ${raw.byteLength} bytes, encoded; at most ${max} may leave`,
        },
      ]);
    const snippet = text.replace(/\s+/g, " ").trim().slice(0, SNIPPET_CHARS).toWellFormed();
    return { message: { id, agentId: agent.id, type: request.type, emailMessageId, subject, snippet, content }, raw };
  }

  return {
    async send(request) {
      const { agent } = request;
      const addressees = addresseesOf(request);
      const lanes = await route(agent, addressees);
      const now = new Date(clock.now());
      const { message, raw } = await compile(request, now);

      const wanted = addressees.map(({ mailbox, kind }, i) => {
        const lane = lanes[i] ?? relayLane;
        return { address: mailbox.address, kind, lane, lease: dispatch.reserve(lane) };
      });
      let taken: RecipientRow[] = [];
      let sent: Outbound & { fresh: boolean };
      try {
        sent = await store.acceptOutbound({
          message: { ...message, idempotencyKey: request.idempotencyKey },
          conversationId: request.conversationId,
          raw,
          recipients: wanted,
          leaseUntil: dispatch.leaseUntil(),
          limits,
          now,
        });
        if (sent.fresh) taken = sent.recipients.filter((recipient) => recipient.leaseToken !== null);
      } finally {
        const used = new Set(taken.map((recipient) => recipient.leaseToken));
        for (const { lane, lease } of wanted) if (lease && !used.has(lease)) dispatch.unreserve(lane);
      }
      for (const recipient of taken) dispatch.take(recipient, { message: sent.message, agent, raw });
      return request.wait ? waitForOutcome(sent, request.signal) : sent;
    },
  };

  /** Waits until each recipient was tried, or cannot be for now. */
  async function waitForOutcome(sent: Outbound, signal: AbortSignal | undefined): Promise<Outbound> {
    const { id, userId } = sent.message;
    let current = sent;
    let news = Promise.withResolvers<void>();
    const unsubscribe = store.onSignal(({ topic, key }) => {
      if (topic === "outcome" && key === id) news.resolve();
    });
    let over = false;
    const end = () => {
      over = true;
      news.resolve();
    };
    const cancel = clock.after(WAIT_MS, end);
    signal?.addEventListener("abort", end, { once: true });
    try {
      // With its lease in our hands nothing can have become of it yet; otherwise somebody may have been quick.
      let upToDate = sent.recipients.some((recipient) => recipient.leaseToken !== null);
      for (;;) {
        if (!upToDate) current = (await store.getOutbound(userId, id)) ?? current;
        if (over || !current.recipients.some(isUntried)) return current;
        await news.promise;
        // Before looking, so that what happens meanwhile is not missed.
        news = Promise.withResolvers();
        upToDate = false;
      }
    } finally {
      cancel();
      unsubscribe();
      signal?.removeEventListener("abort", end);
    }
  }

  /** Whether waiting for this recipient may still tell something soon. */
  function isUntried(recipient: RecipientRow): boolean {
    if (recipient.status === "sending") return true;
    if (recipient.status !== "queued" || recipient.queue !== "ready" || recipient.error !== null) return false;
    return recipient.nextAttemptAt.getTime() - clock.now() < WAIT_MS && dispatch.outage(recipient.lane) === null;
  }
}

/** Each address once; the first mention counts. */
function addresseesOf({ to, cc, bcc }: SendRequest): Addressee[] {
  const all = Object.entries({ to, cc, bcc }).flatMap(([kind, mailboxes]) =>
    mailboxes.map((mailbox, i) => ({ mailbox, kind: kind as RecipientKind, field: `${kind}.${i}` })),
  );
  const seen = new Set<string>();
  return all.filter(({ mailbox: { address } }) => !seen.has(address) && seen.add(address));
}

function sendLimits({ limits }: Config): SendLimits {
  return {
    perMinutePerAgent: limits.sendsPerMinutePerAgent,
    burstPerAgent: limits.sendBurstPerAgent,
    perMinutePerAccount: limits.sendsPerMinutePerAccount,
    perDayPerAccount: limits.sendsPerDayPerAccount,
    newRecipientsPerDayPerAccount: limits.newRecipientsPerDayPerAccount,
    loopMessages: limits.loopMessages,
    loopWindowMs: limits.loopWindow,
  };
}

function invalid(errors: FieldError[]): Failure {
  const detail = errors.map(({ field, message }) => `${field} ${message}`).join("; ");
  return new Failure("invalid_request", `${detail}.`, { errors });
}
