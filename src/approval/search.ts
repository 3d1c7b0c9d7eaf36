import { linkHosts, SEARCHED_CHARS_MAX, urlHosts } from "../message/html/links.ts";
import type { SeenText } from "../store/mail/gate-facts.ts";
import type { Unsearched } from "./attached-text.ts";
import { type Outgoing, type OutgoingText, outgoingTexts } from "./outgoing.ts";
import { type Found, findPatterns } from "./patterns.ts";

/** A question about a message. It is plain data, so it can be passed to another process. */
export interface SearchRequest {
  message: Outgoing;
  /** The patterns of the rule `patterns`; empty to look for none. */
  patterns: string[];
  /** To look for links: the recipients, and what each of them has seen of the conversation already. Null otherwise. */
  links: { recipients: string[]; seen: SeenText[] } | null;
}

/** What a search found in the texts of a message. */
export interface Search {
  found: Found;
  /** Hosts of links that a recipient has not seen, in the form of `linkHosts`. */
  newHosts: string[];
  /** Whether a text, or all of them together, is longer than what is searched. */
  isTooLong: boolean;
  unsearched: Unsearched[];
}

/** The result for a message that was not searched. */
export const foundNothing: Search = {
  found: { secrets: [], patterns: [], places: [], unsearched: [] },
  newHosts: [],
  isTooLong: false,
  unsearched: [],
};

/**
 * Searches everything that would leave with a message. Linear in its size and in the number of its parts, both of which
 * are bounded: a few seconds for the most hostile. Never throws.
 */
export async function searchOutgoing({ message, patterns, links }: SearchRequest): Promise<Search> {
  const { texts, unsearched: unread } = await outgoingTexts(message);
  const searched = texts.filter(({ text }) => text.length <= SEARCHED_CHARS_MAX);
  const found = findPatterns(patterns, patterns.length > 0 ? searched : []);
  const named = new Set(unread.flatMap(({ name, why }) => (why === "too large" ? name : [])));
  const left = found.unsearched.filter((name) => !named.has(name));
  const unsearched = [...unread, ...left.map((name) => ({ name, why: "too large" as const }))];
  return {
    found,
    newHosts: links ? newHosts(searched, links) : [],
    isTooLong: searched.length < texts.length || unsearched.some(({ why }) => why === "too large"),
    unsearched,
  };
}

/** Two links without a host, such as `javascript:`, never count as the same link. */
function newHosts(texts: readonly OutgoingText[], links: NonNullable<SearchRequest["links"]>): string[] {
  const hosts = new Set(texts.flatMap(hostsIn));
  if (hosts.size === 0) return [];
  const seenBy = new Map<string, Set<string>>();
  for (const seen of links.seen)
    for (const host of linkHosts(`${seen.subject}\n${seen.text}`, seen.html)) {
      if (!hosts.has(host)) continue;
      const known = seenBy.get(host) ?? new Set();
      for (const address of seen.seenBy) known.add(address);
      seenBy.set(host, known);
    }
  const isKnown = (host: string) => links.recipients.every((address) => seenBy.get(host)?.has(address));
  return [...hosts].filter((host) => host.endsWith(":") || !isKnown(host));
}

function hostsIn({ text, form }: OutgoingText): string[] {
  if (form === "raw") return [];
  if (form === "html") return linkHosts("", text);
  return form === "words" ? linkHosts(text, null) : urlHosts(text);
}
