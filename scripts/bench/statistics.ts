/** The median: the middle value, or the mean of the middle two; NaN without values. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length / 2;
  const [low, high] = [sorted[Math.ceil(middle) - 1], sorted[Math.floor(middle)]];
  return low === undefined || high === undefined ? Number.NaN : (low + high) / 2;
}

/** The smallest value that at least `percent` of all values do not exceed (nearest rank); NaN without values. */
function percentile(values: readonly number[], percent: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil((percent / 100) * sorted.length) - 1)] ?? Number.NaN;
}

export interface Latency {
  p50: number;
  p99: number;
}

export function latency(values: readonly number[]): Latency {
  return { p50: percentile(values, 50), p99: percentile(values, 99) };
}

/** An object of the same shape, with the median of each number over all rounds. */
export function medians<T extends object>(rounds: readonly T[]): T {
  const first = rounds[0] as T;
  const keys = Object.keys(first) as (keyof T)[];
  const of = (key: keyof T) => {
    const values = rounds.map((round) => round[key]);
    if (typeof first[key] === "number") return median(values as number[]);
    return typeof first[key] === "object" && first[key] ? medians(values as object[]) : first[key];
  };
  return Object.fromEntries(keys.map((key) => [key, of(key)])) as T;
}
