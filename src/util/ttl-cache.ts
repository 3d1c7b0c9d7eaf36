import type { Clock } from "./clock.ts";

/** Keeps values by key until they expire. Past either bound the least recently used are evicted first. */
export class TtlCache<Value> {
  private readonly entries = new Map<string, { value: Value; expiresAt: number; bytes: number }>();
  private bytes = 0;

  constructor(
    private readonly clock: Clock,
    private readonly entriesMax: number,
    private readonly bytesMax: number,
  ) {}

  get(key: string): Value | undefined {
    const entry = this.entries.get(key);
    if (!entry) return undefined;
    this.drop(key, entry);
    if (entry.expiresAt <= this.clock.elapsed()) return undefined;
    this.keep(key, entry);
    return entry.value;
  }

  /** `bytes` estimates the memory that the value keeps alive; the key is counted on top. */
  set(key: string, value: Value, ttlMs: number, bytes: number): void {
    const old = this.entries.get(key);
    if (old) this.drop(key, old);
    this.keep(key, { value, expiresAt: this.clock.elapsed() + ttlMs, bytes: bytes + key.length });
    for (const [oldest, entry] of this.entries) {
      if (this.entries.size <= this.entriesMax && this.bytes <= this.bytesMax) break;
      this.drop(oldest, entry);
    }
  }

  private keep(key: string, entry: { value: Value; expiresAt: number; bytes: number }): void {
    this.entries.set(key, entry);
    this.bytes += entry.bytes;
  }

  private drop(key: string, entry: { bytes: number }): void {
    this.entries.delete(key);
    this.bytes -= entry.bytes;
  }
}
