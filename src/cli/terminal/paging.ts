/** Lists longer than one page of the API. */
import { InvalidArgumentError, Option } from "commander";
import { type Paint, plain } from "./output.ts";

/** Fits on a screen, and in one page of the API. */
const DEFAULT_LIMIT = 50;

export function limitOption(): Option {
  return new Option("--limit <n>", "at most this many").argParser(positiveInteger).default(DEFAULT_LIMIT);
}

export function tokenOption(): Option {
  return new Option("--token <token>", "go on where next_token of an earlier answer points");
}

/** The API's own limit (page_size). */
const PAGE_SIZE_MAX = 100;

/** How much of a list is read. */
export interface PageFlags {
  /** The most entries, on all pages together. */
  limit: number;
  /** The `next_token` of an earlier answer. */
  token?: string;
}

type Paged<Name extends string, Item> = Record<Name, Item[]> & { next_token?: string };

/** Reads as many pages as needed into one answer, with the list under `name` and the `next_token` after it. */
export async function collect<Name extends string, Item>(
  name: Name,
  { limit, token }: PageFlags,
  page: (at: { page_size: number; token?: string }) => PromiseLike<Paged<Name, Item>>,
): Promise<Paged<Name, Item>> {
  const items: Item[] = [];
  let next = token;
  do {
    const size = Math.min(limit - items.length, PAGE_SIZE_MAX);
    const answer = await page({ page_size: size, ...(next === undefined ? {} : { token: next }) });
    items.push(...answer[name]);
    next = answer.next_token;
  } while (next && items.length < limit);
  return { [name]: items, ...(next ? { next_token: next } : {}) } as Paged<Name, Item>;
}

/** The line under a table that has more entries; "" if it is complete. */
export function moreHint({ next_token: next }: { next_token?: string }, paint: Paint): string {
  return next ? `\n${paint("dim", `There is more: add --token ${plain(next)}`)}` : "";
}

/** An option's value: a whole number from 1. */
export function positiveInteger(text: string): number {
  const number = Number(text);
  if (!Number.isSafeInteger(number) || number < 1) throw new InvalidArgumentError("Give a whole number from 1.");
  return number;
}
