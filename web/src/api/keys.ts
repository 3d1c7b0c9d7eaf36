/**
 * The prefixes of query keys. Lists and details of one resource share a prefix, so that one
 * `invalidateQueries({ queryKey: keys.agents })` reaches them all.
 */
export const keys = {
  me: ["me"],
  info: ["info"],
  overview: ["overview"],
  agents: ["agents"],
  /** Received mail: lists, searches and single messages. */
  inbox: ["inbox"],
  conversations: ["conversations"],
  /** Sent mail of every status, including mail that waits for approval. */
  outbound: ["outbound"],
  deliveries: ["deliveries"],
  webhooks: ["webhooks"],
  domains: ["domains"],
  events: ["events"],
  audit: ["audit"],
  suppressions: ["suppressions"],
  apiKeys: ["api-keys"],
  secrets: ["secrets"],
  sessions: ["sessions"],
} as const satisfies Record<string, readonly string[]>;

export type ResourceKey = keyof typeof keys;
