import { and, desc, eq, lt, or } from "drizzle-orm";
import { sql } from "drizzle-orm/sql";
import { mailboxAddress, splitAddress } from "../../mail.ts";
import { Failure } from "../../util/errors.ts";
import { ask, type Scope, type Verb } from "../engine/engine.ts";
import { type Params, statement } from "../engine/statement.ts";
import { agentEndpoint, freezeDeliveries, releaseDeliveries } from "../events/endpoints.ts";
import { dropMessagesOf } from "../mail/messages.ts";
import { freezeOutbound, thawOutbound } from "../outbound/queue.ts";
import type { AgentRow } from "../schema.ts";
import { firstUser, lockUser } from "./accounts.ts";
import { hostedDomain } from "./domains.ts";
import { isPausedAbove } from "./pauses.ts";
import { type KeptAnswer, keepAnswer } from "./requests.ts";
import { reserveAddresses, takeAddress } from "./reserved-addresses.ts";

/** Local parts that reach the domain's owner even if no agent has them (RFC 5321 4.5.1, RFC 2142 4). */
const ROLE_LOCAL_PARTS = ["postmaster", "abuse"];

export type AgentChanges = Partial<
  Pick<
    AgentRow,
    | "name"
    | "webhookUrl"
    | "mode"
    | "paused"
    | "hitlEnabled"
    | "hitlTtlSeconds"
    | "hitlExpirationAction"
    | "hitlNotifyEmail"
    | "hitlRules"
    | "hitlAllow"
    | "hitlReviewers"
    | "undoSeconds"
    | "webhookFailingSince"
    | "webhookLastFailedAt"
    | "webhookDisabledAt"
    | "webhookDisabledReason"
  >
>;

/** A new agent as WIRE describes it: no gate, a week to decide, "reject" on expiry. */
export function newAgent(input: Pick<AgentRow, "id" | "userId" | "name" | "webhookUrl" | "mode">, now: Date): AgentRow {
  return {
    ...input,
    domain: splitAddress(input.id)?.domain ?? "",
    role: false,
    paused: false,
    hitlEnabled: false,
    hitlTtlSeconds: 604_800,
    hitlExpirationAction: "reject",
    hitlNotifyEmail: true,
    hitlRules: null,
    hitlAllow: [],
    hitlReviewers: [],
    undoSeconds: 0,
    webhookFailingSince: null,
    webhookLastFailedAt: null,
    webhookDisabledAt: null,
    webhookDisabledReason: null,
    lastSeq: 0,
    createdAt: now,
  };
}

/**
 * Adds an agent. Failure `conflict` if the address is taken or reserved for another account, its domain is no longer
 * hosted, or the account is full.
 */
export function* createAgent(
  s: Scope,
  agent: AgentRow,
  agentsMax: number,
  keep: KeptAnswer | null = null,
): Verb<AgentRow> {
  yield* lockUser(s, agent.userId);
  const mine = yield* ask(
    s.db
      .select({ count: sql<number>`count(*)` })
      .from(s.t.agents)
      .where(and(eq(s.t.agents.userId, agent.userId), eq(s.t.agents.role, false))),
  );
  if (Number(mine[0]?.count ?? 0) >= agentsMax)
    throw new Failure("conflict", `An account can have at most ${agentsMax} agents.`, {
      fix: "Delete an agent that is not used, or raise limits.agents_per_account.",
    });
  const hosted = yield* hostedDomain(s, agent.domain);
  if (!hosted || (hosted.userId !== null && hosted.userId !== agent.userId))
    throw new Failure("conflict", `${agent.domain} is not verified for this account.`, {
      fix: "Register the domain and verify it first.",
      errors: [{ field: "email", message: "is not at a verified domain of yours" }],
    });
  yield* takeAddress(s, agent.id, agent.userId, agent.createdAt);
  const made = yield* ask(s.db.insert(s.t.agents).values(agent).onConflictDoNothing().returning({ id: s.t.agents.id }));
  if (made.length === 0)
    throw new Failure("conflict", `${agent.id} is taken.`, {
      fix: "Choose another slug or address.",
      errors: [{ field: "email", message: "is taken" }],
    });
  yield* keepAnswer(s, keep);
  return agent;
}

/** The last row of a page of agents; the next page starts after it. */
export interface AgentCursor {
  createdAt: Date;
  id: string;
}

/** The account's agents, newest first, without role mailboxes. */
export function* listAgents(
  s: Scope,
  userId: string,
  page: { limit?: number; after?: AgentCursor; only?: string | null } = {},
): Verb<AgentRow[]> {
  const { agents } = s.t;
  const query = s.db
    .select()
    .from(agents)
    .where(
      and(
        eq(agents.userId, userId),
        eq(agents.role, false),
        page.only ? eq(agents.id, page.only) : undefined,
        page.after
          ? or(
              lt(agents.createdAt, page.after.createdAt),
              and(eq(agents.createdAt, page.after.createdAt), lt(agents.id, page.after.id)),
            )
          : undefined,
      ),
    )
    .orderBy(desc(agents.createdAt), desc(agents.id));
  return yield* ask(page.limit ? query.limit(page.limit) : query);
}

const selectAgent = statement(({ db, t: { agents } }, p: Params<{ id: string }>) =>
  db.select().from(agents).where(eq(agents.id, p.id)),
);

/** The agent or role mailbox of this address, of any account, or null. */
export function* getAgent(s: Scope, id: string): Verb<AgentRow | null> {
  const [agent] = yield* selectAgent(s, { id });
  return agent ?? null;
}

/**
 * Changes an agent in one step. Pausing freezes its waiting mail and deliveries, un-pausing releases them.
 *
 * @throws Failure `invalid_request` when the change would leave a cloud agent without a webhook
 */
export function* updateAgent(s: Scope, id: string, changes: AgentChanges, now: Date): Verb<AgentRow | null> {
  const [before] = yield* ask(s.locked(s.db.select().from(s.t.agents).where(eq(s.t.agents.id, id))));
  if (!before) return null;
  const rows =
    Object.keys(changes).length === 0
      ? [before]
      : yield* ask(s.db.update(s.t.agents).set(changes).where(eq(s.t.agents.id, id)).returning());
  const after = rows[0];
  if (!after) return null;
  if (after.mode === "cloud" && after.webhookUrl === "") {
    const missing = { field: "webhook_url", message: "is required for a cloud agent" };
    throw new Failure("invalid_request", `${missing.field} ${missing.message}.`, { errors: [missing] });
  }
  const [wasFrozen, isFrozen] = [agentEndpoint(before).isFrozen, agentEndpoint(after).isFrozen];
  if (wasFrozen !== isFrozen) yield* isFrozen ? freezeDeliveries(s, id) : releaseDeliveries(s, id, now);
  if (before.paused !== after.paused) {
    if (after.paused) yield* freezeOutbound(s, id);
    else if (!(yield* isPausedAbove(s, after))) yield* thawOutbound(s, id);
    s.signal({ topic: "mail", key: id });
  }
  s.signal({ topic: "agent", key: id });
  return after;
}

/**
 * Deletes an agent with its messages, deliveries and keys, and raw mail that no other message refers to. Its address on
 * a domain of the server stays reserved for the account.
 */
export function* deleteAgent(s: Scope, id: string, now: Date): Verb<boolean> {
  yield* reserveAddresses(s, [id], now);
  yield* dropMessagesOf(s, id);
  const gone = yield* ask(s.db.delete(s.t.agents).where(eq(s.t.agents.id, id)).returning({ id: s.t.agents.id }));
  s.signal({ topic: "agent", key: id });
  return gone.length > 0;
}

export type Mailbox = { kind: "mailbox"; id: string } | { kind: "unknown" } | { kind: "foreign" } | { kind: "unowned" };

/**
 * Finds the mailbox an envelope recipient reaches: the agent (sub-address removed), or the role
 * mailbox of a hosted domain. "postmaster" without a domain is the shared domain's (RFC 5321 4.5.1).
 * `foreign`: not a domain of this server; `unowned`: a role address while there is no account yet.
 */
export function* findMailbox(s: Scope, recipient: string, sharedDomain: string): Verb<Mailbox> {
  const address = mailboxAddress(recipient.includes("@") ? recipient : `${recipient}@${sharedDomain}`);
  if (!address) return { kind: "unknown" };
  const agent = yield* getAgent(s, address);
  if (agent) return { kind: "mailbox", id: agent.id };
  const { local, domain } = splitAddress(address) as { local: string; domain: string };
  const hosted = yield* hostedDomain(s, domain);
  if (!hosted) return { kind: "foreign" };
  if (!ROLE_LOCAL_PARTS.includes(local)) return { kind: "unknown" };
  const owner = hosted.userId ?? (yield* firstUser(s))?.id;
  return owner ? { kind: "mailbox", id: `postmaster@${domain}` } : { kind: "unowned" };
}

/** Makes sure the role mailbox `postmaster@domain` exists for the domain's owner. */
export function* ensureRoleMailbox(s: Scope, id: string, now: Date): Verb<AgentRow | null> {
  const parts = splitAddress(id);
  if (parts?.local !== "postmaster") return null;
  const hosted = yield* hostedDomain(s, parts.domain);
  const userId = hosted ? (hosted.userId ?? (yield* firstUser(s))?.id) : undefined;
  if (!userId) return null;
  const name = `Postmaster of ${parts.domain}`;
  const row = { ...newAgent({ id, userId, name, webhookUrl: "", mode: "local" as const }, now), role: true };
  yield* ask(s.db.insert(s.t.agents).values(row).onConflictDoNothing());
  return yield* getAgent(s, id);
}
