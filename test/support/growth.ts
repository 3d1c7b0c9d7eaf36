/** How many times larger the large input is than the small one; quadratic work grows by the square of this. */
export const growthFactor = 8;
/** Allowed growth beyond the input's: caches, garbage collection and other processes add to linear work. */
const slack = 3;
/** Shorter times are noise. */
const floorMs = 8;
/** A bad measurement is repeated: noise goes away, growth does not. */
const attempts = 4;

/** Processor time for an input, and for an input that is `growthFactor` times as large. */
export interface Growth {
  smallMs: number;
  largeMs: number;
}

type Read<Input> = (input: Input) => unknown;

async function cpuMs<Input>(read: Read<Input>, input: Input): Promise<number> {
  const before = process.cpuUsage();
  await read(input);
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}

/** Measures the growth of the work; null unless it grows faster than the input. */
export async function superlinearGrowth<Input>(read: Read<Input>, little: Input, much: Input): Promise<Growth | null> {
  await cpuMs(read, little);
  let [smallMs, largeMs] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
  for (let attempt = 0; attempt < attempts; attempt++) {
    smallMs = Math.min(smallMs, await cpuMs(read, little));
    largeMs = Math.min(largeMs, await cpuMs(read, much));
    if (largeMs <= slack * growthFactor * Math.max(smallMs, floorMs)) return null;
  }
  return { smallMs, largeMs };
}

/** The same for inputs that `build` makes, of `size` and of a fraction of it. */
export function superlinear<Input>(size: number, build: (size: number) => Input, read: Read<Input>) {
  return superlinearGrowth(read, build(Math.ceil(size / growthFactor)), build(size));
}
