/**
 * Runs readers of untrusted text over hostile input of two sizes, and prints those whose time grows faster than the
 * input, as JSON. It is a separate program, so that it can be killed, and its processor time and memory can be
 * measured.
 *
 *   bun test/attacks/growth.ts html|text|fields|structures
 */
import { type Growth, growthFactor, superlinearGrowth } from "../support/growth.ts";
import { hostileFields, hostileHtml, hostileMails, hostileStructures, hostileText } from "./hostile-mails.ts";
import { htmlReaders, mailReaders, textReaders } from "./readers.ts";

/** A reader whose time grew too fast, with its processor time for both sizes. */
export interface GrowthOf extends Growth {
  attack: string;
  reader: string;
}

export interface GrowthReport {
  tried: number;
  superlinear: GrowthOf[];
  /** The peak memory of the process. */
  maxRssBytes: number;
}

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

async function measure(group: keyof typeof groups): Promise<GrowthReport> {
  const { small, entries: tried } = groups[group];
  const superlinear: GrowthOf[] = [];
  for (const { attack, reader, build, read } of tried) {
    const growth = await superlinearGrowth(
      read as (input: unknown) => unknown,
      build(small),
      build(growthFactor * small),
    );
    if (growth) superlinear.push({ attack, reader, ...growth });
  }
  return { tried: tried.length, superlinear, maxRssBytes: await maxRssBytes() };
}

/** The peak memory of this program alone; getrusage(2) would start at that of the program that started it. */
async function maxRssBytes(): Promise<number> {
  if (process.platform !== "linux") return process.resourceUsage().maxRSS * 1024;
  const [, kibibytes] = /^VmHWM:\s+(\d+) kB$/m.exec(await Bun.file("/proc/self/status").text()) ?? [];
  return Number(kibibytes) * 1024;
}

if (import.meta.main) {
  const report = await measure(process.argv[2] as keyof typeof groups);
  process.stdout.write(JSON.stringify(report));
}
