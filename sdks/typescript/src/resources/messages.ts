import { E2AError } from "../errors.ts";
import type { CallOptions, PostOptions } from "../http.ts";
import type { List } from "../list.ts";
import { Message } from "../message.ts";
import type {
  Answer,
  AttachedMessage,
  Body,
  Conversation,
  InboxMessage,
  MessageDetail,
  MessageSummary,
  Query,
  Sent,
  WebhookMessage,
} from "../types.ts";
import type { WebhookEvent } from "../webhook.ts";
import { type OfAgent, path, Resource, split } from "./resource.ts";

/** The content of a reply; a string is its body. */
export type ReplyBody = string | Body<"replyToMessage">;

/** An agent's inbox. */
export class Messages extends Resource {
  /** By default only unread messages, oldest first. */
  list(query: Query<"listMessages"> & OfAgent = {}): List<Answer<"listMessages">, MessageSummary> {
    const { agent, ...asked } = query;
    return this.pages<Answer<"listMessages">, "messages">(`${this.agentPath(agent)}/messages`, "messages", asked);
  }

  /** Resolves as soon as there are unread messages, oldest first; with none after `timeout` (1 to 60 seconds). */
  wait(query: Query<"waitForMessages"> & OfAgent = {}): Promise<Answer<"waitForMessages">> {
    const { agent, timeout = 30, ...options } = query;
    return this.http.waiting(`${this.agentPath(agent)}/messages/wait`, { timeout }, timeout, split(options).options);
  }

  /** Fetches the whole message and marks it read, unless `peek`. `raw: false` leaves out its bytes (25 MB or more). */
  async get(id: string, options: OfAgent & Query<"getMessage"> = {}): Promise<Message> {
    const { agent, peek, raw, ...how } = options;
    const detail = await this.http.json<MessageDetail>(this.path(agent, id), { query: { peek, raw } }, how);
    return new Message(this, this.agentOf(agent), detail);
  }

  /** Changes status and labels. */
  update(id: string, body: Body<"updateMessage">, options: OfAgent = {}): Promise<MessageSummary> {
    return this.http.json(this.path(options.agent, id), { method: "PATCH", body }, options);
  }

  async delete(id: string, options: OfAgent = {}): Promise<void> {
    await this.http.json(this.path(options.agent, id), { method: "DELETE" }, options);
  }

  /** The bytes of the mail as stored. */
  raw(id: string, options: OfAgent = {}): Promise<Uint8Array<ArrayBuffer>> {
    return this.http.bytes(`${this.path(options.agent, id)}/raw`, options);
  }

  /** The bytes of an attachment. `"2.0"` is the first file in the attached message 2. */
  attachment(id: string, index: number | string, options: OfAgent = {}): Promise<Uint8Array<ArrayBuffer>> {
    return this.http.bytes(this.path(options.agent, id) + path`/attachments/${index}`, options);
  }

  /** A message that is attached, with its own text and files. */
  attachedMessage(id: string, index: number | string, options: OfAgent = {}): Promise<AttachedMessage> {
    return this.http.json(this.path(options.agent, id) + path`/attachments/${index}/message`, {}, options);
  }

  /** Replies to the Reply-To address, or else to From; with `reply_all` to all recipients too. */
  reply(id: string, reply: ReplyBody, options: OfAgent & PostOptions = {}): Promise<Sent> {
    const body = typeof reply === "string" ? { body: reply } : reply;
    return this.http.json(`${this.path(options.agent, id)}/reply`, { method: "POST", body }, options);
  }

  forward(id: string, body: Body<"forwardMessage">, options: OfAgent & PostOptions = {}): Promise<Sent> {
    return this.http.json(`${this.path(options.agent, id)}/forward`, { method: "POST", body }, options);
  }

  /**
   * The message of a `message.received` webhook. An agent's webhook contains the whole message. For an account's
   * webhook, or if only the mail itself was proven, the message is fetched (and stays unread).
   */
  async of(event: WebhookEvent, options: OfAgent = {}): Promise<Message<WebhookMessage | MessageDetail>> {
    if (event.type !== "message.received") throw new E2AError(`An event ${event.type} brings no message.`);
    const agent = options.agent ?? event.agent_id ?? undefined;
    if (event.source === "agent" && event.proven === "body") return new Message(this, this.agentOf(agent), event.data);
    return this.get(event.data.message_id, { ...options, agent, peek: true });
  }

  private path(agent: string | undefined, id: string): string {
    return this.agentPath(agent) + path`/messages/${id}`;
  }

  private agentOf(agent: string | undefined): string {
    return agent ?? this.context.agentEmail ?? "";
  }
}

/** Conversations: messages that belong together. */
export class Conversations extends Resource {
  /** Latest activity first. */
  list(query: Query<"listConversations"> & OfAgent = {}): List<Answer<"listConversations">, Conversation> {
    const { agent, ...asked } = query;
    const url = `${this.agentPath(agent)}/conversations`;
    return this.pages<Answer<"listConversations">, "conversations">(url, "conversations", asked);
  }

  /** The messages of a conversation in both directions, oldest first. */
  get(id: string, query: Query<"getConversation"> & OfAgent = {}): List<Answer<"getConversation">, MessageSummary> {
    const { agent, ...asked } = query;
    const url = this.agentPath(agent) + path`/conversations/${id}`;
    return this.pages<Answer<"getConversation">, "messages">(url, "messages", asked);
  }
}

/** The received mail of all agents. */
export class Inbox extends Resource {
  list(query: Query<"listInbox"> & CallOptions = {}): List<Answer<"listInbox">, InboxMessage> {
    return this.pages<Answer<"listInbox">, "messages">("/api/v1/inbox", "messages", query);
  }
}
