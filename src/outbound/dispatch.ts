import type { Gatekeeper } from "../approval/gatekeeper.ts";
import type { Receive } from "../inbound/receive.ts";
import { signDkim } from "../message/dkim.ts";
import { asBuffer } from "../message/headers.ts";
import { isHardBounce } from "../message/report/hard-bounce.ts";
import { sendVia, viaLocalPart } from "../message/via.ts";
import type { ReturnPaths } from "../return-path.ts";
import { sameGate } from "../store/outbound/outbound.ts";
import type { LaneRoom, RecipientOutcome } from "../store/outbound/queue.ts";
import type { OutboundWork } from "../store/outbound/work.ts";
import type { OutboundContent, RecipientRow } from "../store/schema.ts";
import type { Store } from "../store/store.ts";
import { type Clock, earliest } from "../util/clock.ts";
import { Failure } from "../util/errors.ts";
import type { Log } from "../util/log.ts";
import type { Owner } from "../util/owner.ts";
import { createRoom } from "../util/room.ts";
import { Tally } from "../util/tally.ts";
import { startWork } from "../util/work.ts";
import { contentHashOf } from "./content-hash.ts";
import { createOutages } from "./outage.ts";
import type { OutcomeJournal } from "./outcome-journal.ts";
import { providerIdOf, renamedMessageId } from "./provider-id.ts";
import { retryDelay } from "./retry.ts";
import { captureLane, domainOf, localLane, type Routes } from "./routes.ts";
import type { DomainKeys, SigningKeys } from "./signing-keys.ts";
import { createUpstream, type Upstream } from "./upstream.ts";
import type { SendOutcome } from "./upstream-session.ts";

/** Claimed recipients in hand per connection to an upstream: while one is sent, the next is read and signed. */
const CLAIMED_PER_CONNECTION = 2;
/** Mail just submitted may wait in memory instead of being read again: this many messages per connection … */
const RESERVED_PER_CONNECTION = 10;
/** … and this many bytes in all. */
const RESERVED_BYTES_MAX = 64 * 1024 * 1024;
/** Messages delivered to this server's mailboxes at once; they share commits. */
const LOCAL_AT_ONCE = 32;
/** A larger message that is read again needs room. */
const LARGE_BYTES = 64 * 1024;
/** Room of a lane for all of them: three of the largest. Each is in memory twice, as it was stored and as it is signed. */
const ROOM_BYTES = 96 * 1024 * 1024;
/** Large messages of a lane that may wait for room under their lease; others queue again for this long. */
const ROOM_WAITING_MAX = 64;
const NO_ROOM_RETRY_MS = 15_000;
/** How long the mail of a dead node waits. A living node renews its leases long before they end. */
const LEASE_MS = 90_000;
const RENEW_MS = 20_000;
/** The longest SMTP dialogue: RFC 5321 4.5.3.2 gives ten minutes to the final dot alone. */
const TRY_MS = 15 * 60_000;
/** Pause before an outcome is recorded again. A living process never gives one up. */
const RECORD_RETRY_MS = 1_000;
/** The same, after a failure that is unlikely to pass with time. */
const RECORD_RETRY_LONG_MS = 60_000;
/** An outcome that the store has not taken after this time is written to disk. */
const RECORD_SLOW_MS = 100;
/**
 * A store that has not answered after this time may never answer: a dead connection takes many minutes to fail. Until
 * it answers, no more mail is handed to an upstream.
 */
const RECORD_LATE_MS = 2_000;
/** Mail is handed to an upstream only if a write succeeded this recently: else its outcome might not be recorded. */
const WRITE_FRESH_MS = 5_000;
/**
 * How long a node does not claim after a shared store was away. Leases may have ended meanwhile, and nodes that have
 * outcomes to record, which they try every second, must come first.
 */
const HELD_BACK_MS = 10_000;
/**
 * A message that waited longer for a connection is looked up again before it leaves: it may have been paused, held or
 * deleted meanwhile, or its lease may have ended.
 */
const KNOWN_MS = 1_000;
/** Pause before a message is tried again after its gate failed, or the server was too busy to encode it. */
const OWN_RETRY_MS = 60_000;

export interface DispatchOptions {
  store: Store;
  clock: Clock;
  log: Log;
  receive: Receive;
  routes: Routes;
  journal: OutcomeJournal;
  returnPaths: ReturnPaths;
  gatekeeper: Gatekeeper;
  /** A composed message in 7 bits, for servers without 8BITMIME; null if it cannot be made. */
  sevenBit(owner: Owner, raw: Uint8Array): Promise<Uint8Array | null>;
  signingKeys: SigningKeys;
  /** Whether a key of the domain is published; decides between its own From and "via e2a". */
  isPublished(keys: DomainKeys): Promise<boolean>;
  /** The From domain for agents of domains whose keys are not published; null keeps their own domain. */
  fromDomain: string | null;
  sharedDomain: string;
  hostname: string;
  random?: () => number;
}

/** A recipient leased to this process. `work`: its message, if the caller has it in memory. */
interface Item {
  recipient: RecipientRow;
  work?: OutboundWork;
}

export interface UpstreamCheck {
  lane: string;
  /** host:port */
  name: string;
  result: Awaited<ReturnType<Upstream["check"]>>;
}

export interface Dispatch {
  /**
   * Reserves room for one immediate try: its lease token, or null if it must queue. `unreserve` returns unused room.
   */
  reserve(lane: string, bytes: number): string | null;
  unreserve(lane: string, bytes: number): void;
  /** The end of a lease that starts now. */
  leaseUntil(): Date;
  /** Tries a recipient that was stored with the token of `reserve`. */
  take(recipient: RecipientRow, work: OutboundWork): void;
  /** Why a lane is down; null if it is up. */
  outage(lane: string): string | null;
  /** Signs in at every upstream. */
  check(): Promise<UpstreamCheck[]>;
  drain(): Promise<void>;
  close(graceMs: number): Promise<void>;
}

/**
 * Dispatches outbound mail: claim → route → receive() for agents of this server, an upstream for all others → outcome.
 *
 * Delivery is at least once. The upstream's 250 is kept in a journal until the commit, so a crash of the process
 * between the two sends nothing twice. A crash of the machine may, before the journal is on disk. Repeated mail to
 * agents of this server is recognised, so it arrives exactly once.
 */
export function startDispatch(options: DispatchOptions): Dispatch {
  const { store, clock, log, routes, journal } = options;
  const random = options.random ?? Math.random;
  const outages = createOutages(clock, random);
  const upstreams = new Map([...routes.upstreams].map(([lane, settings]) => [lane, createUpstream(settings, log)]));
  const inHand = new Tally();
  /** Lanes in which the last claim left due mail behind: new mail queues there, to keep the order. */
  const behind = new Set<string>();
  /** Lane → the account where its last claim stopped, so that each account gets its turn. */
  const turns = new Map<string, string>();
  /** Recipients in hand. Those of one claim share a lease token. */
  const leased = new Set<RecipientRow>();
  const rooms = new Map(
    routes.lanes.map((lane) => {
      const limits = { bytes: ROOM_BYTES, waiting: ROOM_WAITING_MAX, waitMs: TRY_MS, isFailing: () => false };
      return [lane, createRoom<RecipientRow>(limits, clock)];
    }),
  );
  const breakOff = new AbortController();
  let closed = false;
  /** Set when the dispatcher has closed: a try that still hangs does nothing more. */
  let isOver = false;

  let reservedBytes = 0;
  /** When a write last succeeded. */
  let wroteAt = Number.NEGATIVE_INFINITY;
  /** Set when the store has failed: no claim before this time. */
  let heldBackUntil: number | null = null;

  function noteStoreFailed(): void {
    if (store.dialect === "postgres") heldBackUntil = clock.elapsed() + HELD_BACK_MS;
  }

  /** Whether claims must wait for other nodes to record their outcomes. Throws while the store is away. */
  async function isHeldBack(): Promise<boolean> {
    if (heldBackUntil === null) return false;
    await store.probeWrite(new Date(clock.now()));
    if (clock.elapsed() < heldBackUntil) return true;
    heldBackUntil = null;
    return false;
  }

  async function claimDue(lanes: LaneRoom[]): Promise<RecipientRow[]> {
    try {
      if (await isHeldBack()) return [];
      await renewOverdue();
      const now = new Date(clock.now());
      const { claimed, after } = await store.claimDueRecipients({
        now,
        leaseUntil: leaseUntil(),
        leaseToken: crypto.randomUUID(),
        lanes,
      });
      wroteAt = clock.elapsed();
      for (const [lane, account] of Object.entries(after)) turns.set(lane, account);
      return claimed;
    } catch (error) {
      noteStoreFailed();
      throw error;
    }
  }

  const room = (lane: string, perConnection: number) => {
    const connections = routes.upstreams.get(lane)?.connections;
    const capacity = connections === undefined ? LOCAL_AT_ONCE : connections * perConnection;
    return Math.max(0, outages.room(lane, capacity) - inHand.of(lane));
  };
  const free = (lane: string) => room(lane, CLAIMED_PER_CONNECTION);
  const leaseUntil = () => new Date(clock.now() + LEASE_MS);

  const work = startWork<Item>({
    name: "outbound",
    // Each lane has its own limit.
    concurrency: Number.POSITIVE_INFINITY,
    clock,
    log,
    async claim() {
      const lanes = routes.lanes.map((lane) => ({ lane, free: free(lane), after: turns.get(lane) }));
      const open = lanes.filter((row) => row.free > 0);
      const claimed = open.length === 0 ? [] : await claimDue(open);
      for (const { lane, free } of lanes) {
        const taken = claimed.filter((row) => row.lane === lane).length;
        inHand.add(lane, taken);
        if (taken < free) behind.delete(lane);
        else if (free > 0) behind.add(lane);
      }
      return claimed.map((recipient) => ({ recipient }));
    },
    run,
    // A lane that went down counts, because the time of its next probe is known only now.
    waiting: () => routes.lanes.some((lane) => outages.until(lane) !== null || (behind.has(lane) && free(lane) > 0)),
    async nextDue() {
      const now = clock.now();
      if (heldBackUntil !== null) return new Date(now + RECORD_RETRY_MS);
      const times: (Date | number | null)[] = routes.lanes.map(outages.until).filter((until) => until && until > now);
      const dues = await Promise.all(routes.lanes.map((lane) => store.nextRecipientDue([lane])));
      for (const [i, lane] of routes.lanes.entries()) {
        const due = dues[i] ?? null;
        // A lane without room is claimed from when a try in it ends.
        if (due && due.getTime() <= now && free(lane) === 0) behind.add(lane);
        else times.push(due);
      }
      return earliest(times);
    },
  });

  /**
   * Waits until a large message has room; meanwhile, others of its lane take its place. Null if it must come again
   * later.
   */
  async function waitForRoom(recipient: RecipientRow, bytes: number): Promise<(() => void) | null> {
    const { lane } = recipient;
    inHand.add(lane, -1);
    work.wake();
    const leave = (await rooms.get(lane)?.wait(recipient, bytes)) ?? null;
    inHand.add(lane, +1);
    return leave;
  }

  async function run({ recipient, work: known }: Item): Promise<void> {
    const { lane, messageId } = recipient;
    const knownAt = clock.elapsed();
    let leave: (() => void) | null = null;
    leased.add(recipient);
    try {
      const bytes = known ? 0 : await store.outboundSize(messageId);
      if (bytes > LARGE_BYTES) {
        leave = rooms.get(lane)?.enter(recipient, bytes) ?? null;
        const waits = leave === null;
        leave ??= await waitForRoom(recipient, bytes);
        // While it waited, it may have been paused, or its lease may have ended.
        if (!leave || (waits && (await store.agentOfLeased(recipient)) === null)) {
          const at = new Date(clock.now() + (leave || closed ? 0 : NO_ROOM_RETRY_MS));
          await record(recipient, { kind: "released", at, error: null });
          return;
        }
      }
      const work = known ?? (await store.outboundWork(messageId));
      // The message or its agent was deleted, and with it the recipient.
      if (!work) return;
      // For mail just submitted, the gate has decided a moment ago.
      if (!known && (await isHeldNow(recipient, work))) return;
      const outcome = await attempt(recipient, work, knownAt).catch((error): RecipientOutcome => {
        // Before any mail was handed over, the store failed, or the server was too busy to encode it.
        if (error instanceof Failure && (error.code === "unavailable" || error.code === "overloaded")) {
          const pauseMs = error.code === "overloaded" ? OWN_RETRY_MS : 0;
          return { kind: "released", at: new Date(clock.now() + pauseMs), error: error.message };
        }
        if (isOver) return { kind: "released", at: new Date(clock.now()), error: null };
        log.error("outbound.try_failed", { message: messageId, recipient: recipient.n }, error);
        return settle(recipient, { kind: "unknown", error: "The server ran into an unexpected error; see its log." });
      });
      // Its lease ends, and mail that has left is in the journal or must be.
      if (isOver && outcome.kind !== "sent") return;
      if (await record(recipient, outcome)) tell(recipient, outcome);
      else if (outcome.kind !== "released")
        log.warn("outbound.lease_lost", { message: messageId, recipient: recipient.n, lane, outcome: outcome.kind });
    } catch (error) {
      if (!isOver) throw error;
    } finally {
      leased.delete(recipient);
      reservedBytes -= known?.raw.byteLength ?? 0;
      leave?.();
      inHand.add(lane, -1);
    }
  }

  /** Whether the gate now holds the message. If the gate fails, the recipient is released for a later try. */
  async function isHeldNow(recipient: RecipientRow, work: OutboundWork): Promise<boolean> {
    try {
      return await options.gatekeeper.holds(recipient, work);
    } catch (error) {
      if (isOver) return true;
      log.error("outbound.gate_failed", { message: recipient.messageId, recipient: recipient.n }, error);
      const at = new Date(clock.now() + OWN_RETRY_MS);
      await record(recipient, { kind: "released", at, error: "The gate could not be asked; see the server's log." });
      return true;
    }
  }

  /**
   * Records an outcome, however long the store is away: otherwise mail that the next host has accepted would be sent
   * twice. Returns false if the recipient has passed to another claimer, or is gone.
   */
  async function record(recipient: RecipientRow, outcome: RecipientOutcome): Promise<boolean> {
    const { messageId, n, leaseToken } = recipient;
    const entry = { recipient: { messageId, n, leaseToken }, outcome, at: new Date(clock.now()) };
    // A note survives a crash of this process, but not of the machine: only `sync` waits for the disk.
    if (outcome.kind === "sent" && outcome.method === "smtp") journal.note(entry);
    const cancelSync = clock.after(RECORD_SLOW_MS, () => journal.sync());
    const keep = () => journal.keep(entry);
    for (;;) {
      const cancelKeep = clock.after(RECORD_LATE_MS, keep);
      try {
        const status = await store.finishRecipient(recipient, outcome, entry.at);
        wroteAt = clock.elapsed();
        journal.remove(entry);
        return status !== null;
      } catch (error) {
        noteStoreFailed();
        keep();
        log.error("outbound.record_failed", { message: messageId, recipient: n }, error);
        if (closed) throw error;
        const isTemporary = error instanceof Failure && error.code === "unavailable";
        await pause(isTemporary ? RECORD_RETRY_MS : RECORD_RETRY_LONG_MS);
      } finally {
        cancelKeep();
        cancelSync();
      }
    }
  }

  const pause = (ms: number) => new Promise<void>((resolve) => clock.after(ms, resolve));

  /**
   * Waits until the store takes writes and every outcome is recorded. Returns whether the recipient is still leased to
   * this process: its lease may have ended meanwhile, and another node may have sent it.
   */
  async function mayHandOver(recipient: RecipientRow): Promise<boolean> {
    if (journal.size() === 0 && clock.elapsed() - wroteAt < WRITE_FRESH_MS) return true;
    for (; !closed; await pause(RECORD_RETRY_MS))
      try {
        const isOurs = await store.renewLease(recipient, leaseUntil());
        wroteAt = clock.elapsed();
        if (!isOurs || journal.size() === 0) return isOurs;
      } catch (error) {
        noteStoreFailed();
        log.warn("outbound.store_awaited", { message: recipient.messageId, recipient: recipient.n }, error);
      }
    return false;
  }

  /** Whether a message may still leave. Throws while the store is away. */
  async function isStillDue(recipient: RecipientRow, work: OutboundWork): Promise<boolean> {
    const agent = await store.agentOfLeased(recipient);
    if (agent === null) return false;
    return sameGate(agent, work.agent) || !(await isHeldNow(recipient, { ...work, agent }));
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
    const cancelEnd = clock.after(TRY_MS, () => tooLong.abort());
    const signal = AbortSignal.any([breakOff.signal, tooLong.signal]);
    const mayBegin = async () => clock.elapsed() - knownAt < KNOWN_MS || (await isStillDue(recipient, work));
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
      .finally(cancelEnd);
    // It could not be encoded.
    if (outcome.kind === "eight-bit")
      return settle(recipient, { kind: "refused", reply: `${upstream.settings.name} takes no 8-bit mail` });
    if (outcome.kind === "withdrawn") return { kind: "released", at: new Date(clock.now()), error: null };
    if (outcome.kind === "unreachable") {
      if (!closed) {
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
    const delay = retryDelay(recipient.attempts + 1, random());
    if (delay !== null) return { kind: "retry", at: new Date(now + delay), reply, error };
    return { kind: "failed", reply, error: error ?? "It was put off for three days, then given up.", suppress: false };
  }

  function tell(recipient: RecipientRow, outcome: RecipientOutcome): void {
    const fields = { message: recipient.messageId, recipient: recipient.n, lane: recipient.lane };
    const more = "reply" in outcome && outcome.reply ? { reply: outcome.reply } : {};
    if (outcome.kind === "sent") log.info("outbound.sent", { ...fields, method: outcome.method, ...more });
    else if (outcome.kind === "retry")
      log.warn("outbound.deferred", { ...fields, ...more, error: outcome.error, next_at: outcome.at.toISOString() });
    else if (outcome.kind === "failed") log.warn("outbound.failed", { ...fields, ...more, error: outcome.error });
  }

  let renewedAt = clock.elapsed();
  async function renew(): Promise<void> {
    const tokens = [...leased].flatMap(({ leaseToken }) => leaseToken ?? []);
    const now = clock.elapsed();
    if (tokens.length > 0) await store.renewLeases(tokens, leaseUntil());
    renewedAt = now;
  }

  /**
   * Renews overdue leases before a claim. After a suspend or a clock jump, leases of mail in hand look ended, and a
   * claim would take that mail a second time.
   */
  async function renewOverdue(): Promise<void> {
    if (clock.elapsed() - renewedAt > 2 * RENEW_MS) await renew();
  }

  /** Renews the leases of mail in hand: sending a large message on a slow connection takes longer than a lease. */
  let cancelRenewal = () => {};
  const renewLater = () => {
    cancelRenewal = clock.after(RENEW_MS, () => {
      renew()
        .catch((error) => {
          noteStoreFailed();
          log.error("outbound.renew_failed", {}, error);
        })
        .finally(() => closed || renewLater());
    });
  };
  renewLater();

  const unsubscribe = store.onSignal((signal) => {
    if (signal.topic !== "outbound") return;
    // A lane without room is claimed from when a try in it ends.
    for (const lane of signal.key === "" ? routes.lanes : [signal.key]) if (free(lane) === 0) behind.add(lane);
    work.wake();
  });
  work.wake();

  return {
    reserve(lane, bytes) {
      if (closed || behind.has(lane) || room(lane, RESERVED_PER_CONNECTION) === 0) return null;
      if (reservedBytes > 0 && reservedBytes + bytes > RESERVED_BYTES_MAX) return null;
      inHand.add(lane, +1);
      reservedBytes += bytes;
      return crypto.randomUUID();
    },
    unreserve(lane, bytes) {
      inHand.add(lane, -1);
      reservedBytes -= bytes;
    },
    leaseUntil,
    take(recipient, known) {
      // The store has just written the recipient.
      wroteAt = clock.elapsed();
      work.take({ recipient, work: known });
    },
    outage: (lane) => outages.reason(lane),
    check: () =>
      Promise.all(
        [...upstreams].map(async ([lane, upstream]) => ({
          lane,
          name: upstream.settings.name,
          result: await upstream.check(),
        })),
      ),
    drain: () => work.drain(),
    async close(graceMs) {
      closed = true;
      unsubscribe();
      for (const room of rooms.values()) room.close();
      cancelRenewal();
      await work.close(graceMs);
      // Tries that still hang are broken off and return to the queue. Mail past its final dot may arrive twice.
      breakOff.abort();
      await work.close(graceMs);
      await Promise.all([...upstreams.values()].map((upstream) => upstream.close()));
      isOver = true;
    },
  };
}

function isAddressed({ to, cc, bcc }: OutboundContent, address: string): boolean {
  return [...to, ...cc, ...bcc].some((one) => one.address.toLowerCase() === address.toLowerCase());
}
