import type { Gatekeeper } from "../approval/gatekeeper.ts";
import type { LaneRoom, RecipientOutcome } from "../store/outbound/queue.ts";
import type { OutboundWork } from "../store/outbound/work.ts";
import type { RecipientRow } from "../store/schema.ts";
import { earliest } from "../util/clock.ts";
import { Failure } from "../util/errors.ts";
import { createRoom } from "../util/room.ts";
import { Tally } from "../util/tally.ts";
import { startWork } from "../util/work.ts";
import { type AttemptOptions, createAttempts, TRY_MS } from "./attempt.ts";
import { createOutages } from "./outage.ts";
import type { OutcomeJournal } from "./outcome-journal.ts";
import { createOutcomeRecorder } from "./outcome-recorder.ts";
import { createUpstream, type Upstream } from "./upstream.ts";

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
/** Pause before a message is tried again after its gate failed, or the server was too busy to encode it. */
const OWN_RETRY_MS = 60_000;

export interface DispatchOptions extends Omit<AttemptOptions, "random"> {
  journal: OutcomeJournal;
  gatekeeper: Gatekeeper;
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
  const closing = new AbortController();
  const breakOff = new AbortController();
  /** Set when the dispatcher has closed: a try that still hangs does nothing more. */
  let isOver = false;

  let reservedBytes = 0;

  const leaseUntil = () => new Date(clock.now() + LEASE_MS);
  const recorder = createOutcomeRecorder({ store, clock, log, journal, leaseUntil, closing: closing.signal });
  const { attempt, unexpected } = createAttempts(
    { ...options, random },
    {
      upstreams,
      outages,
      isHeld: isHeldNow,
      mayHandOver: recorder.mayHandOver,
      closing: closing.signal,
      breakOff: breakOff.signal,
    },
  );

  async function claimDue(lanes: LaneRoom[]): Promise<RecipientRow[]> {
    try {
      if (await recorder.isHeldBack()) return [];
      await renewOverdue();
      const now = new Date(clock.now());
      const { claimed, after } = await store.claimDueRecipients({
        now,
        leaseUntil: leaseUntil(),
        leaseToken: crypto.randomUUID(),
        lanes,
      });
      recorder.noteWrite();
      for (const [lane, account] of Object.entries(after)) turns.set(lane, account);
      return claimed;
    } catch (error) {
      recorder.noteFailure();
      throw error;
    }
  }

  const room = (lane: string, perConnection: number) => {
    const connections = routes.upstreams.get(lane)?.connections;
    const capacity = connections === undefined ? LOCAL_AT_ONCE : connections * perConnection;
    return Math.max(0, outages.room(lane, capacity) - inHand.of(lane));
  };
  const free = (lane: string) => room(lane, CLAIMED_PER_CONNECTION);

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
      const claimAgainAt = recorder.claimAgainAt();
      if (claimAgainAt) return claimAgainAt;
      const now = clock.now();
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
        if (!leave || (waits && (await store.leasedState(recipient)) === null)) {
          const at = new Date(clock.now() + (leave || closing.signal.aborted ? 0 : NO_ROOM_RETRY_MS));
          await recorder.record(recipient, { kind: "released", at, error: null });
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
        return unexpected(recipient);
      });
      // Its lease ends, and mail that has left is in the journal or must be.
      if (isOver && outcome.kind !== "sent") return;
      if (await recorder.record(recipient, outcome)) tell(recipient, outcome);
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
      const problem = "The gate could not be asked; see the server's log.";
      await recorder.record(recipient, { kind: "released", at, error: problem });
      return true;
    }
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
          recorder.noteFailure();
          log.error("outbound.renew_failed", {}, error);
        })
        .finally(() => closing.signal.aborted || renewLater());
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
      if (closing.signal.aborted || behind.has(lane) || room(lane, RESERVED_PER_CONNECTION) === 0) return null;
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
      recorder.noteWrite();
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
      closing.abort();
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
