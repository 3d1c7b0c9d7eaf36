/**
 * What a query's key begins with. Lists and details of one resource share their beginning, so that one
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
  /** Sent mail, of every status, with what waits for approval. */
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
