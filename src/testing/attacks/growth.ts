/**
 * Runs readers of foreign text over hostile input of two sizes, and prints what grows faster than the input, as JSON. A
 * program of its own: it can be killed, its processor time is its own, and so is its memory.
 *
 *   bun src/testing/attacks/growth.ts html|text|fields|structures
 */
import { hostileFields, hostileHtml, hostileMails, hostileStructures, hostileText } from "./hostile-mails.ts";
import { htmlReaders, mailReaders, textReaders } from "./readers.ts";

/** What grew: processor time for each of the sizes. */
export interface Growth {
  attack: string;
  reader: string;
  smallMs: number;
  largeMs: number;
}

export interface GrowthReport {
  tried: number;
  superlinear: Growth[];
  /** The most memory that the process had at once. */
  maxRssBytes: number;
}

/** The large input is so many times the small one; quadratic work grows by the square. */
const factor = 8;
/** Linear work may grow by so much more than the input: caches, garbage collection and others on the machine. */
const slack = 3;
/** Less is noise. */
const floorMs = 8;
/** A measurement that looks bad is repeated: noise passes, growth does not. */
const attempts = 4;

type Build = (size: number) => unknown;
type Read = (input: never) => unknown;
const entries = (builders: Record<string, Build>, readers: Record<string, Read>) =>
  Object.entries(builders).flatMap(([attack, build]) =>
    Object.entries(readers).map(([reader, read]) => ({ attack, reader, build, read })),
  );
const asMail = (kind: string, names: Record<string, unknown>): Record<string, Build> =>
  Object.fromEntries(Object.keys(names).map((name) => [name, hostileMails[`${kind}: ${name}`] as Build]));

const groups = {
  html: { small: 8 * 1024, entries: entries(hostileHtml, htmlReaders) },
  text: { small: 8 * 1024, entries: entries(hostileText, textReaders) },
  fields: { small: 32 * 1024, entries: entries(asMail("field", hostileFields), mailReaders) },
  structures: { small: 32 * 1024, entries: entries(asMail("structure", hostileStructures), mailReaders) },
};

async function cpuMs(read: Read, input: unknown): Promise<number> {
  const before = process.cpuUsage();
  await read(input as never);
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}

async function measure(group: keyof typeof groups): Promise<GrowthReport> {
  const { small, entries: tried } = groups[group];
  const superlinear: Growth[] = [];
  for (const { attack, reader, build, read } of tried) {
    const [little, much] = [build(small), build(factor * small)];
    await cpuMs(read, little);
    let [smallMs, largeMs] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
    for (let attempt = 0; attempt < attempts; attempt++) {
      smallMs = Math.min(smallMs, await cpuMs(read, little));
      largeMs = Math.min(largeMs, await cpuMs(read, much));
      if (largeMs <= slack * factor * Math.max(smallMs, floorMs)) break;
      if (attempt === attempts - 1) superlinear.push({ attack, reader, smallMs, largeMs });
    }
  }
  return { tried: tried.length, superlinear, maxRssBytes: process.resourceUsage().maxRSS * 1024 };
}

if (import.meta.main) {
  const report = await measure(process.argv[2] as keyof typeof groups);
  process.stdout.write(JSON.stringify(report));
}
