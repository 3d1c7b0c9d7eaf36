import type { Gatekeeper } from "../approval/gatekeeper.ts";
import type { Outgoing } from "../approval/outgoing.ts";
import type { Config } from "../config.ts";
import type {
  Attachment,
  HeaderField,
  Mailbox,
  Method,
  OutboundAttachment,
  OutboundMail,
  OutboundType,
} from "../mail.ts";
import type { Edit } from "../store/outbound/holds.ts";
import type { Outbound } from "../store/outbound/outbound.ts";
import type { SendLimits } from "../store/outbound/send-limits.ts";
import type { AgentRow, HeldReview, Hold, OutboundContent, RecipientKind, RecipientRow } from "../store/schema.ts";
import type { Store } from "../store/store.ts";
import { giveAway } from "../store/thread-messages.ts";
import type { Clock } from "../util/clock.ts";
import { concatInSteps } from "../util/concat.ts";
import { Failure, type FieldError } from "../util/errors.ts";
import { newId } from "../util/id.ts";
import { type Owner, ownerOf } from "../util/owner.ts";
import type { Dispatch } from "./dispatch.ts";
import { captureLane, localLane, type Routes } from "./routes.ts";

/** How long an answer waits for the first try (WIRE). */
const WAIT_MS = 10_000;
/** Characters of the text shown in lists, as for inbound mail. */
const SNIPPET_CHARS = 200;
/** Characters that the snippet is made from, white space included. */
const SNIPPET_SOURCE_CHARS = 20 * SNIPPET_CHARS;

/** Identifies a request, so that a repetition is recognised. */
export interface Asked {
  /** SHA-256 over everything it asks for, and the identity it asks as. */
  hash: string;
  /** The API key or session that made it. */
  by: string;
  idempotencyKey: string | null;
}

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
  /** Null finds it by the references, or begins a new one. */
  conversationId: string | null;
  /** The conversation of the message it replies to or forwards; null if it names none. */
  originalConversation: string | null;
  inReplyTo: string | null;
  /** Message-IDs with brackets, oldest first. */
  references: string[];
  headers: HeaderField[];
  /** The request that creates the message: a repetition finds the message. Null if nothing is to be stored. */
  asked: Asked | null;
  /** Rejects if the caller lost its permission: composing and searching may take long under load. */
  requireStanding?: () => Promise<void>;
  /** Waits for the first try of every recipient, at most 10 s. */
  wait: boolean;
  /** Stops the wait, not the sending. */
  signal?: AbortSignal;
}

export interface Sender {
  /**
   * Sends: check → compose → one transaction → first try. Resolves when every recipient was tried, or after 10 s. If
   * the same request came before, `fresh` is false and the message is the earlier one. Failures, after which nothing is
   * stored: `idempotency_key_reused`; `invalid_request` for local addresses that do not exist, and for a message that
   * is too large; `upstream_not_configured`, `recipient_suppressed`, `rate_limited`, `not_found`.
   */
  send(request: SendRequest): Promise<Outbound & { fresh: boolean }>;
  /** Waits as `send` does, for a message that a decision has queued. */
  settle(outbound: Outbound, signal?: AbortSignal): Promise<Outbound>;
  /** Forecasts what `send` would do: hold it or not, and its route. Nothing is stored. Failures as of `send`. */
  check(request: SendRequest): Promise<Checked>;
  /** A held message as a reviewer changed it, with its own ids. Failures as of `send`. */
  edit(request: SendRequest, ids: { id: string; emailMessageId: string }): Promise<Edit>;
}

export interface Checked {
  hold: Hold | null;
  recipients: { address: string; method: Method; firstTime: boolean }[];
}

export interface SendOptions {
  store: Store;
  clock: Clock;
  config: Config;
  routes: Routes;
  dispatch: Dispatch;
  /** Composes a message's bytes, and the hash that decisions are bound to; large ones in another process. */
  compose(owner: Owner, mail: OutboundMail): Promise<{ raw: Buffer; contentHash: string }>;
  gatekeeper: Gatekeeper;
  /** `heldReview`, in this process or another. */
  derive(owner: Owner, message: Outgoing, contentHash: string): Promise<HeldReview>;
}

interface Addressee {
  mailbox: Mailbox;
  kind: RecipientKind;
  /** Its place in the request, for error messages: `cc.2`. */
  field: string;
}

export function createSender(options: SendOptions): Sender {
  const { store, clock, config, routes, dispatch, gatekeeper, derive } = options;
  const limits = sendLimits(config);

  /** The lane of each recipient. Failures name the recipients that no lane takes. */
  async function route(agent: AgentRow, addressees: Addressee[]): Promise<string[]> {
    const errors: FieldError[] = [];
    const outside: string[] = [];
    const lanes = await Promise.all(
      addressees.map(async ({ mailbox: { address }, field }) => {
        const found = await store.findMailbox(address, config.sharedDomain);
        if (found.kind === "mailbox") return localLane;
        if (found.kind !== "foreign")
          errors.push({ field, message: `is ${address}, which does not exist on this server: check the address` });
        const lane = routes.laneFor(agent.domain);
        if (found.kind === "foreign" && lane === null) outside.push(address);
        return lane ?? localLane;
      }),
    );
    if (errors.length > 0) throw invalid(errors);
    if (outside.length > 0)
      throw new Failure("upstream_not_configured", `No upstream is configured for mail to ${outside.join(", ")}.`, {
        fix: "Set outbound_smtp.host, with user name and password, in the server's configuration.",
      });
    return lanes;
  }

  async function compile(request: SendRequest, now: Date, known?: { id: string; emailMessageId: string }) {
    const { agent, to, cc, bcc, replyTo, subject, text, html, attachments, inReplyTo, references, headers } = request;
    const { conversationId, originalConversation: original } = request;
    const from = { address: agent.id, name: agent.name };
    const id = known?.id ?? newId("msg");
    const emailMessageId = known?.emailMessageId ?? `<${id.slice("msg_".length)}@${agent.domain}>`;
    const content: OutboundContent = {
      from,
      replyTo,
      to,
      cc,
      bcc,
      text,
      html,
      inReplyTo,
      references,
      headers,
      ...(original !== null && original !== conversationId ? { originalConversation: original } : {}),
      attachments: listedAttachments(attachments),
    };
    const { attachments: _, ...said } = content;
    const mail = { ...said, subject, attachments, messageId: emailMessageId, date: now };
    const { raw, contentHash } = await options.compose(ownerOf(agent), mail);
    const max = config.limits.outboundMessageSize;
    if (raw.byteLength > max)
      throw invalid([
        {
          field: attachments.length > 0 ? "attachments" : "body",
          message: `makes a message of ${raw.byteLength} bytes, encoded; the limit is ${max}`,
        },
      ]);
    const beginning = text.trimStart().slice(0, SNIPPET_SOURCE_CHARS);
    const snippet = beginning.replace(/\s+/g, " ").trim().slice(0, SNIPPET_CHARS).toWellFormed();
    const { type } = request;
    return { message: { id, agentId: agent.id, type, emailMessageId, subject, snippet, content, contentHash }, raw };
  }

  /** Asks the gate about the message. */
  function gate(agent: AgentRow, request: SendRequest, addressees: Addressee[]) {
    const addresses = addressees.map(({ mailbox }) => mailbox.address);
    const { originalConversation, conversationId } = request;
    return gatekeeper.ask(agent, outgoingOf(request), addresses, [originalConversation, conversationId]);
  }

  return {
    async send(request) {
      const addressees = addresseesOf(request);
      const lanes = await route(request.agent, addressees);
      const now = new Date(clock.now());
      const { message, raw } = await compile(request, now);
      let review: HeldReview | null = null;
      const outcome = request.wait ? watchOutcome(message.id, request.signal) : null;
      try {
        // If the gate is changed at this moment, it is asked again; its latest answer counts.
        for (let agent: AgentRow | null = request.agent; agent; agent = await store.getAgent(agent.id)) {
          const decision = await gate(agent, request, addressees);
          if (decision.hold) review ??= await derive(ownerOf(request.agent), outgoingOf(request), message.contentHash);
          const wanted = addressees.map(({ mailbox, kind }, i) => {
            const lane = lanes[i] ?? localLane;
            const mayLease = !decision.hold && agent?.undoSeconds === 0;
            return {
              address: mailbox.address,
              kind,
              lane,
              lease: mayLease ? dispatch.reserve(lane, raw.byteLength) : null,
            };
          });
          let taken: RecipientRow[] = [];
          let sent: (Outbound & { fresh: boolean }) | null = null;
          try {
            await request.requireStanding?.();
            sent = await store.acceptOutbound({
              message: {
                ...message,
                idempotencyKey: request.asked?.idempotencyKey ?? null,
                requestHash: request.asked?.hash ?? null,
                requestBy: request.asked?.by ?? null,
              },
              conversationId: request.conversationId,
              // A copy for the store: the first try, made from here, also reads the bytes.
              raw: giveAway(await concatInSteps([raw])),
              recipients: wanted,
              leaseUntil: dispatch.leaseUntil(),
              gate: decision,
              review,
              limits,
              now,
            });
            if (sent?.fresh) taken = sent.recipients.filter((recipient) => recipient.leaseToken !== null);
          } finally {
            const used = new Set(taken.map((recipient) => recipient.leaseToken));
            for (const { lane, lease } of wanted)
              if (lease && !used.has(lease)) dispatch.unreserve(lane, raw.byteLength);
          }
          if (!sent) continue;
          for (const recipient of taken) dispatch.take(recipient, { message: sent.message, agent, raw });
          if (!outcome) return sent;
          // An earlier request's message is not the one being watched.
          const settled = sent.fresh ? await outcome.of(sent) : await this.settle(sent, request.signal);
          return { ...settled, fresh: sent.fresh };
        }
        throw new Failure("not_found", "There is no such agent.");
      } finally {
        outcome?.end();
      }
    },

    async settle(outbound, signal) {
      const { id, userId } = outbound.message;
      const outcome = watchOutcome(id, signal);
      try {
        return await outcome.of((await store.getOutbound(userId, id)) ?? outbound);
      } finally {
        outcome.end();
      }
    },

    async check(request) {
      const addressees = addresseesOf(request);
      const lanes = await route(request.agent, addressees);
      // Run only for its failures.
      await compile(request, new Date(clock.now()));
      const to = addressees.map(({ mailbox, kind }) => ({ address: mailbox.address, kind }));
      await store.refuseSuppressed(request.agent.userId, to);
      const { hold, firstTime } = await gate(request.agent, request, addressees);
      const strangers = request.agent.hitlEnabled
        ? firstTime
        : (
            await store.gateFacts({
              agentId: request.agent.id,
              conversationId: null,
              addresses: addressees.map(({ mailbox }) => mailbox.address),
              withTexts: false,
            })
          ).firstTime;
      return {
        hold,
        recipients: addressees.map(({ mailbox: { address } }, i) => ({
          address,
          method: methodOf(lanes[i] ?? localLane),
          firstTime: strangers.includes(address),
        })),
      };
    },

    async edit(request, { id, emailMessageId }) {
      const addressees = addresseesOf(request);
      const lanes = await route(request.agent, addressees);
      const { message, raw } = await compile(request, new Date(clock.now()), { id, emailMessageId });
      const { subject, snippet, content, contentHash } = message;
      const recipients = addressees.map(({ mailbox, kind }, i) => ({
        address: mailbox.address,
        kind,
        lane: lanes[i] ?? localLane,
      }));
      const review = await derive(ownerOf(request.agent), outgoingOf(request), contentHash);
      return { subject, snippet, content, contentHash, review, raw: giveAway(raw), recipients, limits };
    },
  };

  /** Watches a message from before it is stored, so that no outcome is missed. */
  function watchOutcome(id: string, signal: AbortSignal | undefined) {
    let news = Promise.withResolvers<void>();
    let isNew = false;
    let over = false;
    const tell = () => {
      isNew = true;
      news.resolve();
    };
    const unsubscribe = store.onSignal(({ topic, key }) => {
      if (topic === "outcome" && key === id) tell();
    });
    const stop = () => {
      over = true;
      tell();
    };
    const cancel = clock.after(WAIT_MS, stop);
    signal?.addEventListener("abort", stop, { once: true });
    return {
      /** Resolves when each recipient was tried, cannot be tried for now, or the time is up. */
      async of(sent: Outbound): Promise<Outbound> {
        for (let current = sent; ; ) {
          if (over || !current.recipients.some(isUntried)) return current;
          if (!isNew) await news.promise;
          // Set before looking, so that changes in between are not missed.
          news = Promise.withResolvers();
          isNew = false;
          current = (await store.getOutbound(sent.message.userId, id)) ?? current;
        }
      },
      end() {
        cancel();
        unsubscribe();
        signal?.removeEventListener("abort", stop);
      },
    };
  }

  /** Whether waiting for this recipient may soon bring an outcome. */
  function isUntried(recipient: RecipientRow): boolean {
    if (recipient.status === "sending") return true;
    if (recipient.status !== "queued" || recipient.queue !== "ready" || recipient.error !== null) return false;
    return recipient.nextAttemptAt.getTime() - clock.now() < WAIT_MS && dispatch.outage(recipient.lane) === null;
  }
}

function methodOf(lane: string): Method {
  if (lane === localLane) return "relay";
  return lane === captureLane ? "capture" : "smtp";
}

/** Attachments as the message lists them: without their bytes. */
export function listedAttachments(attachments: readonly OutboundAttachment[]): Attachment[] {
  return attachments.map(({ filename, contentType, contentId, content }, index) => ({
    index,
    filename,
    content_type: contentType,
    size: content.byteLength,
    ...(contentId ? { content_id: contentId } : {}),
  }));
}

/** Each address once; the first mention counts. */
function addresseesOf({ to, cc, bcc }: SendRequest): Addressee[] {
  const all = Object.entries({ to, cc, bcc }).flatMap(([kind, mailboxes]) =>
    mailboxes.map((mailbox, i) => ({ mailbox, kind: kind as RecipientKind, field: `${kind}.${i}` })),
  );
  const seen = new Set<string>();
  return all.filter(({ mailbox: { address } }) => !seen.has(address) && seen.add(address));
}

/** The content that would leave, as it is searched. */
function outgoingOf(request: SendRequest): Outgoing {
  const { to, cc, bcc, replyTo, subject, text, html, inReplyTo, references, headers, attachments } = request;
  return { replyTo, to, cc, bcc, subject, text, html, inReplyTo, references, headers, attachments };
}

/** How much may leave, by the configuration. */
export function sendLimits({ limits }: Config): SendLimits {
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
