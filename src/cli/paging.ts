/** Lists longer than one page of the API. */
import { InvalidArgumentError, Option } from "commander";
import { type Paint, plain } from "./output.ts";

/** Fits a screen, and one page of the API. */
const defaultLimit = 50;

export function limitOption(): Option {
  return new Option("--limit <n>", "at most this many").argParser(positiveInteger).default(defaultLimit);
}

export function tokenOption(): Option {
  return new Option("--token <token>", "go on where next_token of an earlier answer points");
}

type Paged<Name extends string, Item> = Record<Name, Item[]> & { next_token?: string };

/** All pages as one answer, whose list is called `name`; `next_token` goes on after it. */
export async function collect<Name extends string, Item>(
  name: Name,
  pages: AsyncIterable<Paged<Name, Item>>,
): Promise<Paged<Name, Item>> {
  const items: Item[] = [];
  let next: string | undefined;
  for await (const page of pages) {
    items.push(...page[name]);
    next = page.next_token;
  }
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
