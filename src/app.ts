import { mkdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { version } from "../package.json" with { type: "json" };
import { createGatekeeper } from "./approval/gatekeeper.ts";
import { startHolds } from "./approval/holds.ts";
import { createReviews } from "./approval/reviews.ts";
import { createApprovalTokens } from "./approval/token.ts";
import { migrations } from "./assets.ts";
import type { Config } from "./config.ts";
import { startDomainWatch } from "./domains/watch.ts";
import { giveUpUnlessAnswered, health } from "./health.ts";
import { startHttp } from "./http/server.ts";
import { createSignInMail } from "./http/sign-in/mail.ts";
import { createSignInLink } from "./http/sign-in/routes.ts";
import type { ExamineSettings } from "./inbound/examine.ts";
import { createReceive, type Receive } from "./inbound/receive.ts";
import { type SmtpListener, startSmtp } from "./inbound/smtp.ts";
import { openMasterKey } from "./master-key.ts";
import { createResolver, type Resolver } from "./net/dns.ts";
import { createLookup, type Lookup, systemLookup } from "./net/lookup.ts";
import { loadOrCreateTls, watchTls } from "./net/tls.ts";
import { createEventFeed } from "./notify/event-feed.ts";
import { createHub } from "./notify/hub.ts";
import { createPoster } from "./notify/post.ts";
import { startWebhooks } from "./notify/webhook.ts";
import { type Dispatch, startDispatch, type UpstreamCheck } from "./outbound/dispatch.ts";
import { type OutcomeJournal, openOutcomeJournal } from "./outbound/outcome-journal.ts";
import { isPublished } from "./outbound/published.ts";
import { createRoutes } from "./outbound/routes.ts";
import { createSender, sendLimits } from "./outbound/send.ts";
import { createServerMail } from "./outbound/server-mail.ts";
import { createSigningKeys } from "./outbound/signing-keys.ts";
import { composeTestMail } from "./outbound/test-mail.ts";
import { createReturnPaths, type ReturnPaths } from "./return-path.ts";
import { IDEMPOTENCY_KEPT_MS } from "./store/accounts/requests.ts";
import type { Engine } from "./store/engine/engine.ts";
import type { Role } from "./store/engine/folder-lock.ts";
import { realFile } from "./store/engine/real-file.ts";
import { openSqlite } from "./store/engine/sqlite.ts";
import type { AgentRow } from "./store/schema.ts";
import { createStore, type Store } from "./store/store.ts";
import { openPostgresStore, openSqliteStore, type ThreadedStore } from "./store/threaded-store.ts";
import { createStoreThreads, type StoreThreads } from "./store/threads.ts";
import { childCommand } from "./tasks/child-command.ts";
import { createOffload } from "./tasks/offload.ts";
import { readingAnew } from "./tasks/reread.ts";
import { type Clock, followClock, systemClock } from "./util/clock.ts";
import { closeInTurn } from "./util/closing.ts";
import { Failure } from "./util/errors.ts";
import { createLog, type Log } from "./util/log.ts";
import { deriveKey } from "./vault.ts";
import { createPool, type Pool } from "./workers/pool.ts";

/** How long a stopping server waits for work in progress. */
const GRACE_MS = 20_000;
/** How long it waits for all of its parts together; systemd's own limit is 90 s. */
const STOP_MS = 60_000;
/** How long it waits for each part that is closed after that time. */
const STOP_LATE_MS = 1_000;
/** Working endpoints answer within seconds; deliveries to the others are repeated after the restart. */
const WEBHOOK_GRACE_MS = 3_000;
/** An attempt that an upstream answers slowly is broken off, and repeated after the restart. */
const OUTBOUND_GRACE_MS = 5_000;
/** How often expired rows are deleted. */
const SWEEP_INTERVAL_MS = 15 * 60_000;
/** The outside world, replaceable in tests. */
export interface Seams {
  clock: Clock;
  /** The machine's own clock, which a server on Postgres corrects by the database's. */
  machineClock: Clock;
  log: Log;
  resolver: Resolver;
  /** Address look-up for webhook hosts. */
  lookup: Lookup;
  /** Certificate authorities for webhook endpoints, in addition to the well-known ones (PEM). */
  webhookCa: string;
  /** Child processes shared by several servers; otherwise each server has its own. */
  pool: Pool;
  /** Store threads shared by several servers; otherwise each server has its own. */
  storeThreads: StoreThreads;
}

export interface App {
  readonly config: Config;
  readonly store: Store;
  readonly httpUrl: string;
  /** The URL of the metrics; null if they are off. */
  readonly metricsUrl: string | null;
  readonly smtp: { host: string; port: number; selfSigned: boolean };
  /** The result of signing in at each upstream; empty if outbound mail is captured or refused. */
  readonly upstreams: Promise<UpstreamCheck[]>;
  /** A link that signs in once, within minutes. On an empty server it creates the owner. */
  signInLink(): Promise<string>;
  /** Resolves when all due mail and every due delivery has been tried. */
  drain(): Promise<void>;
  /** Stops accepting work, finishes work in progress, and closes. Safe to call twice. */
  close(): Promise<void>;
}

/**
 * Builds and starts the whole server, in order; `close` closes it in reverse. Parts are constructed only here. Throws
 * if one cannot start, after closing those that did.
 */
export async function start(config: Config, seams: Partial<Seams> = {}): Promise<App> {
  const log = seams.log ?? createLog(config.log);
  const closers: (() => unknown)[] = [];
  let unlessAnswered = () => () => {};
  const closeAll = async () => {
    const cancel = unlessAnswered();
    await closeInTurn(closers, { allMs: STOP_MS, lateMs: STOP_LATE_MS }, log);
    cancel();
  };

  try {
    mkdirSync(config.dataDir, { recursive: true, mode: 0o700 });
    const store = await openStore(config, log, seams.storeThreads, closers);
    closers.push(() => store.close());
    const clock = seams.clock ?? (await serverClock(store, seams.machineClock ?? systemClock, log, closers));
    unlessAnswered = () => giveUpUnlessAnswered(store, clock, log);
    const { key: masterKey, vault } = await openMasterKey(
      { encryptionKey: config.signing.encryptionKey, dataDir: config.dataDir },
      store,
    );
    await store.ensureSharedDomain({ domain: config.sharedDomain, now: new Date(clock.now()) });
    const journal = openOutcomeJournal(join(storeFolder(config), "outcomes.journal"), log);
    closers.push(() => journal.close());
    // Before leases are released: mail that an upstream has accepted must not be claimed again.
    await recordLeft(journal, store, log);
    await store.takeOver(new Date(clock.now()));

    const resolver = seams.resolver ?? ownResolver(config, clock, closers);
    const feed = createEventFeed({ store, clock });
    const hub = createHub({ store, feed, clock, log });
    // Names that only the local network knows lead to private addresses. Configured servers replace the system's.
    const mayReachPrivate = config.webhook.allowedNetworks.length > 0 && config.dns.servers.length === 0;
    const poster = createPoster({
      lookup: seams.lookup ?? createLookup({ resolver, system: mayReachPrivate ? systemLookup : null }),
      policy: {
        allowLoopback: config.env === "development",
        allowHttp: config.env === "development",
        allowedNetworks: [...config.webhook.allowedNetworks],
      },
      timeoutMs: config.webhook.timeout,
      clock,
      ...(seams.webhookCa ? { extraCa: seams.webhookCa } : {}),
    });
    const returnPaths = createReturnPaths(deriveKey(masterKey, "return path"), config.outboundSmtp.returnPathDomain);
    const offload = createOffload({
      pool: seams.pool ?? ownPool(log, closers),
      resolver,
      isHosted: async (domain) => (await store.hostedDomain(domain)) !== null,
      log,
      settings: examineSettings(config),
      dns: seams.resolver || seams.clock ? null : { ...dnsSettings(config), server: crypto.randomUUID() },
    });
    const receive = createReceive({
      store,
      log,
      sharedDomain: config.sharedDomain,
      returnPaths,
      hostname: config.smtp.domain,
      examine: offload.examine,
      dnsTrouble: config.inbound.dnsTrouble,
      dmarcReject: config.inbound.dmarcReject,
    });

    const { outboundSmtp } = config;
    const routes = createRoutes(config, outboundSmtp.caFile ? readFileSync(outboundSmtp.caFile, "utf8") : null);
    if (routes.fallback) await store.adoptLanes([...routes.lanes], routes.fallback);
    const { sharedDomain } = config;
    const writeMail = createServerMail({ store, routes, sharedDomain });
    const opening = readingAnew(store, { read: offload.read, returnPaths, log });
    const webhooks = startWebhooks({
      store: opening,
      vault,
      poster,
      clock,
      log,
      concurrency: config.webhook.concurrency,
      concurrencyPerEndpoint: config.webhook.concurrencyPerEndpoint,
      failing: await store.failingEndpoints(),
      ratePerEndpoint: config.webhook.ratePerEndpoint,
      timeoutMs: config.webhook.timeout,
      writeMail,
    });
    closers.push(async () => {
      await webhooks.close(WEBHOOK_GRACE_MS);
      // Deliveries that still hang are stopped and return to the queue unchanged.
      poster.close();
      await webhooks.close(WEBHOOK_GRACE_MS);
    });

    const gatekeeper = createGatekeeper({
      store,
      clock,
      sharedDomain: config.sharedDomain,
      attachments: offload.attachments,
      search: offload.searchOutgoing,
    });
    const reviews = createReviews({ store, attachments: offload.attachments, derive: offload.heldReview });
    const dispatch = startDispatch({
      store,
      clock,
      log,
      receive,
      gatekeeper,
      routes,
      journal,
      returnPaths,
      signingKeys: createSigningKeys({ store, vault, clock }),
      sevenBit: offload.sevenBit,
      isPublished: (keys) => isPublished(keys, resolver),
      fromDomain: outboundSmtp.fromDomain,
      sharedDomain: config.sharedDomain,
      hostname: config.smtp.domain,
    });
    closers.push(() => dispatch.close(OUTBOUND_GRACE_MS));
    const upstreams = checkUpstreams(dispatch, log);
    const approvals = createApprovalTokens(deriveKey(masterKey, "approval link"));

    const baseUrl = () => config.http.publicUrl ?? http.url;
    const signInMail = createSignInMail({ store, clock, log, routes, writeMail, baseUrl, sharedDomain });
    closers.push(() => signInMail.drain());

    const http = await startHttp({
      config,
      store: opening,
      vault,
      clock,
      log,
      resolver,
      hub,
      feed,
      version,
      approvals,
      signInMail,
      offload,
      reviews,
      sender: createSender({
        store,
        clock,
        config,
        routes,
        dispatch,
        gatekeeper,
        compose: offload.compose,
        derive: offload.heldReview,
      }),
      sendTestMail: (agent) => sendTestMail(receive, agent, config, clock),
      health: () => health(store, config, clock),
    });
    closers.push(() => http.close(GRACE_MS));
    // Sockets and long polls are closed first, so that the HTTP server does not wait for them.
    closers.push(() => hub.close());
    closers.push(() => feed.close());

    const httpUrl = http.url;
    const { reviewMail, compose } = offload;
    const lane = routes.laneFor(sharedDomain);
    const holds = startHolds({
      store,
      clock,
      log,
      lane,
      approvals,
      reviews,
      baseUrl: baseUrl(),
      sharedDomain,
      limits: sendLimits(config),
      reviewMail,
      compose,
    });
    closers.push(() => holds.close(OUTBOUND_GRACE_MS));

    const domainWatch = startDomainWatch({ store, resolver, clock, log, mailHost: config.smtp.domain });
    closers.push(() => domainWatch.close(WEBHOOK_GRACE_MS));

    const smtp = await openSmtp({ config, store, receive, returnPaths, clock, log, closers });
    keepSwept(store, config, clock, log, closers);

    let closing: Promise<void> | undefined;
    return {
      config,
      store,
      httpUrl,
      metricsUrl: http.metricsUrl,
      smtp,
      upstreams,
      signInLink: () => createSignInLink(store, clock, baseUrl()),
      async drain() {
        await signInMail.drain();
        // A held message causes mail to its reviewers, and mail to a local agent causes a delivery.
        await holds.drain();
        await domainWatch.drain();
        await dispatch.drain();
        await webhooks.drain();
        // An endpoint that was switched off causes mail to its owner.
        await dispatch.drain();
      },
      close: () => (closing ??= closeAll()),
    };
  } catch (error) {
    await closeAll();
    throw error;
  }
}

/** Opens the server's store on its own threads, so that no statement and no large row delays the sockets. */
async function openStore(
  config: Config,
  log: Log,
  shared: StoreThreads | undefined,
  closers: (() => unknown)[],
): Promise<ThreadedStore> {
  const { database } = config;
  // A database in memory cannot have a second connection.
  if (database.kind === "sqlite" && database.path === ":memory:")
    return { ...createStore(await openEngine(config, log, "server")), giveUp() {} };
  const threads = shared ?? createStoreThreads();
  if (!shared) closers.push(() => threads.close());
  if (database.kind === "postgres") {
    const { url, poolSize } = database;
    return openPostgresStore(threads, { url, poolSize, migrations: migrations("postgres"), log });
  }
  return openSqliteStore(threads, { path: database.path, migrations: migrations("sqlite"), role: "server", log });
}

/** Opens the configured database and applies its migrations. A SQLite file can have only one server at a time. */
export async function openEngine(config: Config, log: Log, role: Role): Promise<Engine> {
  const { database } = config;
  if (database.kind === "sqlite") return openSqlite(database.path, migrations("sqlite"), { role, log });
  // Imported only when needed: a server on SQLite does without the Postgres driver in memory.
  const { openPostgres } = await import("./store/engine/postgres.ts");
  return openPostgres(database.url, { poolSize: database.poolSize, migrations: migrations("postgres"), log });
}

/** The folder for files that belong to the store. */
function storeFolder({ database, dataDir }: Config): string {
  return database.kind === "sqlite" && database.path !== ":memory:" ? dirname(realFile(database.path)) : dataDir;
}

/** Records outcomes that an earlier process could not, because its store did not answer until it ended. */
async function recordLeft(journal: OutcomeJournal, store: Store, log: Log): Promise<void> {
  for (const { recipient, outcome, at } of journal.left) {
    const status = await store.finishRecipient(recipient, outcome, at);
    const fields = { message: recipient.messageId, recipient: recipient.n, outcome: outcome.kind };
    if (status !== null) log.info("outbound.recorded_late", fields);
  }
  journal.forgetLeft();
}

function ownPool(log: Log, closers: (() => unknown)[]): Pool {
  const pool = createPool({ command: childCommand(), log });
  closers.push(() => pool.close());
  return pool;
}

function examineSettings({ smtp, dns, inbound }: Config): ExamineSettings {
  const { maxParts, maxDepth, maxHeaderBytes, maxHops: hopsMax } = inbound;
  return {
    hostname: smtp.domain,
    verifyBudgetMs: dns.timeout,
    limits: { maxParts, maxDepth, maxHeaderBytes },
    hopsMax,
  };
}

function dnsSettings({ dns }: Config) {
  return { servers: [...dns.servers], timeoutMs: dns.timeout, cacheEntries: dns.cacheEntries };
}

function ownResolver(config: Config, clock: Clock, closers: (() => unknown)[]): Resolver {
  const resolver = createResolver({ ...dnsSettings(config), clock });
  closers.push(() => resolver.close());
  return resolver;
}

async function openSmtp(deps: {
  config: Config;
  store: Store;
  receive: Receive;
  returnPaths: ReturnPaths;
  clock: Clock;
  log: Log;
  closers: (() => unknown)[];
}): Promise<App["smtp"]> {
  const { config, store, receive, returnPaths, clock, log, closers } = deps;
  const settings = config.smtp;
  const { selfSigned, ...pair } = await loadOrCreateTls({
    ...(settings.tlsCert && settings.tlsKey ? { certPath: settings.tlsCert, keyPath: settings.tlsKey } : {}),
    dataDir: config.dataDir,
    hostname: settings.domain,
    log,
  });
  const listener: SmtpListener = await startSmtp({
    listen: settings.listenAddr,
    hostname: settings.domain,
    tls: pair,
    maxMessageBytes: settings.maxMessageSize,
    maxBytesInHand: settings.maxBytesInHand,
    maxRecipients: settings.maxRecipients,
    maxConnections: settings.maxConnections,
    maxConnectionsPerIp: settings.maxConnectionsPerIp,
    maxMessagesPerConnection: settings.maxMessagesPerConnection,
    maxMessagesPerMinutePerIp: settings.maxMessagesPerMinutePerIp,
    idleTimeoutMs: settings.idleTimeout,
    sessionTimeoutMs: settings.sessionTimeout,
    proxyTrusted: settings.proxyTrusted,
    clock,
    log,
    async resolveRecipient(address) {
      const returnPath = returnPaths.read(address);
      if (returnPath) return returnPath === "forged" ? null : { mailbox: address.toLowerCase() };
      const found = await store.findMailbox(address, config.sharedDomain);
      if (found.kind === "mailbox") return { mailbox: found.id };
      if (found.kind === "foreign")
        throw new Failure("relay_denied", "This server does not relay mail; the domain is not hosted here.");
      if (found.kind === "unowned") throw new Failure("unavailable", "This mailbox has no owner yet; try again later.");
      return null;
    },
    receive,
  });
  closers.push(() => listener.close(GRACE_MS));
  if (settings.tlsCert && settings.tlsKey) {
    const watching = watchTls({
      certPath: settings.tlsCert,
      keyPath: settings.tlsKey,
      current: pair,
      apply: (fresh) => listener.updateTls(fresh),
      log,
    });
    closers.push(() => watching.close());
  }
  return { host: listener.address, port: listener.port, selfSigned };
}

/** Signs in at every upstream, in the background, so that one that is down does not keep the server from starting. */
async function checkUpstreams(dispatch: Dispatch, log: Log): Promise<UpstreamCheck[]> {
  const checks = await dispatch.check();
  for (const { name, result } of checks)
    if (result.ok) log.info("upstream.ready", { upstream: name, tls: result.tls, signed_in: result.signedIn });
    else log.error("upstream.check_failed", { upstream: name, error: result.error });
  return checks;
}

async function sendTestMail(receive: Receive, agent: AgentRow, config: Config, clock: Clock) {
  const from = `noreply@${config.sharedDomain}`;
  const now = new Date(clock.now());
  const messageId = `<${crypto.randomUUID()}@${config.smtp.domain}>`;
  const raw = await composeTestMail({ from, to: agent.id, messageId, now });
  const envelope = {
    mailFrom: from,
    rcptTo: [agent.id],
    remoteAddress: "127.0.0.1",
    helo: config.smtp.domain,
    protocol: "ESMTP",
    receivedAt: now,
  };
  const recipients = [{ address: agent.id, mailbox: agent.id }];
  const { id } = await receive(envelope, recipients, raw, { domain: config.sharedDomain });
  return { messageId: id };
}

/**
 * Returns the clock that the server uses. Nodes on one Postgres share the database's clock: if a node's own clock were
 * late, the other nodes would see its leases as expired from the start, and would send its mail again.
 */
async function serverClock(store: Store, own: Clock, log: Log, closers: (() => unknown)[]): Promise<Clock> {
  if (store.dialect !== "postgres") return own;
  const clock = await followClock(store.databaseTime, own, (aheadMs) => {
    log.warn("clock.differs", { database_ahead_seconds: Math.round(aheadMs / 1_000) });
  });
  closers.push(() => clock.close());
  return clock;
}

function keepSwept(store: Store, config: Config, clock: Clock, log: Log, closers: (() => unknown)[]) {
  let isOver = false;
  let cancel = () => {};
  const before = (ms: number) => new Date(clock.now() - ms);
  // 0 keeps rows for ever.
  const beforeUnlessKept = (ms: number) => (ms > 0 ? before(ms) : null);
  const later = () => {
    if (isOver) return;
    cancel = clock.after(SWEEP_INTERVAL_MS, () => {
      store
        .sweep({
          now: new Date(clock.now()),
          messagesBefore: beforeUnlessKept(config.retention.messages),
          deliveriesBefore: beforeUnlessKept(config.retention.deliveries),
          idempotencyBefore: before(IDEMPOTENCY_KEPT_MS),
        })
        .catch((error) => isOver || log.error("sweep.failed", {}, error))
        .finally(later);
    });
  };
  later();
  closers.push(() => {
    isOver = true;
    cancel();
    // A sweep in progress ends with the store: it may have millions of rows to go through.
  });
}
