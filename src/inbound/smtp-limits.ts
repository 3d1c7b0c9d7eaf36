/** Limits on what one client may use. They are counted in this process only, to protect it; they are not a quota. */

import { limitKey } from "../net/client-address.ts";
import type { Clock } from "../util/clock.ts";
import { Refusal } from "./smtp-reply.ts";

export interface ClientLimits {
  /** Open connections in total. */
  maxConnections: number;
  maxConnectionsPerIp: number;
  maxMessagesPerMinutePerIp: number;
}

/** Connections and messages per client address. */
export class ClientCounts {
  private readonly open = new Map<string, number>();
  private total = 0;
  private readonly messages: MinuteRate;

  constructor(
    private readonly limits: ClientLimits,
    clock: Clock,
  ) {
    this.messages = new MinuteRate(limits.maxMessagesPerMinutePerIp, clock);
  }

  /** Counts a connection in. The returned function counts it out, once. Throws a 421 Refusal if there is no room. */
  enter(address: string): () => void {
    const key = limitKey(address);
    const open = this.open.get(key) ?? 0;
    if (this.total >= this.limits.maxConnections)
      throw new Refusal(421, "4.3.2", "Too many connections to this server; try again later");
    if (open >= this.limits.maxConnectionsPerIp)
      throw new Refusal(
        421,
        "4.7.0",
        `Too many connections from your address (limit ${this.limits.maxConnectionsPerIp})`,
      );
    this.total += 1;
    this.open.set(key, open + 1);
    let left = false;
    return () => {
      if (left) return;
      left = true;
      this.total -= 1;
      const rest = (this.open.get(key) ?? 1) - 1;
      if (rest > 0) this.open.set(key, rest);
      else this.open.delete(key);
    };
  }

  /** Counts one message. Throws a 451 Refusal if the address has used its share of this minute. */
  countMessage(address: string): void {
    if (!this.messages.take(limitKey(address)))
      throw new Refusal(
        451,
        "4.7.1",
        `Too many messages from your address (limit ${this.limits.maxMessagesPerMinutePerIp} a minute); try again later`,
      );
  }
}

const MINUTE_MS = 60_000;
/** Entries per minute, about 100 bytes each. Beyond this the oldest is forgotten, so a flood costs no memory. */
const TRACKED_KEYS_MAX = 50_000;

/** A sliding minute, estimated from two fixed ones: this one's count plus the remaining share of the previous one's. */
export class MinuteRate {
  private current = new Map<string, number>();
  private previous = new Map<string, number>();
  private startedAt: number;

  constructor(
    private readonly limit: number,
    private readonly clock: Clock,
  ) {
    this.startedAt = clock.elapsed();
  }

  /** Takes one from the key's share; false if it is used up. A refused attempt is not counted. */
  take(key: string): boolean {
    const elapsedMs = this.roll();
    const used = this.current.get(key) ?? 0;
    const faded = (this.previous.get(key) ?? 0) * (1 - elapsedMs / MINUTE_MS);
    if (used + faded >= this.limit) return false;
    if (used === 0 && this.current.size >= TRACKED_KEYS_MAX) {
      const oldest = this.current.keys().next().value;
      if (oldest !== undefined) this.current.delete(oldest);
    }
    this.current.set(key, used + 1);
    return true;
  }

  /** Starts the current minute if it is new, and returns its age in milliseconds. */
  private roll(): number {
    const elapsedMs = this.clock.elapsed() - this.startedAt;
    if (elapsedMs < MINUTE_MS) return elapsedMs;
    const adjacent = elapsedMs < 2 * MINUTE_MS;
    this.previous = adjacent ? this.current : new Map();
    this.current = new Map();
    this.startedAt = adjacent ? this.startedAt + MINUTE_MS : this.clock.elapsed();
    return this.clock.elapsed() - this.startedAt;
  }
}
