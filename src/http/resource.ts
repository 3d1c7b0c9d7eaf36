import { Elysia } from "elysia";
import type { ApprovalTokens } from "../approval-token.ts";
import type { Clock } from "../clock.ts";
import type { Config } from "../config.ts";
import type { Resolver } from "../dns.ts";
import { Failure } from "../errors.ts";
import type { Log } from "../log.ts";
import type { EventFeed } from "../notify/event-feed.ts";
import type { Hub } from "../notify/hub.ts";
import type { Reviews } from "../outbound/reviews.ts";
import type { Sender } from "../outbound/send.ts";
import type { AgentRow } from "../store/schema.ts";
import type { Store } from "../store/store.ts";
import type { Vault } from "../vault.ts";
import type { SignInMail } from "./auth-mail.ts";
import type { Identity } from "./identity.ts";
import type { RateLimits } from "./limits.ts";

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
  readonly body: Uint8Array;
  /** Whether a person in a browser reads the answer, also when it is a failure. */
  readonly isPage: boolean;
  /**
   * One more request by the same client, through the same door: with its own key or cookie, limits and line in the log.
   */
  ask(request: Request): Promise<Response>;
  /** Set when a route failed, for the log. */
  failure?: Failure;
}

export interface RouteDeps extends HttpDeps {
  limits: RateLimits;
  exchangeOf(request: Request): Exchange;
}

// Not compiled: Elysia's compiler reads the source text of handlers, which a bundler may rewrite, and parses query
// strings in its own way for schemas that are not TypeBox. Not normalised: answers go out as the handlers made them.
const options = { aot: false, normalize: false } as const;

/** A set of routes under `prefix` that need a caller; handlers get `caller` and `exchange`. */
export function resource<const P extends string>(deps: RouteDeps, prefix: P) {
  return new Elysia({ ...options, prefix }).derive(({ request }) => {
    const exchange = deps.exchangeOf(request);
    // The door has authenticated already; this holds if a route is ever marked public by mistake.
    if (!exchange.identity) throw new Failure("unauthenticated", "This needs an API key.");
    return { exchange, caller: exchange.identity };
  });
}

/** A set of routes that anybody may use. Each must also say so to the door: `operation({ public: true, … })`. */
export function openResource<const P extends string>(deps: RouteDeps, prefix: P) {
  return new Elysia({ ...options, prefix }).derive(({ request }) => ({ exchange: deps.exchangeOf(request) }));
}

/** The whole API's own instance; `use` the resources on it. */
export function emptyApi() {
  return new Elysia(options);
}
