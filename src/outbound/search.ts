import type { Unsearched } from "./attached-text.ts";
import { linkHosts, searchedCharsMax, urlHosts } from "./links.ts";
import { type Outgoing, type OutgoingText, outgoingTexts } from "./outgoing.ts";
import { type Found, findPatterns } from "./patterns.ts";

/** What is asked about a message. Plain data: it can be handed to another process. */
export interface SearchRequest {
  message: Outgoing;
  /** As the rule `patterns` has them; none are not looked for. */
  patterns: string[];
  /** Whether links are looked for, and what of the conversation has been seen already. */
  links: { seen: { subject: string; text: string; html: string | null }[] } | null;
}

/** What the texts of a message hold. */
export interface Search {
  found: Found;
  /** Hosts of links that the conversation has not seen, as `linkHosts` gives them. */
  newHosts: string[];
  /** A text, or all of them together, is longer than what is searched. */
  isTooLong: boolean;
  unsearched: Unsearched[];
}

/** Nothing, as of a message that nobody searched. */
export const foundNothing: Search = {
  found: { secrets: [], patterns: [], places: [] },
  newHosts: [],
  isTooLong: false,
  unsearched: [],
};

/**
 * Searches everything that would leave with a message. Linear in its size, some seconds for the largest. Never throws.
 */
export async function searchOutgoing({ message, patterns, links }: SearchRequest): Promise<Search> {
  const { texts, unsearched } = await outgoingTexts(message);
  const searched = texts.filter(({ text }) => text.length <= searchedCharsMax);
  return {
    found: findPatterns(patterns, patterns.length > 0 ? searched : []),
    newHosts: links ? newHosts(searched, links.seen) : [],
    isTooLong: searched.length < texts.length || unsearched.some(({ why }) => why === "too large"),
    unsearched,
  };
}

/** A link without a host, such as `javascript:`, is never the same link twice. */
function newHosts(texts: readonly OutgoingText[], seen: { subject: string; text: string; html: string | null }[]) {
  const hosts = new Set(texts.flatMap(hostsIn));
  const known = new Set<string>();
  if (hosts.size > 0)
    for (const { subject, text, html } of seen)
      for (const host of linkHosts(`${subject}\n${text}`, html)) known.add(host);
  return [...hosts].filter((host) => host.endsWith(":") || !known.has(host));
}

function hostsIn({ text, form }: OutgoingText): string[] {
  if (form === "raw") return [];
  if (form === "html") return linkHosts("", text);
  return form === "words" ? linkHosts(text, null) : urlHosts(text);
}
