/** Counts by key. A key that counts nothing is forgotten, so a tally is as large as what it counts. */
export class Tally {
  private readonly counts = new Map<string, number>();

  of(key: string): number {
    return this.counts.get(key) ?? 0;
  }

  /** `by` is negative for what ends. */
  add(key: string, by: number): void {
    const count = this.of(key) + by;
    if (count > 0) this.counts.set(key, count);
    else this.counts.delete(key);
  }

  keys(): string[] {
    return [...this.counts.keys()];
  }
}
