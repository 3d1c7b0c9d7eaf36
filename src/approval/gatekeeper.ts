import type { GateSettings } from "../store/outbound/outbound.ts";
import type { OutboundWork } from "../store/outbound/work.ts";
import type { AgentRow, Hold, OutboundRow, RecipientRow } from "../store/schema.ts";
import type { Store } from "../store/store.ts";
import type { Clock } from "../util/clock.ts";
import { type Owner, ownerOf } from "../util/owner.ts";
import { attachedFiles, type ReadAttachments } from "./attached-files.ts";
import { gateHold } from "./gate.ts";
import type { Outgoing } from "./outgoing.ts";
import { foundNothing, type Search, type SearchRequest } from "./search.ts";

/** How long a search of a waiting message counts for its other recipients, whose turns come about as soon. */
const SEARCH_MS = 10_000;

/** The parts of a message that cost nothing to get. */
interface Outline {
  references: string[];
  attachments: { filename: string }[];
}

/** What to look for in a message, and the conversation whose links count as seen; null if links do not matter. */
interface Sought {
  patterns: string[];
  linksOf: { conversationId: string | null } | null;
}

/** The gate's decision about a message, and the settings that it was based on. */
export interface GateAnswer {
  hold: Hold | null;
  settings: GateSettings;
  /** Recipients who are new to the agent; empty while the gate is off. */
  firstTime: string[];
}

export interface Gatekeeper {
  /**
   * Decides whether a reviewer must see the message first. `conversations` are that of the message which it answers or
   * forwards, and the one that the agent names. Those of the messages in its references count too.
   */
  ask(
    agent: AgentRow,
    message: Outgoing,
    addresses: string[],
    conversations: readonly (string | null | undefined)[],
  ): Promise<GateAnswer>;
  /**
   * Asks again about a message that waited before its turn came (a pause, an undo time, a busy lane), because the
   * agent's settings may have changed since it was submitted. True if the message is held now, or no longer to be sent.
   */
  holds(recipient: RecipientRow, work: OutboundWork): Promise<boolean>;
}

export interface GatekeeperOptions {
  store: Store;
  clock: Clock;
  sharedDomain: string;
  attachments: ReadAttachments;
  /** `searchOutgoing`, here or in another process. */
  search(owner: Owner, request: SearchRequest): Promise<Search>;
}

export function createGatekeeper({
  store,
  clock,
  sharedDomain,
  attachments: read,
  search,
}: GatekeeperOptions): Gatekeeper {
  /** The addresses that are not agents of the account. */
  async function outsideOf(userId: string, addresses: string[]): Promise<string[]> {
    const owners = await Promise.all(
      addresses.map(async (address) => {
        const found = await store.findMailbox(address, sharedDomain);
        return found.kind === "mailbox" ? (await store.getAgent(found.id))?.userId : null;
      }),
    );
    return addresses.filter((_, i) => owners[i] !== userId);
  }

  /** The conversations that a message follows from, the one that counts for its links first. */
  async function conversationsOf(
    agent: AgentRow,
    references: string[],
    named: readonly (string | null | undefined)[],
  ): Promise<[string | null, ...string[]]> {
    // These count, whichever one the agent names. Otherwise naming another would be a way past the gate.
    const answered = await store.conversationsOf(agent.id, references);
    const [first, ...others] = new Set([...answered, ...named.filter((id) => typeof id === "string")]);
    return [first ?? null, ...others];
  }

  async function decide(
    agent: AgentRow,
    message: Outline,
    addresses: string[],
    conversations: readonly (string | null | undefined)[],
    searched: (sought: Sought) => Promise<Search>,
  ): Promise<GateAnswer> {
    const { hitlEnabled, hitlRules: rules, hitlAllow } = agent;
    const settings = { hitlEnabled, hitlRules: rules, hitlAllow };
    if (!hitlEnabled) return { hold: null, settings, firstTime: [] };
    const withLinks = rules?.new_links === true;
    const patterns = rules?.patterns ?? [];
    const [first, ...others] = await conversationsOf(agent, message.references, conversations);
    const search =
      patterns.length > 0 || withLinks || rules?.unsearched === true
        ? await searched({ patterns, linksOf: withLinks ? { conversationId: first } : null })
        : foundNothing;
    // After the search, which may take long, so that what came meanwhile counts.
    const [seen, ...named] = await Promise.all([
      factsOf(agent, first, addresses, false),
      ...others.map((conversation) => factsOf(agent, conversation, addresses, false)),
    ]);
    const hold = gateHold(
      { enabled: hitlEnabled, rules, allow: hitlAllow },
      {
        recipients: addresses,
        outside: rules?.outside ? await outsideOf(agent.userId, addresses) : [],
        firstTime: seen.firstTime,
        attachments: message.attachments,
        search,
        unverified: [seen, ...named].some(({ unverified }) => unverified),
      },
    );
    return { hold, settings, firstTime: seen.firstTime };
  }

  function factsOf(agent: AgentRow, conversationId: string | null, addresses: string[], withTexts: boolean) {
    return store.gateFacts({ agentId: agent.id, conversationId, addresses, withTexts });
  }

  async function searchFor(
    { patterns, linksOf }: Sought,
    agent: AgentRow,
    message: Outgoing,
    recipients: string[],
  ): Promise<Search> {
    const seen = linksOf ? (await factsOf(agent, linksOf.conversationId, recipients, true)).texts : null;
    return search(ownerOf(agent), { message, patterns, links: seen && { recipients, seen } });
  }

  /** By message and what was sought: when the search began, and what it found. */
  const searches = new Map<string, { at: number; found: Promise<Search> }>();

  /** Searches once for all recipients of a message whose turns come at about the same time. */
  function searchOnce(message: OutboundRow, sought: Sought, run: () => Promise<Search>): Promise<Search> {
    const now = clock.elapsed();
    for (const [key, { at }] of searches) if (now - at >= SEARCH_MS) searches.delete(key);
    const key = JSON.stringify([message.id, message.contentHash, sought]);
    const known = searches.get(key);
    if (known) return known.found;
    const found = run();
    searches.set(key, { at: now, found });
    found.catch(() => searches.delete(key));
    return found;
  }

  /** Asks about a stored message. */
  async function askAgain(agent: AgentRow, message: OutboundRow, raw: Uint8Array): Promise<GateAnswer> {
    const { subject, conversationId } = message;
    const { originalConversation, ...content } = message.content;
    const addresses = [...new Set([...content.to, ...content.cc, ...content.bcc].map(({ address }) => address))];
    return decide(agent, content, addresses, [originalConversation, conversationId], (sought) =>
      searchOnce(message, sought, async () => {
        const attachments = await attachedFiles(ownerOf(agent), raw, content.attachments, read);
        return searchFor(sought, agent, { ...content, subject, attachments }, addresses);
      }),
    );
  }

  return {
    ask: (agent, message, addresses, conversations) =>
      decide(agent, message, addresses, conversations, (sought) => searchFor(sought, agent, message, addresses)),
    async holds(recipient, { message, raw, agent: first }) {
      // The gate does not apply to messages that a reviewer decided about, or that the server itself writes.
      if (message.type === "notice" || message.reviewedAt) return false;
      const isHeld = message.status === "pending_approval";
      for (let agent: AgentRow | null = first; agent; agent = await store.getAgent(agent.id)) {
        if (!isHeld && (!agent.hitlEnabled || recipient.attempts > 0)) return false;
        const gate = await askAgain(agent, message, raw);
        const hold = gate.hold ?? (isHeld ? message.hold : null);
        if (!hold) return false;
        const now = new Date(clock.now());
        const held = await store.holdQueued({ recipient, gate: { ...gate, hold }, review: null, now });
        if (held !== "changed") return true;
      }
      return true;
    },
  };
}
