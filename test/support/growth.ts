/** The large input is so many times the small one; quadratic work grows by the square. */
export const growthFactor = 8;
/** Linear work may grow by so much more than the input: caches, garbage collection and others on the machine. */
const slack = 3;
/** Less is noise. */
const floorMs = 8;
/** A measurement that looks bad is repeated: noise passes, growth does not. */
const attempts = 4;

/** Processor time for an input, and for one that is `growthFactor` times as large. */
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

/** How the work on an input grows with it, when it grows faster than the input; null when it does not. */
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

/** The same for inputs of `size`, and of a part of it, that `build` makes. */
export function superlinear<Input>(size: number, build: (size: number) => Input, read: Read<Input>) {
  return superlinearGrowth(read, build(Math.ceil(size / growthFactor)), build(size));
}
