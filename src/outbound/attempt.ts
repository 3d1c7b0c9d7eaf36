import type { Receive } from "../inbound/receive.ts";
import { signDkim } from "../message/dkim.ts";
import { asBuffer } from "../message/headers.ts";
import { isHardBounce } from "../message/report/hard-bounce.ts";
import { sendVia, viaLocalPart } from "../message/via.ts";
import type { ReturnPaths } from "../return-path.ts";
import { sameGate } from "../store/outbound/outbound.ts";
import type { RecipientOutcome } from "../store/outbound/queue.ts";
import type { OutboundWork } from "../store/outbound/work.ts";
import type { OutboundContent, RecipientRow } from "../store/schema.ts";
import type { Store } from "../store/store.ts";
import type { Clock } from "../util/clock.ts";
import { Failure } from "../util/errors.ts";
import type { Log } from "../util/log.ts";
import type { Owner } from "../util/owner.ts";
import { contentHashOf } from "./content-hash.ts";
import type { Outages } from "./outage.ts";
import { providerIdOf, renamedMessageId } from "./provider-id.ts";
import { retryDelay } from "./retry.ts";
import { captureLane, domainOf, localLane, type Routes } from "./routes.ts";
import type { DomainKeys, SigningKeys } from "./signing-keys.ts";
import type { Upstream } from "./upstream.ts";
import type { SendOutcome } from "./upstream-session.ts";

/** The longest SMTP dialogue: RFC 5321 4.5.3.2 gives ten minutes to the final dot alone. */
export const TRY_MS = 15 * 60_000;
/**
 * A message that waited longer for a connection is looked up again before it leaves: it may have been paused, held or
 * deleted meanwhile, or its lease may have ended.
 */
const KNOWN_MS = 1_000;

export interface AttemptOptions {
  store: Store;
  clock: Clock;
  log: Log;
  receive: Receive;
  routes: Routes;
  returnPaths: ReturnPaths;
  /** A composed message in 7 bits, for servers without 8BITMIME; null if it cannot be made. */
  sevenBit(owner: Owner, raw: Uint8Array): Promise<Uint8Array | null>;
  signingKeys: SigningKeys;
  /** Whether a key of the domain is published; decides between its own From and "via e2a". */
  isPublished(keys: DomainKeys): Promise<boolean>;
  /** The From domain for agents of domains whose keys are not published; null keeps their own domain. */
  fromDomain: string | null;
  sharedDomain: string;
  hostname: string;
  random(): number;
}

/** What an attempt uses of the dispatcher that makes it. */
export interface AttemptParts {
  upstreams: ReadonlyMap<string, Upstream>;
  outages: Outages;
  /** Whether the gate now holds the message. */
  isHeld(recipient: RecipientRow, work: OutboundWork): Promise<boolean>;
  /** Waits until an outcome can be recorded; false if the recipient is no longer leased to this process. */
  mayHandOver(recipient: RecipientRow): Promise<boolean>;
  /** Aborted when the dispatcher closes: an upstream that then cannot be reached is not taken for down. */
  closing: AbortSignal;
  /** Aborted when dialogues that still run must end. */
  breakOff: AbortSignal;
}

export interface Attempts {
  /**
   * Tries one recipient: delivers to a mailbox of this server, or hands the message to an upstream.
   *
   * @param knownAt when `work` was read, by `clock.elapsed()`
   * @throws Failure `unavailable` or `overloaded`, before any mail was handed over
   */
  attempt(recipient: RecipientRow, work: OutboundWork, knownAt: number): Promise<RecipientOutcome>;
  /** The outcome of a try that failed for a reason nobody foresaw. */
  unexpected(recipient: RecipientRow): RecipientOutcome;
}

/** Makes single tries of outbound mail; the dispatcher decides which, when, and records the outcome. */
export function createAttempts(options: AttemptOptions, parts: AttemptParts): Attempts {
  const { store, clock, log, routes } = options;
  const { upstreams, outages, isHeld, mayHandOver, closing, breakOff } = parts;

  /** Whether a message may still leave. Throws while the store is away. */
  async function isStillDue(recipient: RecipientRow, work: OutboundWork): Promise<boolean> {
    const now = await store.leasedState(recipient);
    if (now === null) return false;
    const { agent, contentHash, reviewedAt, status } = now;
    const { message } = work;
    // Held, decided or edited meanwhile, through another recipient: it is read anew.
    if (status === "pending_approval" || contentHash !== message.contentHash) return false;
    if (reviewedAt?.getTime() !== message.reviewedAt?.getTime()) return false;
    return sameGate(agent, work.agent) || !(await isHeld(recipient, { ...work, agent }));
  }

  async function attempt(recipient: RecipientRow, work: OutboundWork, knownAt: number): Promise<RecipientOutcome> {
    if (work.message.status === "rejected" || work.message.status === "expired_rejected")
      return settle(recipient, { kind: "refused", reply: "554 5.7.1 Rejected by a reviewer; nothing was sent" });
    // The approved message leaves byte for byte, or not at all.
    const { content, contentHash, original, reviewedAt } = work.message;
    // It waited under its lease, where the edit could not reach it.
    if (reviewedAt && original !== null && !isAddressed(content, recipient.address))
      return settle(recipient, { kind: "refused", reply: "554 5.7.1 Removed by a reviewer; nothing was sent" });
    if (reviewedAt && (await contentHashOf(content, work.raw)) !== contentHash)
      return settle(recipient, { kind: "refused", reply: "554 5.6.0 This is not what was approved; nothing was sent" });
    const found = await store.findMailbox(recipient.address, options.sharedDomain);
    if (found.kind === "mailbox") return deliverLocally(recipient, work, found.id);
    if (found.kind !== "foreign")
      return settle(recipient, { kind: "refused", reply: "550 5.1.1 No such mailbox here" });
    const own = recipient.lane === localLane ? routes.laneFor(domainOf(work.agent.id)) : recipient.lane;
    if (own === captureLane) return { kind: "sent", method: "capture", status: "sent", reply: null };
    const upstream = own === null ? undefined : upstreams.get(own);
    if (own === null || !upstream)
      return settle(recipient, {
        kind: "refused",
        reply: "554 5.4.4 No upstream is configured for mail to other servers",
      });
    const raw = await outsideForm(work);
    if (!(await mayHandOver(recipient)))
      return { kind: "released", at: new Date(clock.now()), error: "The store was away; nothing was sent." };
    const returnPath = options.returnPaths.make(recipient.messageId, recipient.n);
    const tooLong = new AbortController();
    const limited = () => clock.after(TRY_MS, () => tooLong.abort());
    let cancelEnd = limited();
    const signal = AbortSignal.any([breakOff, tooLong.signal]);
    const mayBegin = async () => {
      // The wait for a connection takes nothing from the dialogue: broken off past its final dot, it would come twice.
      cancelEnd();
      cancelEnd = limited();
      return clock.elapsed() - knownAt < KNOWN_MS || (await isStillDue(recipient, work));
    };
    const envelope = { from: returnPath, to: recipient.address };
    const send = (bytes: Uint8Array) => upstream.send(envelope, bytes, signal, mayBegin);
    const encoded = async () => {
      const bytes = await options.sevenBit(work.message, work.raw);
      return bytes === null
        ? ({ kind: "eight-bit" } as const)
        : send(await outsideForm({ ...work, raw: asBuffer(bytes) }));
    };
    const outcome = await send(raw)
      .then((first) => (first.kind === "eight-bit" ? encoded() : first))
      .finally(() => cancelEnd());
    // It could not be encoded.
    if (outcome.kind === "eight-bit")
      return settle(recipient, { kind: "refused", reply: `${upstream.settings.name} takes no 8-bit mail` });
    if (outcome.kind === "withdrawn") return { kind: "released", at: new Date(clock.now()), error: null };
    if (outcome.kind === "unreachable") {
      if (!closing.aborted) {
        outages.down(own, outcome.error);
        log.warn("upstream.unreachable", { upstream: upstream.settings.name, error: outcome.error });
      }
    } else if (outages.up(own)) log.info("upstream.reachable", { upstream: upstream.settings.name });
    const settled = settle(recipient, outcome);
    if (settled.kind !== "sent") return settled;
    const { emailMessageId: messageId } = work.message;
    const providerId = providerIdOf(settled.reply, { messageId, recipient: recipient.address, sender: returnPath });
    return { ...settled, providerId, sentAs: renamedMessageId(providerId, upstream.settings.host) };
  }

  /** Delivers mail to a mailbox of this server, as if it had come from outside. */
  async function deliverLocally(
    recipient: RecipientRow,
    work: OutboundWork,
    mailbox: string,
  ): Promise<RecipientOutcome> {
    const envelope = {
      mailFrom: work.message.content.from.address,
      rcptTo: [recipient.address],
      remoteAddress: "127.0.0.1",
      helo: options.hostname,
      protocol: "ESMTP",
      receivedAt: new Date(clock.now()),
    };
    try {
      await options.receive(envelope, [{ address: recipient.address, mailbox }], work.raw, {
        domain: domainOf(work.message.content.from.address),
      });
      return { kind: "sent", method: "relay", status: "delivered", reply: null };
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      const [basic, enhanced] = error.smtp;
      const reply = `${basic} ${enhanced} ${error.message}`;
      return settle(recipient, { kind: basic < 500 ? "deferred" : "refused", reply });
    }
  }

  /** The message as other servers get it: signed, with the From that its published keys permit. */
  async function outsideForm({ message, raw }: OutboundWork): Promise<Uint8Array> {
    const now = new Date(clock.now());
    const from = message.content.from;
    const domain = domainOf(from.address);
    const keys = await options.signingKeys(domain);
    const { fromDomain } = options;
    if (fromDomain === null || fromDomain === domain || (await options.isPublished(keys)))
      return signDkim(raw, keys.keys, now);
    const kindOf = async (local: string) =>
      (await store.findMailbox(`${local}@${fromDomain}`, options.sharedDomain)).kind;
    // Only the operator's agents keep bare names: at that domain, a bare name may belong to a person, or to another
    // account's agent.
    const isOperators = (await store.firstUser())?.id === message.userId;
    const local = viaLocalPart(from.address, !isOperators || (await kindOf("postmaster")) !== "foreign");
    // Another person's or agent's mailbox must not appear to be the sender.
    if (local === null || (await kindOf(local)) === "mailbox") return signDkim(raw, keys.keys, now);
    const via = sendVia(raw, { agent: from, local, fromDomain });
    return signDkim(via, (await options.signingKeys(fromDomain)).keys, now);
  }

  function settle(recipient: RecipientRow, outcome: SendOutcome): RecipientOutcome {
    const now = clock.now();
    if (outcome.kind === "accepted") return { kind: "sent", method: "smtp", status: "sent", reply: outcome.reply };
    if (outcome.kind === "unreachable") {
      // It keeps its place in the queue, and readiness sees how long it has waited.
      const at = recipient.attempts === 0 ? recipient.updatedAt : new Date(now);
      return { kind: "released", at, error: outcome.error };
    }
    const reply = "reply" in outcome ? outcome.reply : null;
    const error = "error" in outcome ? outcome.error : null;
    if (outcome.kind === "refused") {
      // A reply from before the recipient was named says nothing about it, whatever its words.
      const suppress = !outcome.isOfSender && isHardBounce({ status: null, diagnostic: reply ?? "" });
      return { kind: "failed", reply, error, suppress };
    }
    const delay = retryDelay(recipient.attempts + 1, options.random());
    if (delay !== null) return { kind: "retry", at: new Date(now + delay), reply, error };
    return { kind: "failed", reply, error: error ?? "It was put off for three days, then given up.", suppress: false };
  }
  return {
    attempt,
    unexpected: (recipient) =>
      settle(recipient, { kind: "unknown", error: "The server ran into an unexpected error; see its log." }),
  };
}

function isAddressed({ to, cc, bcc }: OutboundContent, address: string): boolean {
  return [...to, ...cc, ...bcc].some((one) => one.address.toLowerCase() === address.toLowerCase());
}
