import { fromBase64 } from "./environment.ts";
import type { CallOptions, PostOptions } from "./http.ts";
import type { Messages, ReplyBody } from "./resources/messages.ts";
import type {
  AttachedMessage,
  AttachmentInfo,
  Authentication,
  Body,
  MessageDetail,
  Sent,
  WebhookMessage,
} from "./types.ts";

/** A message's data, whether fetched or from a webhook. */
type Content = MessageDetail | WebhookMessage;

/** A received message, with the actions on it. */
export class Message<Data extends Content = MessageDetail> {
  /** The message as the API returns it. */
  readonly data: Data;
  /** The agent whose inbox it is in. */
  readonly agent: string;
  readonly attachments: readonly Attachment[];
  readonly #messages: Messages;

  constructor(messages: Messages, agent: string, data: Data) {
    this.#messages = messages;
    this.agent = agent;
    this.data = data;
    this.attachments = data.attachments.map((info) => new Attachment(this, info));
  }

  get id(): string {
    return this.data.message_id;
  }
  get conversationId(): string {
    return this.data.conversation_id;
  }
  /** The From address. Trust it only if `verified`. */
  get from(): string {
    return this.data.from;
  }
  get to(): readonly string[] {
    return this.data.to;
  }
  get cc(): readonly string[] {
    return this.data.cc ?? [];
  }
  get replyTo(): readonly string[] {
    return this.data.reply_to ?? [];
  }
  /** The address to which it was delivered. */
  get recipient(): string {
    return this.data.recipient;
  }
  get subject(): string {
    return this.data.subject;
  }
  get text(): string {
    return this.data.text;
  }
  /** The HTML body, or null. A stranger wrote it: never show it without a sandbox. */
  get html(): string | null {
    return this.data.html;
  }
  /** The new part of the text, without quoted text. */
  get replyText(): string {
    return this.data.reply_text;
  }
  /** Whether authentication proved the domain of `from`. */
  get verified(): boolean {
    return this.data.verified;
  }
  get authentication(): Authentication {
    return this.data.authentication;
  }
  /** The signed X-E2A-Auth-* values. */
  get authHeaders(): Readonly<Record<string, string>> {
    return this.data.auth_headers;
  }
  get receivedAt(): Date {
    return new Date("created_at" in this.data ? this.data.created_at : this.data.received_at);
  }
  /** Whether a program or mailing list sent it, or it is bulk. Do not reply: two programs may never stop. */
  get isAutomatic(): boolean {
    const { auto_submitted, list_id, precedence } = this.data;
    return Boolean(auto_submitted || list_id || precedence);
  }
  /** The mail itself (RFC 5322). */
  get raw(): Uint8Array<ArrayBuffer> {
    return fromBase64(this.data.raw_message) ?? new Uint8Array();
  }

  /**
   * Replies to the Reply-To address, or else to From. A string is the body. If nothing proves Reply-To, the reply goes
   * to From, and `fix` of the answer says so.
   */
  reply(reply: ReplyBody, options?: PostOptions): Promise<Sent> {
    return this.#messages.reply(this.id, reply, { ...options, agent: this.agent });
  }

  /** Replies to the sender and all recipients. */
  replyAll(reply: ReplyBody, options?: PostOptions): Promise<Sent> {
    const body = typeof reply === "string" ? { body: reply } : reply;
    return this.reply({ ...body, reply_all: true }, options);
  }

  forward(body: Body<"forwardMessage">, options?: PostOptions): Promise<Sent> {
    return this.#messages.forward(this.id, body, { ...options, agent: this.agent });
  }

  /** Marks it read. `listen` does so automatically when the loop asks for the next message. */
  async ack(options?: CallOptions): Promise<void> {
    await this.#messages.update(this.id, { status: "read" }, { ...options, agent: this.agent });
  }

  async addLabels(...labels: string[]): Promise<void> {
    await this.#messages.update(this.id, { add_labels: labels }, { agent: this.agent });
  }

  async removeLabels(...labels: string[]): Promise<void> {
    await this.#messages.update(this.id, { remove_labels: labels }, { agent: this.agent });
  }

  async delete(options?: CallOptions): Promise<void> {
    await this.#messages.delete(this.id, { ...options, agent: this.agent });
  }

  /** @internal */
  readAttached(index: number, options?: CallOptions): Promise<AttachedMessage> {
    return this.#messages.attachedMessage(this.id, index, { ...options, agent: this.agent });
  }

  /** @internal */
  download(index: number, options?: CallOptions): Promise<Uint8Array<ArrayBuffer>> {
    return this.#messages.attachment(this.id, index, { ...options, agent: this.agent });
  }
}

/** An attachment of a message. Its name and type are claims of the sender. */
export class Attachment {
  readonly index: number;
  readonly filename: string;
  readonly contentType: string;
  /** In bytes. */
  readonly size: number;
  /** Of an image that the HTML shows as `cid:…`. */
  readonly contentId: string | undefined;
  readonly #message: Pick<Message, "download" | "readAttached">;

  constructor(message: Pick<Message, "download" | "readAttached">, info: AttachmentInfo) {
    this.#message = message;
    this.index = info.index;
    this.filename = info.filename;
    this.contentType = info.content_type;
    this.size = info.size;
    this.contentId = info.content_id;
  }

  /** Downloads its bytes. */
  download(options?: CallOptions): Promise<Uint8Array<ArrayBuffer>> {
    return this.#message.download(this.index, options);
  }

  /** Reads it as a message, with its own text and files. */
  readMessage(options?: CallOptions): Promise<AttachedMessage> {
    return this.#message.readAttached(this.index, options);
  }
}
