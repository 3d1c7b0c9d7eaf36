import { variable } from "./environment.ts";
import { E2AError } from "./errors.ts";
import { type CallOptions, type Fetch, Http, type PostOptions, type RetryPolicy, readJson } from "./http.ts";
import { type ListenOptions, listen } from "./listen.ts";
import type { Message } from "./message.ts";
import { Account, Keys, Secrets, Sessions } from "./resources/account.ts";
import { Agents, Domains, Suppressions } from "./resources/agents.ts";
import { Deliveries, Events, Webhooks } from "./resources/events.ts";
import { Conversations, Inbox, Messages } from "./resources/messages.ts";
import { Approvals, Audit, Outbox } from "./resources/outbox.ts";
import type { Context } from "./resources/resource.ts";
import type { WebSocketConstructor } from "./socket.ts";
import type { Answer, Body, Sent } from "./types.ts";
import type { HeadersInput } from "./verify.ts";
import { type WatchOptions, watch } from "./watch.ts";
import { type ParseOptions, parseWebhook, type WebhookEvent } from "./webhook.ts";

export interface ClientOptions {
  /** `e2a_…`. Default: `E2A_API_KEY`. */
  apiKey?: string | undefined;
  /** The server's address. Default: `E2A_URL`, or else http://127.0.0.1:8080. */
  baseUrl?: string | undefined;
  /** The agent for calls that name none. Default: `E2A_AGENT_EMAIL`. */
  agentEmail?: string | undefined;
  /** Milliseconds for each attempt of a call. Default: 30,000. */
  timeoutMs?: number | undefined;
  /** Further attempts of a call that got no answer, 429, or 500 and above. Default: 2. */
  retries?: number | RetryPolicy | undefined;
  /** Additional headers of every request. */
  headers?: Readonly<Record<string, string>> | undefined;
  /** Default: the global `fetch`. */
  fetch?: Fetch | undefined;
  /** Default: the global `WebSocket`. If there is none, or with `false`, `listen` uses long polls. */
  webSocket?: WebSocketConstructor | false | undefined;
  /** Reads the JSON of an answer, null if it has no body. Default: `JSON.parse` of its text. */
  readJson?: ((response: Response) => Promise<unknown>) | undefined;
}

const LOCAL_SERVER = "http://127.0.0.1:8080";
const TIMEOUT_MS = 30_000;
const RETRIES = 2;

/**
 * A client of an e2a server, with one API key.
 *
 * Requests and answers have the shapes and member names of the API.
 */
export class E2AClient {
  readonly account: Account;
  readonly agents: Agents;
  readonly approvals: Approvals;
  readonly audit: Audit;
  readonly conversations: Conversations;
  readonly deliveries: Deliveries;
  readonly domains: Domains;
  readonly events: Events;
  readonly inbox: Inbox;
  readonly keys: Keys;
  readonly messages: Messages;
  readonly outbox: Outbox;
  readonly secrets: Secrets;
  readonly sessions: Sessions;
  readonly suppressions: Suppressions;
  readonly webhooks: Webhooks;
  /** The agent for calls that name none. */
  readonly agentEmail: string | undefined;
  readonly #http: Http;
  readonly #webSocket: WebSocketConstructor | null;

  constructor(options: ClientOptions = {}) {
    const apiKey = options.apiKey ?? variable("E2A_API_KEY");
    if (!apiKey)
      throw new E2AError(
        "There is no API key. Pass `apiKey`, or set E2A_API_KEY; `e2a bootstrap` or the dashboard makes one.",
      );
    this.agentEmail = options.agentEmail ?? variable("E2A_AGENT_EMAIL");
    this.#http = new Http({
      apiKey,
      origin: originOf(options.baseUrl ?? variable("E2A_URL") ?? LOCAL_SERVER),
      // A browser's `fetch` throws if it is called as a method of another object.
      fetch: options.fetch ?? ((url, init) => globalThis.fetch(url, init)),
      timeoutMs: options.timeoutMs ?? TIMEOUT_MS,
      retries: options.retries ?? RETRIES,
      headers: options.headers ?? {},
      readJson: options.readJson ?? readJson,
    });
    const global = (globalThis as { WebSocket?: WebSocketConstructor }).WebSocket;
    this.#webSocket = (options.webSocket ?? global) || null;

    const context: Context = { http: this.#http, agentEmail: this.agentEmail };
    this.account = new Account(context);
    this.agents = new Agents(context);
    this.approvals = new Approvals(context);
    this.audit = new Audit(context);
    this.conversations = new Conversations(context);
    this.deliveries = new Deliveries(context);
    this.domains = new Domains(context);
    this.events = new Events(context);
    this.inbox = new Inbox(context);
    this.keys = new Keys(context);
    this.messages = new Messages(context);
    this.outbox = new Outbox(context);
    this.secrets = new Secrets(context);
    this.sessions = new Sessions(context);
    this.suppressions = new Suppressions(context);
    this.webhooks = new Webhooks(context);
  }

  /** Facts about the server. */
  info(options?: CallOptions): Promise<Answer<"getInfo">> {
    return this.#http.json("/api/v1/info", {}, options);
  }

  /** Checks that the server answers. */
  health(options?: CallOptions): Promise<Answer<"getHealth">> {
    return this.#http.json("/api/health", {}, options);
  }

  /** Sends a mail, from `agentEmail` unless `from` is given. If it is held, its status is `pending_approval`. */
  send(body: Body<"sendMessage">, options?: PostOptions): Promise<Sent> {
    const from = body.from ?? this.agentEmail;
    return this.#http.json("/api/v1/send", { method: "POST", body: from ? { ...body, from } : body }, options);
  }

  /**
   * Iterates over an agent's mail without end: unread messages first, oldest first, then new ones as they arrive.
   *
   *     for await (const message of client.listen()) await message.reply("Thank you.");
   *
   * A message is marked read when the loop asks for the next one. If the loop ends, by `break` or an error, the current
   * message stays unread and comes again next time; call `message.ack()` first to mark it read. The iteration resumes
   * automatically when the connection breaks or the server restarts: it skips no unread message, and yields none twice.
   * After a crash of this program a message may come again: delivery is at least once.
   *
   * @throws {AuthenticationError} {@link NotFoundError} {@link ListenerReplacedError} if it cannot continue
   */
  listen(agent?: string, options?: ListenOptions): AsyncGenerator<Message, void, undefined> {
    const email = agent ?? this.agentEmail;
    if (!email)
      throw new E2AError("Which agent? Pass its address, or give the client `agentEmail` (or set E2A_AGENT_EMAIL).");
    return listen({ http: this.#http, messages: this.messages, webSocket: this.#webSocket }, email, options);
  }

  /**
   * Receives announcements of an agent's mail: unread messages first, oldest first, then new ones. Does not fetch the
   * messages, and leaves them unread unless `acknowledge`. Use it to pass mail on or to show it; to process mail, use
   * {@link listen}. Resolves when `onMessage` returns "stop" or the signal is aborted. Requires WebSockets.
   *
   * @throws {AuthenticationError} {@link NotFoundError} {@link ListenerReplacedError} if it cannot continue
   */
  async watch(agent: string, options: WatchOptions): Promise<void> {
    if (!this.#webSocket)
      throw new E2AError("There are no WebSockets here. Give the client `webSocket`, or use `listen`.");
    await watch(this.#http, this.#webSocket, agent, options);
  }

  /** Same as {@link parseWebhook}, which needs neither a key nor a server. */
  parseWebhook(
    body: string | Uint8Array | ArrayBuffer,
    headers?: HeadersInput | null,
    secrets?: string | readonly string[],
    options?: ParseOptions,
  ): Promise<WebhookEvent> {
    return parseWebhook(body, headers, secrets, options);
  }
}

/** The base URL without the part that API paths already contain: "https://mail.example.com/" loses its slash. */
function originOf(baseUrl: string): string {
  let url: URL;
  try {
    url = new URL(baseUrl);
  } catch {
    throw new E2AError(`baseUrl (E2A_URL) is not a URL: "${baseUrl}". Give it as in https://mail.example.com.`);
  }
  if (url.protocol !== "http:" && url.protocol !== "https:")
    throw new E2AError(`baseUrl (E2A_URL) must begin with https:// or http://: "${baseUrl}".`);
  return url.origin + url.pathname.replace(/\/+$/, "").replace(/\/api(\/v1)?$/, "");
}
