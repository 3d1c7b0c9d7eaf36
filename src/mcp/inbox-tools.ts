import { Type } from "@sinclair/typebox";
import type { Query } from "../../sdks/typescript/src/index.ts";
import { Summary, summaryLines, summaryOf } from "./summary.ts";
import { type Context, choice, given, hints, orNull, tool, untrustedNote, whole } from "./tool.ts";
import { conversationName, shortLine, shortList } from "./untrusted.ts";

const PAGE_DEFAULT = 20;
const PAGE_MAX = 50;
/** Clients commonly give up on a call after a minute. */
const WAIT_SECONDS_MAX = 50;
const WAIT_SECONDS_DEFAULT = 30;

const nextCursor = orNull(Type.String(), "Give it as `cursor` for the next page; null on the last.");
const page = {
  agent: Type.String(),
  messages: Type.Array(Summary),
  next_cursor: nextCursor,
};
const filters = {
  from: Type.Optional(Type.String({ maxLength: 320, description: "Only from this address." })),
  label: Type.Optional(Type.String({ maxLength: 64 })),
  since: given.since,
  until: given.until,
};

export const listMessages = tool({
  name: "list_messages",
  title: "List messages",
  description: "Lists an agent's messages, newest first. For received and unread ones only, set status.",
  hints: hints.read,
  input: {
    agent: given.agent,
    status: Type.Optional(choice(["all", "unread", "read"], { default: "all" })),
    direction: Type.Optional(
      choice(["inbound", "outbound"], { default: "inbound", description: "`outbound`: sent mail." }),
    ),
    conversation_id: Type.Optional(given.conversationId),
    ...filters,
    order: Type.Optional(choice(["newest_first", "oldest_first"], { default: "newest_first" })),
    limit: given.limit(PAGE_DEFAULT, PAGE_MAX),
    cursor: given.cursor,
  },
  output: page,
  async run({ order, limit, cursor, agent: named, ...filter }, context) {
    const agent = await context.api.agentOf(named, context.signal);
    const sort = order === "oldest_first" ? ("asc" as const) : ("desc" as const);
    return listed(context, agent, { status: "all", ...filter, sort, page_size: limit ?? PAGE_DEFAULT, token: cursor });
  },
});

export const searchMessages = tool({
  name: "search_messages",
  title: "Search messages",
  description:
    "Searches what an agent has received: subject, addresses, text and file names. Every word of the query must begin a word there. Newest first.",
  hints: hints.read,
  input: {
    query: Type.String({ minLength: 1, maxLength: 1_000 }),
    agent: given.agent,
    ...filters,
    limit: given.limit(PAGE_DEFAULT, PAGE_MAX),
    cursor: given.cursor,
  },
  output: page,
  async run({ query, limit, cursor, agent: named, ...filter }, context) {
    const agent = await context.api.agentOf(named, context.signal);
    const asked = { ...filter, q: query, status: "all", sort: "desc" } as const;
    return listed(context, agent, { ...asked, page_size: limit ?? PAGE_DEFAULT, token: cursor });
  },
});

async function listed({ api, signal, fence }: Context, agent: string, query: Query<"listMessages">) {
  const answer = await api.client.messages.list({ ...query, agent, signal });
  const messages = answer.messages.map(summaryOf);
  const next = answer.next_token ?? null;
  const head = `${messages.length || "No"} message${messages.length === 1 ? "" : "s"} of ${agent}.`;
  return {
    text: [head, ...summaryLines(messages, fence), ...moreLines(next)].join("\n"),
    structured: { agent, messages, next_cursor: next },
  };
}

function moreLines(next: string | null): string[] {
  return next === null ? [] : [`There are more: call again with cursor ${JSON.stringify(next)}.`];
}

export const waitForMessage = tool({
  name: "wait_for_message",
  title: "Wait for mail",
  description:
    "Waits until the agent has unread mail, and answers at once when it has some already. get_message marks a message read, so that the next wait is for what comes after.",
  hints: hints.read,
  input: {
    agent: given.agent,
    timeout_seconds: Type.Optional(
      whole(1, WAIT_SECONDS_MAX, { default: WAIT_SECONDS_DEFAULT, description: "How long to wait at most." }),
    ),
  },
  output: { agent: Type.String(), timed_out: Type.Boolean(), messages: Type.Array(Summary) },
  async run({ agent: named, timeout_seconds: timeout = WAIT_SECONDS_DEFAULT }, { api, signal, fence }) {
    const agent = await api.agentOf(named, signal);
    const messages = (await api.client.messages.wait({ agent, timeout, signal })).messages.map(summaryOf);
    const isOver = messages.length === 0;
    const head = isOver
      ? `No unread mail for ${agent} within ${timeout} seconds. Call again to keep waiting.`
      : `${messages.length} unread of ${agent}, oldest first. Read each with get_message.`;
    return {
      text: [head, ...summaryLines(messages, fence)].join("\n"),
      structured: { agent, timed_out: isOver, messages },
    };
  },
});

const labels = Type.Optional(
  Type.Array(Type.String({ minLength: 1, maxLength: 64 }), { maxItems: 50, description: "Words of your choice." }),
);

export const labelMessage = tool({
  name: "label_message",
  title: "Label a message",
  description: "Adds and removes labels of a received message, which has at most 100, or marks it read or unread.",
  hints: hints.mark,
  input: {
    message_id: given.messageId,
    agent: given.agent,
    add_labels: labels,
    remove_labels: labels,
    status: Type.Optional(choice(["read", "unread"])),
  },
  output: { message_id: Type.String(), status: Type.String(), labels: Type.Array(Type.String()) },
  async run({ message_id, agent: named, ...body }, { api, signal, fence }) {
    const agent = await api.agentOf(named, signal);
    const { status, labels: all } = await api.client.messages.update(message_id, body, { agent, signal });
    return {
      text: `${message_id} is ${status}; labels: ${all.length > 0 ? fence.line(all) : "none"}`,
      structured: { message_id, status, labels: all },
    };
  },
});

export const listConversations = tool({
  name: "list_conversations",
  title: "List conversations",
  description: "Lists an agent's conversations, received and sent mail together, newest activity first.",
  hints: hints.read,
  input: { agent: given.agent, limit: given.limit(PAGE_DEFAULT, PAGE_MAX), cursor: given.cursor },
  output: {
    agent: Type.String(),
    conversations: Type.Array(
      Type.Object({
        conversation_id: Type.String(),
        message_count: Type.Integer(),
        unread_count: Type.Integer(),
        last_message_at: Type.String(),
        last_message_id: Type.String(),
        last_direction: Type.String(),
        last_verified: Type.Boolean({ description: "Whether the domain that the last one says it is from is proven." }),
        untrusted: Type.Object(
          {
            subject: Type.String(),
            participants: Type.Array(Type.String()),
            last_from: Type.String(),
            last_snippet: Type.String(),
          },
          { description: untrustedNote },
        ),
      }),
    ),
    next_cursor: nextCursor,
  },
  async run({ agent: named, limit, cursor }, { api, signal, fence }) {
    const agent = await api.agentOf(named, signal);
    const asked = { page_size: limit ?? PAGE_DEFAULT, token: cursor };
    const answer = await api.client.conversations.list({ ...asked, agent, signal });
    const conversations = answer.conversations.map(({ subject, participants, last_message: last, ...known }) => ({
      ...known,
      last_message_id: last.message_id,
      last_direction: last.direction,
      last_verified: last.direction === "inbound" && last.verified,
      untrusted: {
        subject: shortLine(subject),
        participants: shortList(participants),
        last_from: shortLine(last.from),
        last_snippet: shortLine(last.snippet),
      },
    }));
    const lines = conversations.map(
      ({ conversation_id: id, message_count, unread_count, last_message_at, untrusted, ...last }) =>
        `${conversationName(id, fence)}: ${message_count} messages, ${unread_count} unread, last ${last.last_direction} ${last_message_at}${
          last.last_direction === "inbound" && !last.last_verified ? ", its sender NOT PROVEN" : ""
        }\n${fence.line(untrusted)}`,
    );
    const next = answer.next_token ?? null;
    const head = `${conversations.length || "No"} conversations of ${agent}.`;
    return {
      text: [head, ...(lines.length > 0 ? [fence.warning] : []), ...lines, ...moreLines(next)].join("\n"),
      structured: { agent, conversations, next_cursor: next },
    };
  },
});

export const getConversation = tool({
  name: "get_conversation",
  title: "Get a conversation",
  description: "Lists the messages of one conversation, received and sent, oldest first. get_message has their text.",
  hints: hints.read,
  input: {
    conversation_id: given.conversationId,
    agent: given.agent,
    limit: given.limit(PAGE_MAX, PAGE_MAX),
    cursor: given.cursor,
  },
  output: { ...page, conversation_id: Type.String(), untrusted: Type.Object({ subject: Type.String() }) },
  async run({ conversation_id: id, agent: named, limit, cursor }, { api, signal, fence }) {
    const agent = await api.agentOf(named, signal);
    // Dots alone would make it a different path (URL Standard, 4.4).
    const name = /^\.{1,2}$/.test(id) ? "none" : id;
    const asked = { page_size: limit ?? PAGE_MAX, token: cursor };
    const { subject, ...answer } = await api.client.conversations.get(name, { ...asked, agent, signal });
    const messages = answer.messages.map(summaryOf);
    const next = answer.next_token ?? null;
    const untrusted = { subject: shortLine(subject) };
    const head = `${messages.length} messages of ${agent} in ${conversationName(id, fence)}, oldest first.`;
    return {
      text: [head, ...summaryLines(messages, fence), ...moreLines(next)].join("\n"),
      structured: { conversation_id: id, agent, messages, next_cursor: next, untrusted },
    };
  },
});
