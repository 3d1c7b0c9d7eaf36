import { type Static, Type } from "@sinclair/typebox";
import type {
  ConversationEntry,
  ConversationPosition,
  ConversationsPosition,
  Conversation as StoredConversation,
} from "../../../store/mail/conversations.ts";
import { Conversation, conversationIdentity } from "../../../wire/conversation.ts";
import { MessageSummary } from "../../../wire/message.ts";
import { page } from "../../../wire/words.ts";
import { answer, query } from "../../framework/input.ts";
import { operation } from "../../framework/openapi.ts";
import { pageQuery, readPage } from "../../framework/pages.ts";
import { notFound } from "../../framework/problem.ts";
import { type RouteDeps, resource } from "../../framework/resource.ts";
import { ownAgent } from "../account/agents.ts";
import { summaryOnWire } from "./message-wire.ts";
import { ROWS_AT_ONCE } from "./outbound-list.ts";
import { outboundSummaryOnWire } from "./outbound-wire.ts";

/** A message of a conversation, without its text. */
interface ShownEntry {
  message: Static<typeof MessageSummary>;
  position: ConversationPosition;
}

function entryOnWire(entry: ConversationEntry, domain: string): ShownEntry {
  const { position } = entry;
  return entry.direction === "inbound"
    ? { message: summaryOnWire(entry.message), position }
    : { message: outboundSummaryOnWire(entry.outbound, domain), position };
}

function conversationOnWire(row: StoredConversation): Static<typeof Conversation> {
  const { id, direction, from, verified, snippet, createdAt } = row.last;
  return {
    conversation_id: row.id,
    subject: row.subject,
    participants: row.participants,
    message_count: row.messageCount,
    unread_count: row.unreadCount,
    last_message_at: createdAt.toISOString(),
    last_message: { message_id: id, direction, from, verified, snippet },
  };
}

/** The routes for what an agent received and sent, by conversation. None of them marks a message read. */
export function conversations(deps: RouteDeps) {
  const { store, vault } = deps;
  const tag = "conversations";

  return resource("/api/v1/agents/:email/conversations")
    .get(
      "",
      async ({ params, query, caller }) => {
        const agent = await ownAgent(store, caller, params.email);
        const { rows, next } = await readPage<StoredConversation, ConversationsPosition>(
          vault,
          query,
          ["conversations", agent.id],
          (after, limit) => store.listConversations(agent.id, { limit, ...(after ? { after } : {}) }),
          (row) => row.position,
        );
        return { conversations: rows.map(conversationOnWire), ...next };
      },
      {
        query: query(pageQuery),
        response: { 200: answer(page("conversations", Conversation)) },
        ...operation({
          id: "listConversations",
          tag,
          summary: "List an agent's conversations",
          description: "Newest activity first, received and sent messages together.",
        }),
      },
    )
    .get(
      "/:id",
      async ({ params, query, caller }) => {
        const agent = await ownAgent(store, caller, params.email);
        let subject = "";
        const { rows, next } = await readPage<ShownEntry, ConversationPosition>(
          vault,
          query,
          ["conversation", agent.id, params.id],
          async (after, limit) => {
            const shown: ShownEntry[] = [];
            for (let last = after; shown.length < limit; last = shown.at(-1)?.position ?? null) {
              const wanted = { limit: Math.min(ROWS_AT_ONCE, limit - shown.length), ...(last ? { after: last } : {}) };
              const found = await store.getConversation(agent.id, params.id, wanted);
              if (!found) throw notFound("conversation");
              subject = found.subject;
              shown.push(...found.entries.map((entry) => entryOnWire(entry, agent.domain)));
              if (found.entries.length < wanted.limit) break;
            }
            return shown;
          },
          ({ position }) => position,
        );
        const messages = rows.map(({ message }) => message);
        return { conversation_id: params.id, subject, messages, ...next };
      },
      {
        query: query(pageQuery),
        response: {
          200: answer(Type.Object({ ...conversationIdentity, ...page("messages", MessageSummary).properties })),
        },
        ...operation({
          id: "getConversation",
          tag,
          summary: "List a conversation's messages",
          description: "What was received and what was sent, oldest first.",
        }),
      },
    );
}
