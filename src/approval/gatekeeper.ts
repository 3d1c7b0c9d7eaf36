import type { GateSettings } from "../store/outbound/outbound.ts";
import type { OutboundWork } from "../store/outbound/work.ts";
import type { AgentRow, Hold, OutboundRow, RecipientRow } from "../store/schema.ts";
import type { Store } from "../store/store.ts";
import type { Clock } from "../util/clock.ts";
import type { Owner } from "../util/owner.ts";
import { attachedFiles, type ReadAttachments } from "./attached-files.ts";
import { gateHold } from "./gate.ts";
import type { Outgoing } from "./outgoing.ts";
import { foundNothing, type Search, type SearchRequest } from "./search.ts";

/** How long an answer about a waiting message counts for its other recipients, whose turns come about as soon. */
const ANSWER_MS = 10_000;

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
    // The conversations that the message follows from count, whichever one the agent names. Otherwise naming another
    // would be a way past the gate.
    const answered = await store.conversationsOf(agent.id, message.references);
    const [first, ...others] = [...new Set([...answered, ...conversations.filter((id) => typeof id === "string")])];
    const about = (conversation: string | null, withTexts: boolean) =>
      store.gateFacts({ agentId: agent.id, conversationId: conversation, addresses, withTexts });
    const seen = await about(first ?? null, withTexts);
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
          ? await search(ownerOf(agent), {
              message,
              patterns,
              links: withTexts ? { recipients: addresses, seen: seen.texts } : null,
            })
          : foundNothing,
        unverified: [seen, ...named].some(({ unverified }) => unverified),
      },
    );
    return { hold, settings, firstTime: seen.firstTime };
  }

  /** By message and settings: when the gate was asked, and its answer. */
  const answers = new Map<string, { at: number; gate: Promise<GateAnswer> }>();

  /** Asks about a stored message: once for all recipients whose turns come at about the same time. */
  function askAgain(agent: AgentRow, message: OutboundRow, raw: Uint8Array): Promise<GateAnswer> {
    const now = clock.now();
    for (const [key, { at }] of answers) if (now - at >= ANSWER_MS) answers.delete(key);
    const { hitlEnabled, hitlRules, hitlAllow } = agent;
    const key = JSON.stringify([message.id, message.contentHash, hitlEnabled, hitlRules, hitlAllow]);
    const known = answers.get(key);
    if (known) return known.gate;
    const gate = askStored(agent, message, raw);
    answers.set(key, { at: now, gate });
    gate.catch(() => answers.delete(key));
    return gate;
  }

  async function askStored(agent: AgentRow, message: OutboundRow, raw: Uint8Array): Promise<GateAnswer> {
    const { subject, conversationId } = message;
    const { originalConversation, ...content } = message.content;
    const attachments = await attachedFiles(ownerOf(agent), raw, content.attachments, read);
    const outgoing = { ...content, subject, attachments };
    const addresses = [...content.to, ...content.cc, ...content.bcc].map(({ address }) => address);
    return ask(agent, outgoing, [...new Set(addresses)], [originalConversation, conversationId]);
  }

  return {
    ask,
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

function ownerOf({ id, userId }: AgentRow): Owner {
  return { userId, agentId: id };
}
