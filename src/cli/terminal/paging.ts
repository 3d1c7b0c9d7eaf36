/** Lists longer than one page of the API. */
import { InvalidArgumentError, Option } from "commander";
import { type Paint, plain } from "./output.ts";

/** Fits a screen, and one page of the API. */
const DEFAULT_LIMIT = 50;

export function limitOption(): Option {
  return new Option("--limit <n>", "at most this many").argParser(positiveInteger).default(DEFAULT_LIMIT);
}

export function tokenOption(): Option {
  return new Option("--token <token>", "go on where next_token of an earlier answer points");
}

/** The API's own limit (page_size). */
const PAGE_SIZE_MAX = 100;

/** How far a list is read. */
export interface PageFlags {
  /** How many there may be on all pages together. */
  limit: number;
  /** Where an earlier answer ended. */
  token?: string;
}

type Paged<Name extends string, Item> = Record<Name, Item[]> & { next_token?: string };

/** As many pages as it takes, as one answer, whose list is called `name`; `next_token` goes on after it. */
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

/** The line under a table that was cut; "" when it is whole. */
export function moreHint({ next_token: next }: { next_token?: string }, paint: Paint): string {
  return next ? `\n${paint("dim", `There is more: add --token ${plain(next)}`)}` : "";
}

/** An option's value: a whole number from 1. */
export function positiveInteger(text: string): number {
  const number = Number(text);
  if (!Number.isSafeInteger(number) || number < 1) throw new InvalidArgumentError("Give a whole number from 1.");
  return number;
}
