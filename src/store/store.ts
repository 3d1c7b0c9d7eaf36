import { sql } from "drizzle-orm";
import * as accounts from "./accounts.ts";
import * as agents from "./agents.ts";
import { decisionAbout, listAudit } from "./audit.ts";
import { getConversation, listConversations } from "./conversations.ts";
import { deleteAccount } from "./delete-account.ts";
import * as deliveries from "./deliveries.ts";
import * as deliveryLog from "./delivery-log.ts";
import * as deliveryQueue from "./delivery-queue.ts";
import * as domainWatch from "./domain-watch.ts";
import * as domains from "./domains.ts";
import * as endpointHealth from "./endpoint-health.ts";
import { askRaw, type Engine, type Scope, type Signal, type Verb } from "./engine.ts";
import * as events from "./events.ts";
import { gateFacts } from "./gate-facts.ts";
import * as holds from "./holds.ts";
import * as inbound from "./inbound.ts";
import * as inbox from "./inbox.ts";
import * as keyCanary from "./key-canary.ts";
import * as messages from "./messages.ts";
import * as notices from "./notices.ts";
import * as outbound from "./outbound.ts";
import * as queue from "./outbound-queue.ts";
import { recordReport } from "./outbound-report.ts";
import { overview } from "./overview.ts";
import * as pauses from "./pauses.ts";
import * as requests from "./requests.ts";
import { sweepReservedAddresses } from "./reserved-addresses.ts";
import { refuseSuppressed, sweepSendCounts } from "./send-limits.ts";
import * as sessions from "./sessions.ts";
import * as suppressions from "./suppressions.ts";
import { sweepUnproven } from "./unproven.ts";
import * as webhooks from "./webhooks.ts";
import * as withdraw from "./withdraw.ts";

/** Rows a sweep deletes in one transaction, so that it never holds up mail. */
const SWEEP_BATCH = 500;
/** How long the gate remembers an unproven sender after the last such mail, at least: a year. */
const UNPROVEN_KEPT_MS = 365 * 86_400_000;

/**
 * The list of verbs: all that the rest of the product can ask of the database.
 * Each is one transaction, and each is a promise that settles after its commit or rollback.
 */
export function createStore(engine: Engine) {
  const read =
    <A extends unknown[], R>(verb: (s: Scope, ...args: A) => Verb<R>) =>
    (...args: A): Promise<R> =>
      engine.read((s) => verb(s, ...args));
  const write =
    <A extends unknown[], R>(verb: (s: Scope, ...args: A) => Verb<R>) =>
    (...args: A): Promise<R> =>
      engine.write((s) => verb(s, ...args));
  // What a power cut may undo: hints for people, and claims and outcomes of deliveries, which are made at least once.
  const forgettable =
    <A extends unknown[], R>(verb: (s: Scope, ...args: A) => Verb<R>) =>
    (...args: A): Promise<R> =>
      engine.write((s) => verb(s, ...args), { forgettable: true });

  /**
   * The verbs that make something, whose repetition would make it again. `keep` says with what a repeated request is
   * answered: it is stored in the same transaction, so that no crash lies between the two. It may be asked twice.
   */
  const making = (keep: ((made: unknown) => requests.KeptAnswer | null) | null) => {
    const make = <A extends unknown[], R>(verb: (s: Scope, ...args: A) => Verb<R>) =>
      write(function* (s: Scope, ...args: A): Verb<R> {
        const made = yield* verb(s, ...args);
        const kept = keep?.(made);
        if (kept) yield* requests.keepAnswer(s, kept);
        return made;
      });
    return {
      createKey: make(accounts.createKey),
      createSecret: make(accounts.createSecret),
      createDomain: make(domains.createDomain),
      createAgent: make(agents.createAgent),
      createWebhook: make(webhooks.createWebhook),
      testWebhook: make(endpointHealth.testWebhook),
    };
  };

  const inBatches = async (batch: () => Promise<number>) => {
    while ((await batch()) === SWEEP_BATCH);
  };

  return {
    dialect: engine.dialect,
    onSignal: (listener: (signal: Signal) => void) => engine.onSignal(listener),
    close: () => engine.close(),
    /** Why the store takes no writes, as a sentence; null while nothing is known to be wrong. */
    fault: () => engine.fault(),

    ...making(null),
    making,

    // Accounts: people, their keys and signing secrets
    createAccount: write(accounts.createAccount),
    getUser: read(accounts.getUser),
    findUserByEmail: read(accounts.findUserByEmail),
    firstUser: read(accounts.firstUser),
    listKeys: read(accounts.listKeys),
    deleteKey: write(accounts.deleteKey),
    findKey: read(accounts.findKey),
    touchKey: forgettable(accounts.touchKey),
    proofStands: read(accounts.proofStands),
    listSecrets: read(accounts.listSecrets),
    deleteSecret: write(accounts.deleteSecret),
    touchSecret: forgettable(accounts.touchSecret),
    deleteAccount: write(deleteAccount),

    // Signing in: the first account, one-time tokens and the sessions of browsers
    createFirstAccount: write(sessions.createFirstAccount),
    createSignInToken: write(sessions.createSignInToken),
    mailSignInToken: write(sessions.mailSignInToken),
    findSignInToken: read(sessions.findSignInToken),
    useSignInToken: write(sessions.useSignInToken),
    createSession: write(sessions.createSession),
    findSession: read(sessions.findSession),
    listSessions: read(sessions.listSessions),
    touchSession: forgettable(sessions.touchSession),
    deleteSession: write(sessions.deleteSession),
    endSession: write(sessions.endSession),

    // Domains and their DKIM keys
    ensureSharedDomain: write(domains.ensureSharedDomain),
    ensureDkimKeys: write(domains.ensureDkimKeys),
    signingDomain: read(domains.signingDomain),
    hostedDomain: read(domains.hostedDomain),
    listDomains: read(domains.listDomains),
    getDomain: read(domains.getDomain),
    markDomainVerified: write(domains.markDomainVerified),
    deleteDomain: write(domains.deleteDomain),
    claimDomainChecks: write(domainWatch.claimDomainChecks),
    recordDomainCheck: write(domainWatch.recordDomainCheck),
    nextDomainCheckDue: read(domainWatch.nextDomainCheckDue),

    // Agents
    listAgents: read(agents.listAgents),
    getAgent: read(agents.getAgent),
    updateAgent: write(agents.updateAgent),
    deleteAgent: write(agents.deleteAgent),
    findMailbox: read(agents.findMailbox),

    // Inbound mail
    acceptInbound: write(inbound.acceptInbound),
    listMessages: read(messages.listMessages),
    listInbox: read(inbox.listInbox),
    messagesAfter: read(messages.messagesAfter),
    getMessage: read(messages.getMessage),
    setReadStatus: write(messages.setReadStatus),
    updateMessage: write(messages.updateMessage),
    deleteMessage: write(messages.deleteMessage),
    countMessages: read(messages.countMessages),

    // Outbound mail, its queue and what became of it
    acceptOutbound: write(outbound.acceptOutbound),
    // Forgotten, the same request would be taken for a repetition: no mail twice, at worst one too few.
    noteAnswered: forgettable(outbound.noteAnswered),
    getOutbound: read(outbound.getOutbound),
    outboundBytes: read(outbound.outboundBytes),
    listOutbound: read(outbound.listOutbound),
    cancelOutbound: write(outbound.cancelOutbound),

    // Held mail: what the gate asks, decisions, expiry, and telling the reviewers
    gateFacts: read(gateFacts),
    conversationOf: read(outbound.conversationOf),
    decideHold: write(holds.decideHold),
    withdrawApproval: write(withdraw.withdrawApproval),
    holdQueued: write(holds.holdQueued),
    storeReview: forgettable(holds.storeReview),
    releaseLoop: write(holds.releaseLoop),
    expireHolds: write(holds.expireHolds),
    nextHoldDue: read(holds.nextHoldDue),
    claimNotices: write(notices.claimNotices),
    storeNotices: write(notices.storeNotices),
    heldMessage: read(holds.heldMessage),
    listAudit: read(listAudit),
    decisionAbout: read(decisionAbout),
    pauseDomain: write(pauses.pauseDomain),
    pauseAccount: write(pauses.pauseAccount),

    // The queue of mail out
    // An outcome waits for the disk: one that is forgotten would send the message again.
    claimDueRecipients: forgettable(queue.claimDueRecipients),
    renewLeases: forgettable(queue.renewLeases),
    renewLease: forgettable(queue.renewLease),
    outboundWork: read(queue.outboundWork),
    finishRecipient: write(queue.finishRecipient),
    nextRecipientDue: read(queue.nextRecipientDue),
    adoptLanes: write(queue.adoptLanes),
    recordReport: write(recordReport),
    outboundState: read(queue.outboundState),
    refuseSuppressed: read(refuseSuppressed),
    suppress: write(suppressions.suppress),
    getSuppression: read(suppressions.getSuppression),
    listSuppressions: read(suppressions.listSuppressions),
    unsuppress: write(suppressions.unsuppress),

    overview: read(overview),

    // Conversations: both directions together
    listConversations: read(listConversations),
    getConversation: read(getConversation),

    // The event log
    readEvents: read(events.readEvents),
    getEvent: read(events.getEvent),
    lastPosition: read(events.lastPosition),

    // Webhooks of accounts
    listWebhooks: read(webhooks.listWebhooks),
    getWebhook: read(webhooks.getWebhook),
    updateWebhook: write(webhooks.updateWebhook),
    failingEndpoints: read(endpointHealth.failingEndpoints),
    /** Deletes a webhook, and what waits for it in small steps; false when the account has none of that id. */
    async deleteWebhook(userId: string, id: string): Promise<boolean> {
      if (!(await engine.write((s) => webhooks.deleteWebhook(s, userId, id)))) return false;
      await inBatches(() => engine.write((s) => webhooks.dropDeliveries(s, id, SWEEP_BATCH)));
      return true;
    },

    // Webhook deliveries
    claimDueDeliveries: forgettable(deliveryQueue.claimDueDeliveries),
    deliveryWork: read(deliveries.deliveryWork),
    finishDelivery: forgettable(deliveries.finishDelivery),
    dropDelivery: forgettable(deliveries.dropDelivery),
    nextDeliveryDue: read(deliveryQueue.nextDeliveryDue),
    deliveriesOf: read(deliveries.deliveriesOf),
    listDeliveries: read(deliveryLog.listDeliveries),
    eventOfMessage: read(deliveryLog.eventOfMessage),
    getDelivery: read(deliveryLog.getDelivery),
    redeliver: write(deliveryLog.redeliver),
    redeliverFailed: write(deliveryLog.redeliverFailed),
    queueState: read(deliveryQueue.queueState),

    // Idempotent requests
    startIdempotent: write(requests.startIdempotent),
    finishIdempotent: write(requests.finishIdempotent),
    countRequest: forgettable(requests.countRequest),

    /**
     * At start: gives back every lease, and every Idempotency-Key whose request has no answer, when no other server
     * has this database open. Whoever held them is dead.
     */
    takeOver: (now: Date) =>
      engine.takeOver(() =>
        engine.write(function* (s): Verb<void> {
          yield* deliveryQueue.releaseLeases(s, now);
          yield* queue.releaseRecipientLeases(s, now);
          yield* requests.forgetUnanswered(s);
          yield* events.adoptEvents(s);
        }),
      ),

    /**
     * Tells every node that these agents have these WebSocket consumers, and since when: `since`, or now by the database's
     * clock, the one that all nodes share (microseconds since the epoch; 0 on SQLite, which has one node). Returns that now.
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

    // The key that sealed what is sealed here
    keyCanary: read(keyCanary.keyCanary),
    claimKeyCanary: write(keyCanary.claimKeyCanary),
    sealedSample: read(keyCanary.sealedSample),

    /** Deletes what has outlived its use, in small steps. Null keeps for ever. */
    async sweep(input: {
      now: Date;
      messagesBefore: Date | null;
      /** Finished deliveries, events, and mail to reviewers. */
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
        await inBatches(() => engine.write((s) => deliveries.sweepDeliveries(s, deliveriesBefore, SWEEP_BATCH)));
        await inBatches(() => engine.write((s) => events.sweepEvents(s, deliveriesBefore, SWEEP_BATCH)));
        await inBatches(() => engine.write((s) => outbound.sweepOutbound(s, deliveriesBefore, SWEEP_BATCH, "notice")));
      }
      if (messagesBefore) {
        await inBatches(() => engine.write((s) => messages.sweepMessages(s, messagesBefore, SWEEP_BATCH)));
        await inBatches(() => engine.write((s) => outbound.sweepOutbound(s, messagesBefore, SWEEP_BATCH)));
        const unprovenBefore = new Date(Math.min(messagesBefore.getTime(), input.now.getTime() - UNPROVEN_KEPT_MS));
        await inBatches(() => engine.write((s) => sweepUnproven(s, unprovenBefore, SWEEP_BATCH)));
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
