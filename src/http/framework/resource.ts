import { Elysia } from "elysia";
import type { Review } from "../../approval/review.ts";
import type { Reviews } from "../../approval/reviews.ts";
import type { ApprovalTokens } from "../../approval/token.ts";
import type { Config } from "../../config.ts";
import type { Attachment, ReadMail } from "../../mail.ts";
import type { TextReader } from "../../mcp/body.ts";
import type { ShownLink } from "../../message/html/shown-links.ts";
import type { Quoted, QuoteRequest } from "../../message/quote.ts";
import type { Resolver } from "../../net/dns.ts";
import type { EventFeed } from "../../notify/event-feed.ts";
import type { Hub } from "../../notify/hub.ts";
import type { Sender } from "../../outbound/send.ts";
import type { AgentRow } from "../../store/schema.ts";
import type { Store } from "../../store/store.ts";
import type { Clock } from "../../util/clock.ts";
import type { Log } from "../../util/log.ts";
import type { Owner } from "../../util/owner.ts";
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
 * Slow work on untrusted bytes and long texts, done in another process. Owners take turns. Each fails with `overloaded`,
 * and with `unavailable` for a message that takes too much time or memory.
 */
export interface Offload {
  /**
   * One attachment of a message; null if there is none. `path` is its index, or, for a file in an attached message, the
   * index of the message and that of the file in it, and so on.
   */
  attachment(owner: Owner, raw: Uint8Array, path: number[]): Promise<ReadAttachment | null>;
  /** All attachments of a message, in order; as they were sent, or with what is packed in them. */
  attachments(owner: Owner, raw: Uint8Array, how?: { opens: boolean }): Promise<ReadAttachment[]>;
  /** An attached message; null if there is none at this path. */
  attachedMessage(owner: Owner, raw: Uint8Array, path: number[]): Promise<ReadMail | null>;
  /** A mail's HTML, made safe. `raw` is the message, with the images that the HTML names by `cid:`. */
  safeHtml(owner: Owner, html: string, options: { images: boolean; raw: Uint8Array | null }): Promise<string>;
  /** Quotes a message below the texts of another one. */
  quote(owner: Owner, request: QuoteRequest): Promise<Quoted>;
  /** A text as HTML that says the same. */
  htmlFromText(owner: Owner, text: string): Promise<string>;
  /** HTML as text, with all its words. */
  htmlToText(owner: Owner, html: string): Promise<string>;
  /** What reads texts for models. */
  reader(owner: Owner): TextReader;
  /** All links of a mail. */
  links(owner: Owner, text: string, html: string | null): Promise<ShownLink[]>;
  /** The page that a reviewer's link opens, as HTML. */
  approvalPage(owner: Owner, page: { review: Review; action: "approve" | "reject"; token: string }): Promise<string>;
}

export interface HttpDeps {
  config: Config;
  store: Store;
  vault: Vault;
  clock: Clock;
  log: Log;
  resolver: Resolver;
  hub: Hub;
  /** Announces new entries in an account's event log. */
  feed: EventFeed;
  /** Submits outbound mail. */
  sender: Sender;
  reviews: Reviews;
  /** Reads the tokens of magic links. */
  approvals: ApprovalTokens;
  /** Mails sign-in links. */
  signInMail: SignInMail;
  version: string;
  offload: Offload;
  /** Sends a mail from the server itself to the agent, through the whole inbound path. */
  sendTestMail(agent: AgentRow): Promise<{ messageId: string }>;
  /** Whether the server can do its work. `reasons` has a sentence for each obstacle. */
  health(): Promise<{ ok: boolean; reasons: string[] }>;
}

/** What the door knows about a request before a route handles it. */
export interface Exchange {
  /** The request id, which the answer, problem documents and the log show. */
  readonly id: string;
  /** Aborts when the client has gone or the server stops. */
  readonly signal: AbortSignal;
  /** The client's address, as far as it is known. */
  readonly clientIp: string;
  /** Null on public routes. */
  readonly identity: Identity | null;
  /** The body as received; empty if it was parsed while it arrived (a route with attachments and a schema). */
  readonly body: Uint8Array;
  /**
   * Seals the answer to this request for the transaction that makes what it asks for. A repetition under the same
   * Idempotency-Key then gets that answer, even if the process dies right after the commit. Gives null without such a
   * key.
   */
  readonly keep: KeepAnswer;
  /** The method that the client sent; a route for GET also answers HEAD. */
  readonly method: string;
  /** The URL, with the host that the client used. */
  readonly url: URL;
  /**
   * SHA-256 of method, path, query, body and the agent of the key: requests with the same hash ask for the same thing.
   */
  readonly requestHash: string;
  /** Whether the client has closed its connection. */
  readonly clientHasGone: boolean;
  /** Whether the answer, including a failure, is a page for a person in a browser. */
  readonly isPage: boolean;
  /** Whether this process makes the request itself (`ask`). */
  readonly isInner: boolean;
  /** Makes another request by this client through the same door: own key or cookie, own limits, own line in the log. */
  ask(request: Request): Promise<Response>;
  /**
   * Checks the caller again. Call it after a wait, right before a change: Failure `unauthenticated` if the caller's key
   * or session has ended. The door checks requests that only read. It asks the store at most once a second.
   */
  requireStanding(): Promise<void>;
  /** Resolves when it is this client's turn for a few milliseconds of work. */
  turn(): Promise<void>;
  /**
   * Does work that has a whole message in memory. Only a few run at a time; the others wait for their turn. Work in a
   * child process is counted separately, so that a slow message there delays only other work of that kind.
   */
  withWholeMessage<T>(work: () => Promise<T>, by?: "server" | "child"): Promise<T>;
  /**
   * Reads a page of a list in a slot for lists, in which accounts take turns. The door does it for most lists; one that
   * then shows each row in its turn must not hold up other lists meanwhile.
   */
  inListSlot<T>(work: () => Promise<T>): Promise<T>;
  /**
   * Counts content that the server takes from a stored message, and keeps until this request ends, as if the client had
   * sent it. Failure `overloaded`, as for large bodies.
   */
  reserve(bytes: number): void;
  /**
   * Counts answers that are read and kept while the request goes on, as large answers are counted that a client reads.
   * `add` fails with `overloaded`.
   */
  keepAnswers(): { add(bytes: number): void; release(): void };
  /**
   * Makes a body of pieces, one per turn, as the client reads them. `bytes` is the memory that it takes meanwhile.
   * Failure `overloaded` if too much is being read already.
   */
  inPieces(pieces: Iterator<Uint8Array>, bytes: number): ReadableStream<Uint8Array>;
}

export interface RouteDeps extends HttpDeps {
  limits: RateLimits;
  answers: Answers;
}

/** Elysia declares the routes and types their handlers' arguments; the door finds and calls them (`call.ts`). */
const options = { aot: false, normalize: false } as const;

/**
 * A set of routes under `prefix` that need a caller. Inputs without a schema are refused, unless the routes are `raw`
 * and read their bodies themselves.
 */
export function resource<const P extends string>(prefix: P, { raw = false } = {}) {
  const config = { ...options, ...access(raw ? "raw" : "caller"), prefix };
  return new Elysia(config).derive(() => ({}) as { exchange: Exchange; caller: Identity });
}

/** A set of routes that need no caller. Each must also tell the door: `operation({ public: true, … })`. */
export function openResource<const P extends string>(prefix: P) {
  return new Elysia({ ...options, ...access("open"), prefix }).derive(() => ({}) as { exchange: Exchange });
}

/** The Elysia instance of the whole API; `use` the resources on it. */
export function emptyApi() {
  return new Elysia(options);
}
