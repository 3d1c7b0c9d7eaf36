import { sql } from "drizzle-orm";
import { Failure } from "../util/errors.ts";
import * as accounts from "./accounts/accounts.ts";
import * as agents from "./accounts/agents.ts";
import { decisionAbout, listAudit } from "./accounts/audit.ts";
import { type DeletedRows, deleteAccount, mailboxesOf } from "./accounts/delete-account.ts";
import * as domainWatch from "./accounts/domain-watch.ts";
import * as domains from "./accounts/domains.ts";
import * as pauses from "./accounts/pauses.ts";
import * as requests from "./accounts/requests.ts";
import { sweepReservedAddresses } from "./accounts/reserved-addresses.ts";
import * as sessions from "./accounts/sessions.ts";
import * as suppressions from "./accounts/suppressions.ts";
import { askRaw, type Engine, type Scope, type Signal, type Verb } from "./engine/engine.ts";
import * as keyCanary from "./engine/key-canary.ts";
import * as deliveries from "./events/deliveries.ts";
import * as deliveryLog from "./events/delivery-log.ts";
import * as deliveryQueue from "./events/delivery-queue.ts";
import * as endpointHealth from "./events/endpoint-health.ts";
import * as events from "./events/events.ts";
import * as webhooks from "./events/webhooks.ts";
import { getConversation, listConversations } from "./mail/conversations.ts";
import { gateFacts, seenTexts } from "./mail/gate-facts.ts";
import * as inbound from "./mail/inbound.ts";
import * as inbox from "./mail/inbox.ts";
import * as messages from "./mail/messages.ts";
import * as references from "./mail/references.ts";
import { renewContent } from "./mail/renew.ts";
import { sweepUnproven } from "./mail/unproven.ts";
import * as holds from "./outbound/holds.ts";
import * as notices from "./outbound/notices.ts";
import * as outbound from "./outbound/outbound.ts";
import * as queue from "./outbound/queue.ts";
import { recordReport, senderOf } from "./outbound/report.ts";
import { refuseSuppressed, sweepSendCounts } from "./outbound/send-limits.ts";
import * as withdraw from "./outbound/withdraw.ts";
import { leasedState, outboundSize, outboundWork } from "./outbound/work.ts";
import { overview } from "./overview.ts";

/** Rows deleted per transaction: the initial number, and the maximum. */
const SWEEP_BATCH = 100;
const SWEEP_BATCH_MAX = 500;
/** The target length of such a transaction, so that mail never waits: the row count is halved or doubled. */
const SWEEP_MS = 100;
/** Halving was worth it if the transaction then took at most this fraction of the time. */
const SWEEP_HELPED = 0.75;
/** Steps before a smaller row count is tried again, after one that did not help. */
const SWEEP_STAY = 8;
/** A transaction that fails for lack of time is retried with the row count divided by this. */
const SWEEP_SHRINKS = 10;
/** The least time that the gate remembers an unproven sender after the last such mail: a year. */
const UNPROVEN_KEPT_MS = 365 * 86_400_000;

/**
 * Where a verb runs if the store has threads of its own. `caller`: finds a few small rows by an index, which on SQLite
 * costs less than a message to a thread. `reader`: walks many rows or carries whole messages. `writer`: all others.
 */
export type Place = "caller" | "reader" | "writer";

const places = new WeakMap<object, Place>();

/** Where a verb of a store runs (see Place). */
export function placeOf(verb: object): Place {
  return places.get(verb) ?? "writer";
}

function placed<F extends object>(place: Place, verb: F): F {
  places.set(verb, place);
  return verb;
}

/** Runs a verb for an API key or session, given by its id. Failure `unauthenticated` once that is revoked. */
function* standing<R>(s: Scope, by: string | null, verb: Verb<R>): Verb<R> {
  if (by !== null && !(yield* accounts.proofStands(s, by)))
    throw new Failure("unauthenticated", "The API key or session ended while this request was processed.");
  return yield* verb;
}

/**
 * Lists the verbs: everything that the rest of the product can ask of the database. Each is one transaction, and a
 * promise that settles after its commit or rollback. Arguments and results are plain data, so a verb can run on another
 * thread.
 */
export function createStore(engine: Engine) {
  const reading =
    (place: Place) =>
    <A extends unknown[], R>(verb: (s: Scope, ...args: A) => Verb<R>) =>
      placed(place, (...args: A): Promise<R> => engine.read((s) => verb(s, ...args)));
  /** Finds a few small rows by an index. */
  const lookUp = reading("caller");
  /** Walks rows, or reads whole messages. */
  const scan = reading("reader");
  /** Reads rows that a write has just made or claimed, or that are rarely asked for: the writer has them in memory. */
  const follow = reading("writer");
  const write =
    <A extends unknown[], R>(verb: (s: Scope, ...args: A) => Verb<R>) =>
    (...args: A): Promise<R> =>
      engine.write((s) => verb(s, ...args));
  // A power cut may undo these: hints for people, and claims and outcomes of deliveries, which are made at least once.
  const forgettable =
    <A extends unknown[], R>(verb: (s: Scope, ...args: A) => Verb<R>) =>
    (...args: A): Promise<R> =>
      engine.write((s) => verb(s, ...args), { forgettable: true });

  // These delete everything an account or agent has, or walk a whole queue.
  const lasting =
    <A extends unknown[], R>(verb: (s: Scope, ...args: A) => Verb<R>) =>
    (...args: A): Promise<R> =>
      engine.write((s) => verb(s, ...args), { lasting: true });

  /**
   * Deletes rows in steps of similar length: 500 messages may hold gigabytes. Steps shrink only if that makes them
   * shorter: on a slow disk one row may take as long as a hundred. Returns how many went. `by`: as in `standing`.
   */
  const inBatches = async (
    batch: (s: Scope, limit: number) => Verb<number>,
    by: string | null = null,
  ): Promise<number> => {
    let all = 0;
    let larger: { limit: number; took: number } | null = null;
    let stay = 0;
    for (let limit = SWEEP_BATCH; ; )
      try {
        const startedAt = performance.now();
        const gone = await engine.write((s) => standing(s, by, batch(s, limit)));
        const took = performance.now() - startedAt;
        all += gone;
        if (gone < limit) return all;
        const before = larger;
        larger = null;
        if (took < SWEEP_MS / 2) limit = Math.min(SWEEP_BATCH_MAX, limit * 2);
        if (took <= SWEEP_MS || stay-- > 0) continue;
        if (before && took > before.took * SWEEP_HELPED) {
          limit = before.limit;
          stay = SWEEP_STAY;
        } else {
          larger = { limit, took };
          limit = Math.ceil(limit / 2);
        }
      } catch (error) {
        if (limit === 1 || !(error instanceof Failure && error.code === "unavailable")) throw error;
        limit = Math.ceil(limit / SWEEP_SHRINKS);
        larger = null;
      }
  };

  // Runs before the owner is deleted: a mailbox may have a million messages, and on SQLite other writers would wait.
  const emptyMailbox = (agentId: string, by: string | null) =>
    inBatches((s, limit) => messages.dropSomeMessagesOf(s, agentId, limit), by);
  const emptyOutbox = (owner: { agentId: string } | { userId: string }, by: string | null) =>
    inBatches((s, limit) => outbound.dropSomeOutboundOf(s, owner, limit), by);

  return {
    dialect: engine.dialect,
    onSignal: (listener: (signal: Signal) => void) => engine.onSignal(listener),
    close: () => engine.close(),
    /** Why the store takes no writes, as a sentence; null while no fault is known. */
    fault: () => engine.fault(),

    // Accounts, with their keys and signing secrets
    createAccount: write(accounts.createAccount),
    getUser: lookUp(accounts.getUser),
    findUserByEmail: lookUp(accounts.findUserByEmail),
    firstUser: lookUp(accounts.firstUser),
    createKey: write(accounts.createKey),
    listKeys: lookUp(accounts.listKeys),
    deleteKey: write(accounts.deleteKey),
    findKey: lookUp(accounts.findKey),
    touchKey: forgettable(accounts.touchKey),
    proofStands: lookUp(accounts.proofStands),
    listSecrets: lookUp(accounts.listSecrets),
    createSecret: write(accounts.createSecret),
    deleteSecret: write(accounts.deleteSecret),
    touchSecret: forgettable(accounts.touchSecret),
    async deleteAccount(userId: string, now: Date, by: string | null = null): Promise<DeletedRows | null> {
      let gone = 0;
      for (const agentId of await engine.read((s) => mailboxesOf(s, userId))) gone += await emptyMailbox(agentId, by);
      const goneOut = await emptyOutbox({ userId }, by);
      await inBatches((s, limit) => events.dropSomeEventsOf(s, userId, limit), by);
      const rows = await engine.write((s) => standing(s, by, deleteAccount(s, userId, now)), { lasting: true });
      return rows && { ...rows, messages: rows.messages + gone, outboundMessages: rows.outboundMessages + goneOut };
    },

    // Signing in: the first account, one-time tokens and browser sessions
    createFirstAccount: write(sessions.createFirstAccount),
    createSignInToken: write(sessions.createSignInToken),
    mailSignInToken: write(sessions.mailSignInToken),
    findSignInToken: lookUp(sessions.findSignInToken),
    useSignInToken: write(sessions.useSignInToken),
    createSession: write(sessions.createSession),
    findSession: lookUp(sessions.findSession),
    listSessions: lookUp(sessions.listSessions),
    touchSession: forgettable(sessions.touchSession),
    deleteSession: write(sessions.deleteSession),
    endSession: write(sessions.endSession),

    // Domains and their DKIM keys
    createDomain: write(domains.createDomain),
    ensureSharedDomain: write(domains.ensureSharedDomain),
    ensureDkimKeys: write(domains.ensureDkimKeys),
    signingDomain: lookUp(domains.signingDomain),
    hostedDomain: lookUp(domains.hostedDomain),
    listDomains: lookUp(domains.listDomains),
    getDomain: lookUp(domains.getDomain),
    markDomainVerified: write(domains.markDomainVerified),
    async deleteDomain(userId: string, domain: string, by: string | null = null): Promise<boolean> {
      const found = await engine.read((s) => domains.domainToDelete(s, userId, domain));
      if (found?.verifiedAt) await emptyMailbox(`postmaster@${domain}`, by);
      return engine.write((s) => standing(s, by, domains.deleteDomain(s, userId, domain)), { lasting: true });
    },
    claimDomainChecks: write(domainWatch.claimDomainChecks),
    recordDomainCheck: write(domainWatch.recordDomainCheck),
    nextDomainCheckDue: lookUp(domainWatch.nextDomainCheckDue),

    // Agents
    createAgent: write(agents.createAgent),
    listAgents: scan(agents.listAgents),
    getAgent: lookUp(agents.getAgent),
    updateAgent: write(agents.updateAgent),
    async deleteAgent(id: string, now: Date, by: string | null = null): Promise<boolean> {
      await emptyMailbox(id, by);
      await emptyOutbox({ agentId: id }, by);
      return engine.write((s) => standing(s, by, agents.deleteAgent(s, id, now)), { lasting: true });
    },
    findMailbox: lookUp(agents.findMailbox),

    // Inbound mail
    acceptInbound: write(inbound.acceptInbound),
    listMessages: scan(messages.listMessages),
    listInbox: scan(inbox.listInbox),
    messagesAfter: follow(messages.messagesAfter),
    getMessage: scan(messages.getMessage),
    renewContent: write(renewContent),
    setReadStatus: write(messages.setReadStatus),
    markRead: write(messages.markRead),
    updateMessage: write(messages.updateMessage),
    deleteMessage: write(messages.deleteMessage),
    countMessages: scan(messages.countMessages),

    // Outbound mail, its queue and its outcomes
    acceptOutbound: write(outbound.acceptOutbound),
    // If this is forgotten, a new identical request counts as a repetition: at worst one mail too few, never one twice.
    noteAnswered: forgettable(outbound.noteAnswered),
    getOutbound: scan(outbound.getOutbound),
    briefOutbound: lookUp(outbound.briefOutbound),
    isEdited: lookUp(outbound.isEdited),
    outboundBytes: scan(outbound.outboundBytes),
    listOutbound: scan(outbound.listOutbound),
    cancelOutbound: write(outbound.cancelOutbound),

    // Held mail: facts for the gate, decisions, expiry, and telling the reviewers
    gateFacts: scan(gateFacts),
    seenTexts: scan(seenTexts),
    conversationsOf: lookUp(references.conversationsOf),
    decideHold: write(holds.decideHold),
    withdrawApproval: write(withdraw.withdrawApproval),
    holdQueued: write(holds.holdQueued),
    storeReview: forgettable(holds.storeReview),
    releaseLoop: write(holds.releaseLoop),
    expireHolds: write(holds.expireHolds),
    nextHoldDue: lookUp(holds.nextHoldDue),
    claimNotices: write(notices.claimNotices),
    storeNotices: write(notices.storeNotices),
    heldMessage: scan(holds.heldMessage),
    listAudit: scan(listAudit),
    decisionAbout: lookUp(decisionAbout),
    pauseDomain: write(pauses.pauseDomain),
    pauseAccount: write(pauses.pauseAccount),

    // The outbound queue. An outcome waits for the disk: a forgotten one would send the message again.
    claimDueRecipients: forgettable(queue.claimDueRecipients),
    renewLeases: forgettable(queue.renewLeases),
    renewLease: forgettable(queue.renewLease),
    outboundSize: lookUp(outboundSize),
    outboundWork: follow(outboundWork),
    leasedState: lookUp(leasedState),
    finishRecipient: write(queue.finishRecipient),
    nextRecipientDue: lookUp(queue.nextRecipientDue),
    adoptLanes: lasting(queue.adoptLanes),
    recordReport: write(recordReport),
    senderOf: lookUp(senderOf),
    outboundState: follow(queue.outboundState),
    refuseSuppressed: lookUp(refuseSuppressed),
    suppress: write(suppressions.suppress),
    getSuppression: lookUp(suppressions.getSuppression),
    listSuppressions: scan(suppressions.listSuppressions),
    unsuppress: write(suppressions.unsuppress),

    overview: scan(overview),

    // Conversations: both directions together
    listConversations: scan(listConversations),
    getConversation: scan(getConversation),

    // The event log
    readEvents: scan(events.readEvents),
    getEvent: lookUp(events.getEvent),
    lastPosition: lookUp(events.lastPosition),

    // Webhooks of accounts
    createWebhook: write(webhooks.createWebhook),
    listWebhooks: lookUp(webhooks.listWebhooks),
    getWebhook: lookUp(webhooks.getWebhook),
    updateWebhook: write(webhooks.updateWebhook),
    testWebhook: write(endpointHealth.testWebhook),
    failingEndpoints: follow(endpointHealth.failingEndpoints),
    /** Deletes a webhook, then its deliveries in small steps; false if the account has none of that id. */
    async deleteWebhook(userId: string, id: string): Promise<boolean> {
      if (!(await engine.write((s) => webhooks.deleteWebhook(s, userId, id)))) return false;
      await inBatches((s, limit) => webhooks.dropDeliveries(s, id, limit));
      return true;
    },

    // Webhook deliveries
    claimDueDeliveries: forgettable(deliveryQueue.claimDueDeliveries),
    deliveryBytes: lookUp(deliveries.deliveryBytes),
    renewDelivery: forgettable(deliveries.renewDelivery),
    deliveryWork: follow(deliveries.deliveryWork),
    largeDeliveryWork: scan(deliveries.deliveryWork),
    finishDelivery: forgettable(deliveries.finishDelivery),
    dropDelivery: forgettable(deliveries.dropDelivery),
    nextDeliveryDue: lookUp(deliveryQueue.nextDeliveryDue),
    deliveriesOf: scan(deliveries.deliveriesOf),
    listDeliveries: scan(deliveryLog.listDeliveries),
    eventOfMessage: lookUp(deliveryLog.eventOfMessage),
    getDelivery: scan(deliveryLog.getDelivery),
    redeliver: write(deliveryLog.redeliver),
    redeliverFailed: write(deliveryLog.redeliverFailed),
    queueState: follow(deliveryQueue.queueState),

    // Idempotent requests
    startIdempotent: write(requests.startIdempotent),
    finishIdempotent: write(requests.finishIdempotent),
    countRequest: forgettable(requests.countRequest),

    /**
     * At start: gives back every lease, and every Idempotency-Key whose request has no answer, if no other server has
     * this database open. The process that held them is gone.
     */
    takeOver: (now: Date) =>
      engine.takeOver(() =>
        engine.write(
          function* (s): Verb<void> {
            yield* deliveryQueue.releaseLeases(s, now);
            yield* queue.releaseRecipientLeases(s, now);
            yield* requests.forgetUnanswered(s);
            yield* events.adoptEvents(s);
          },
          { lasting: true },
        ),
      ),

    /**
     * Tells every node that these agents have these WebSocket consumers, and since when: `since`, or now by the
     * database's clock, which all nodes share (microseconds since the epoch; 0 on SQLite, with its one node). Returns
     * that now.
     */
    announceConsumers: (consumers: readonly { agentId: string; id: string; since: number | null }[]) =>
      engine.write(
        function* (s): Verb<number> {
          const now = s.dialect === "postgres" ? yield* databaseMicroseconds() : 0;
          for (const { agentId, id, since } of consumers)
            s.signal({ topic: "consumer", key: `${agentId} ${id} ${since ?? now}` });
          return now;
        },
        { forgettable: true },
      ),
    probeWrite: write(requests.probeWrite),
    /** The time of the database's clock, which all nodes share, in milliseconds since the epoch. Postgres only. */
    databaseTime: follow(function* (): Verb<number> {
      return Math.floor((yield* databaseMicroseconds()) / 1_000);
    }),

    // The canary that detects a wrong master key
    keyCanary: lookUp(keyCanary.keyCanary),
    claimKeyCanary: write(keyCanary.claimKeyCanary),
    sealedSample: lookUp(keyCanary.sealedSample),

    /** Deletes expired rows in small steps. A null time keeps them for ever. */
    async sweep(input: {
      now: Date;
      messagesBefore: Date | null;
      /** Applies to finished deliveries, events, and mail to reviewers. */
      deliveriesBefore: Date | null;
      idempotencyBefore: Date;
    }) {
      await engine.write((s) => sessions.sweepSessions(s, input.now));
      await engine.write((s) => sweepSendCounts(s, input.now));
      await engine.write((s) => sweepReservedAddresses(s, input.now));
      await engine.write((s) => requests.sweepIdempotency(s, input.idempotencyBefore));
      await engine.write((s) => requests.sweepRequestCounts(s, Math.floor(input.now.getTime() / 60_000) - 1));
      const { messagesBefore, deliveriesBefore } = input;
      if (deliveriesBefore) {
        await inBatches((s, limit) => deliveries.sweepDeliveries(s, deliveriesBefore, limit));
        await inBatches((s, limit) => events.sweepEvents(s, deliveriesBefore, limit));
        await inBatches((s, limit) => outbound.sweepOutbound(s, deliveriesBefore, limit, "notice"));
      }
      if (messagesBefore) {
        await inBatches((s, limit) => messages.sweepMessages(s, messagesBefore, limit));
        await inBatches((s, limit) => outbound.sweepOutbound(s, messagesBefore, limit));
        const unprovenBefore = new Date(Math.min(messagesBefore.getTime(), input.now.getTime() - UNPROVEN_KEPT_MS));
        await inBatches((s, limit) => sweepUnproven(s, unprovenBefore, limit));
      }
    },
  };
}

function* databaseMicroseconds(): Verb<number> {
  const [row] = yield* askRaw<{ at: string }>(
    sql`select (extract(epoch from clock_timestamp()) * 1000000)::bigint::text as at`,
  );
  return Number(row?.at);
}

export type Store = ReturnType<typeof createStore>;
