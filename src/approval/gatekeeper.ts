import type { GateSettings } from "../store/outbound/outbound.ts";
import type { OutboundWork } from "../store/outbound/work.ts";
import type { AgentRow, Hold, RecipientRow } from "../store/schema.ts";
import type { Store } from "../store/store.ts";
import type { Clock } from "../util/clock.ts";
import { attachedFiles, type ReadAttachments } from "./attached-files.ts";
import { gateHold } from "./gate.ts";
import type { Outgoing } from "./outgoing.ts";
import { foundNothing, type Search, type SearchRequest } from "./search.ts";

/** What the gate says about a message, and the settings by which it was decided. */
export interface GateAnswer {
  hold: Hold | null;
  settings: GateSettings;
  /** Recipients who are strangers to the agent; empty while the gate is off. */
  firstTime: string[];
}

export interface Gatekeeper {
  /**
   * Whether a person has to see the message first. `conversations`: that of the message which it answers or passes on, and
   * the one that the agent names. What its references name counts beside them.
   */
  ask(
    agent: AgentRow,
    message: Outgoing,
    addresses: string[],
    conversations: readonly (string | null | undefined)[],
  ): Promise<GateAnswer>;
  /**
   * Asks again about a message whose turn has come after it waited (a pause, an undo time, a busy lane): what its agent's
   * settings were when it was handed in does not count. True when it is held now, or is nobody's to send any more.
   */
  holds(recipient: RecipientRow, work: OutboundWork): Promise<boolean>;
}

export interface GatekeeperOptions {
  store: Store;
  clock: Clock;
  sharedDomain: string;
  attachments: ReadAttachments;
  /** `searchOutgoing`, here or in another process. */
  search(request: SearchRequest): Promise<Search>;
}

export function createGatekeeper({
  store,
  clock,
  sharedDomain,
  attachments: read,
  search,
}: GatekeeperOptions): Gatekeeper {
  /** Those of the addresses that are no agents of the account. */
  async function outsideOf(userId: string, addresses: string[]): Promise<string[]> {
    const owners = await Promise.all(
      addresses.map(async (address) => {
        const found = await store.findMailbox(address, sharedDomain);
        return found.kind === "mailbox" ? (await store.getAgent(found.id))?.userId : null;
      }),
    );
    return addresses.filter((_, i) => owners[i] !== userId);
  }

  async function ask(
    agent: AgentRow,
    message: Outgoing,
    addresses: string[],
    conversations: readonly (string | null | undefined)[],
  ) {
    const { hitlEnabled, hitlRules: rules, hitlAllow } = agent;
    const settings = { hitlEnabled, hitlRules: rules, hitlAllow };
    if (!hitlEnabled) return { hold: null, settings, firstTime: [] };
    const withTexts = rules?.new_links === true;
    // What it follows from counts, whatever conversation the agent names: another one would be a way past the gate.
    const answered = await store.conversationsOf(agent.id, message.references);
    const [newest, ...others] = [...new Set([...answered, ...conversations.filter((id) => typeof id === "string")])];
    const about = (conversation: string | null, withTexts: boolean) =>
      store.gateFacts({ agentId: agent.id, conversationId: conversation, addresses, withTexts });
    const seen = await about(newest ?? null, withTexts);
    const named = await Promise.all(others.map((conversation) => about(conversation, false)));
    const patterns = rules?.patterns ?? [];
    const isSearched = patterns.length > 0 || withTexts || rules?.unsearched === true;
    const hold = gateHold(
      { enabled: hitlEnabled, rules, allow: hitlAllow },
      {
        recipients: addresses,
        outside: rules?.outside ? await outsideOf(agent.userId, addresses) : [],
        firstTime: seen.firstTime,
        attachments: message.attachments,
        search: isSearched
          ? await search({ message, patterns, links: withTexts ? { recipients: addresses, seen: seen.texts } : null })
          : foundNothing,
        unverified: [seen, ...named].some(({ unverified }) => unverified),
      },
    );
    return { hold, settings, firstTime: seen.firstTime };
  }

  return {
    ask,
    async holds(recipient, { message, raw, agent: first }) {
      // What a person decided about, and what the server itself writes, is not the gate's.
      if (message.type === "notice" || message.reviewedAt) return false;
      const isHeld = message.status === "pending_approval";
      for (let agent: AgentRow | null = first; agent; agent = await store.getAgent(agent.id)) {
        if (!isHeld && (!agent.hitlEnabled || recipient.attempts > 0)) return false;
        const { subject, conversationId } = message;
        const { originalConversation, ...content } = message.content;
        const attachments = await attachedFiles(raw, content.attachments, read);
        const outgoing = { ...content, subject, attachments };
        const addresses = [...content.to, ...content.cc, ...content.bcc].map(({ address }) => address);
        const gate = await ask(agent, outgoing, [...new Set(addresses)], [originalConversation, conversationId]);
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
