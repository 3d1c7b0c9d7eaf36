import { and, eq, sql } from "drizzle-orm";
import { ask, type Scope, type Verb } from "../engine/engine.ts";
import { type Params, statement } from "../engine/statement.ts";
import { freezeOutbound, thawOutbound } from "../outbound/queue.ts";
import type { AgentRow, DomainRow, UserRow } from "../schema.ts";

const selectPausedAbove = statement(({ db, t: { users, domains } }, p: Params<Pick<AgentRow, "domain" | "userId">>) =>
  db
    .select({ id: users.id })
    .from(users)
    .leftJoin(domains, and(eq(domains.domain, p.domain), eq(domains.userId, users.id)))
    .where(and(eq(users.id, p.userId), sql`(${users.paused} or ${domains.paused})`))
    .limit(1),
);

/** Whether the domain or the account of an agent is paused. */
export function* isPausedAbove(s: Scope, agent: Pick<AgentRow, "domain" | "userId">): Verb<boolean> {
  return (yield* selectPausedAbove(s, agent)).length > 0;
}

/** Freezes or releases all mail out of a domain's agents. Null when the account has no such domain. */
export function* pauseDomain(s: Scope, userId: string, domain: string, paused: boolean): Verb<DomainRow | null> {
  const { domains, agents } = s.t;
  const [row] = yield* ask(
    s.db
      .update(domains)
      .set({ paused })
      .where(and(eq(domains.userId, userId), eq(domains.domain, domain)))
      .returning(),
  );
  if (!row) return null;
  const all = yield* ask(
    s.locked(
      s.db
        .select()
        .from(agents)
        .where(and(eq(agents.userId, userId), eq(agents.domain, domain)))
        .orderBy(agents.id),
    ),
  );
  yield* follow(s, all);
  return row;
}

/** Freezes or releases all mail out of an account. Null when there is no such account. */
export function* pauseAccount(s: Scope, userId: string, paused: boolean): Verb<UserRow | null> {
  const { users, agents } = s.t;
  const [row] = yield* ask(s.db.update(users).set({ paused }).where(eq(users.id, userId)).returning());
  if (!row) return null;
  const all = yield* ask(s.locked(s.db.select().from(agents).where(eq(agents.userId, userId)).orderBy(agents.id)));
  yield* follow(s, all);
  return row;
}

/** Freezes or releases the queue of each agent, according to the pauses of the agent, its domain and its account. */
function* follow(s: Scope, agents: AgentRow[]): Verb<void> {
  for (const agent of agents) {
    if (agent.paused || (yield* isPausedAbove(s, agent))) yield* freezeOutbound(s, agent.id);
    else yield* thawOutbound(s, agent.id);
  }
}
