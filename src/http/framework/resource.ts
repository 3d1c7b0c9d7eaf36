import { Elysia } from "elysia";
import type { Review } from "../../approval/review.ts";
import type { Reviews } from "../../approval/reviews.ts";
import type { ApprovalTokens } from "../../approval/token.ts";
import type { Config } from "../../config.ts";
import type { Attachment } from "../../mail.ts";
import type { Body } from "../../mcp/body.ts";
import type { ShownLink } from "../../message/html/shown-links.ts";
import type { Resolver } from "../../net/dns.ts";
import type { EventFeed } from "../../notify/event-feed.ts";
import type { Hub } from "../../notify/hub.ts";
import type { Sender } from "../../outbound/send.ts";
import type { AgentRow } from "../../store/schema.ts";
import type { Store } from "../../store/store.ts";
import type { Clock } from "../../util/clock.ts";
import type { Log } from "../../util/log.ts";
import type { Vault } from "../../vault.ts";
import type { SignInMail } from "../sign-in/mail.ts";
import type { Answers } from "./answers.ts";
import type { KeepAnswer } from "./idempotency.ts";
import type { Identity } from "./identity.ts";
import type { RateLimits } from "./limits.ts";
import { access } from "./openapi.ts";

/** An attachment with its decoded bytes. */
export interface ReadAttachment {
  attachment: Attachment;
  content: Uint8Array;
}

/**
 * What takes long on bytes that strangers wrote, done in another process. Failures of each: `overloaded`, and
 * `unavailable` for a message that takes too much time or memory.
 */
export interface Offload {
  /** One attachment of a message by its index; null when there is none. */
  attachment(raw: Uint8Array, index: number): Promise<ReadAttachment | null>;
  /** All attachments of a message, in order. */
  attachments(raw: Uint8Array): Promise<ReadAttachment[]>;
  /** A mail's HTML, harmless; `raw` is the message with the pictures that it names by `cid:`. */
  safeHtml(html: string, options: { images: boolean; raw: Uint8Array | null }): Promise<string>;
  /** What a person would read of an HTML file. */
  readHtml(html: string): Promise<Body>;
  /** All links of a mail. */
  links(text: string, html: string | null): Promise<ShownLink[]>;
  /** The page of a reviewer's link, as HTML. */
  approvalPage(page: { review: Review; action: "approve" | "reject"; token: string }): Promise<string>;
}

export interface HttpDeps {
  config: Config;
  store: Store;
  vault: Vault;
  clock: Clock;
  log: Log;
  resolver: Resolver;
  hub: Hub;
  /** Says when an account's event log has more. */
  feed: EventFeed;
  /** The way out. */
  sender: Sender;
  reviews: Reviews;
  /** Reads the tokens of magic links. */
  approvals: ApprovalTokens;
  /** Mails links that sign in. */
  signInMail: SignInMail;
  version: string;
  offload: Offload;
  /** Mail from the relay itself to the agent, through the whole inbound path. */
  sendTestMail(agent: AgentRow): Promise<{ messageId: string }>;
  /** Whether the server can do its work; `reasons` has a sentence for each thing in the way. */
  health(): Promise<{ ok: boolean; reasons: string[] }>;
}

/** What the door knows about one request before a route gets it. */
export interface Exchange {
  /** The request id: in the answer, in problems, in the log. */
  readonly id: string;
  /** Aborts when the client has gone or the server stops. */
  readonly signal: AbortSignal;
  /** The client's address, as far as it is known. */
  readonly clientIp: string;
  /** Null on public routes. */
  readonly identity: Identity | null;
  /** The body as it came; empty where the route has a schema for one with attachments. */
  readonly body: Uint8Array;
  /**
   * The answer to this request, for the verb that makes what it asks for: a repetition under the same Idempotency-Key gets
   * it, also when the process died right behind the commit. Null without such a key.
   */
  readonly keep: KeepAnswer;
  /** The client's own method; a route for GET also answers HEAD. */
  readonly method: string;
  /** Its host is the one by which the client came here. */
  readonly url: URL;
  /** SHA-256 over method, path, query, body and the agent of the key: two requests with the same one ask for the same. */
  readonly requestHash: string;
  /** Whether the client has closed its connection. */
  readonly clientHasGone: boolean;
  /** Whether a person in a browser reads the answer, also when it is a failure. */
  readonly isPage: boolean;
  /**
   * One more request by the same client, through the same door: with its own key or cookie, limits and line in the log.
   */
  ask(request: Request): Promise<Response>;
  /**
   * For a verb that has waited, right before it changes something: Failure `unauthenticated` when the caller's key or
   * session has ended since. What only reads is asked by the door. It asks the store at most once a second.
   */
  requireStanding(): Promise<void>;
  /** Resolves when it is this client's turn to have a few milliseconds of work done. */
  turn(): Promise<void>;
  /**
   * Does work that has a whole message in memory: few at a time, the others wait for their turn. Those that wait for a
   * child process are counted by themselves, so that a message which takes it long keeps only its like waiting.
   */
  withWholeMessage<T>(work: () => Promise<T>, by?: "server" | "child"): Promise<T>;
  /**
   * A body in pieces, which are made one a turn, as they are read. `bytes` is the memory that it takes meanwhile.
   * Failure `overloaded` when too much is being read already.
   */
  inPieces(pieces: Iterator<Uint8Array>, bytes: number): ReadableStream<Uint8Array>;
}

export interface RouteDeps extends HttpDeps {
  limits: RateLimits;
  answers: Answers;
}

/** Elysia declares the routes, and types what their handlers get; the door finds and calls them (`call.ts`). */
const options = { aot: false, normalize: false } as const;

/**
 * A set of routes under `prefix` that need a caller. What comes to a route that has no schema for it is refused, unless the
 * routes read their `raw` bodies themselves.
 */
export function resource<const P extends string>(prefix: P, { raw = false } = {}) {
  const config = { ...options, ...access(raw ? "raw" : "caller"), prefix };
  return new Elysia(config).derive(() => ({}) as { exchange: Exchange; caller: Identity });
}

/** A set of routes that anybody may use. Each must also say so to the door: `operation({ public: true, … })`. */
export function openResource<const P extends string>(prefix: P) {
  return new Elysia({ ...options, ...access("open"), prefix }).derive(() => ({}) as { exchange: Exchange });
}

/** The whole API's own instance; `use` the resources on it. */
export function emptyApi() {
  return new Elysia(options);
}
