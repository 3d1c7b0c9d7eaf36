/** Makes waiting deliveries to dead endpoints in the database of a stopped server, and times claims. */
import { join } from "node:path";
import { getTableColumns, sql } from "drizzle-orm";
import { migrations } from "../../src/assets.ts";
import { newAgent } from "../../src/store/accounts/agents.ts";
import { askRaw, type Engine, type Verb } from "../../src/store/engine/engine.ts";
import { sqliteKit } from "../../src/store/engine/kit.ts";
import { openPostgres } from "../../src/store/engine/postgres.ts";
import { openSqlite } from "../../src/store/engine/sqlite.ts";
import { setHealth } from "../../src/store/events/endpoints.ts";
import { schema } from "../../src/store/schema.ts";
import { createStore, type Store } from "../../src/store/store.ts";
import { newId } from "../../src/util/id.ts";
import { silentLog } from "../../src/util/log.ts";
import { mailFor } from "../../test/store/rows.ts";
import type { E2aOptions } from "./e2a.ts";
import { type Latency, latency } from "./statistics.ts";

/** Number of timed claims, each with as many free slots as an idle server has. */
const CLAIMS_TIMED = 200;
const CLAIM_LIMIT = 16;
/** How long ago the pile became due. */
const OVERDUE_MS = 3_600_000;

/** Opens the database of a stopped server. */
export async function openDatabase({ folder, settings }: E2aOptions) {
  const url = settings.E2A_DATABASE_URL;
  const engine = url
    ? await openPostgres(url, { poolSize: 1, migrations: migrations("postgres"), log: silentLog })
    : openSqlite(join(folder, "data", "e2a.db"), migrations("sqlite"));
  return { engine, store: createStore(engine), [Symbol.asyncDispose]: () => engine.close() };
}

/**
 * Makes `count` due deliveries, spread over the endpoints: the store makes one for each, which is then copied. The
 * endpoints are marked as failing, as they would be with so long a queue.
 */
export async function pileUp(engine: Engine, store: Store, endpoints: string[], count: number): Promise<void> {
  const accepted = await store.acceptInbound(mailFor(endpoints, { receivedAt: new Date(Date.now() - OVERDUE_MS) }));
  const failed = { failingSince: new Date(Date.now() - OVERDUE_MS), lastFailedAt: new Date() };
  for (const endpoint of endpoints) await engine.write((s) => setHealth(s, endpoint, failed));
  const ids = accepted.map(({ message }) => message.id);
  const copies = Math.ceil(count / endpoints.length) - 1;
  const { id: _, ...others } = getTableColumns(schema(sqliteKit).deliveries);
  const columns = Object.values(others)
    .map((column) => column.name)
    .join(", ");
  await engine.write(function* (): Verb<void> {
    yield* askRaw(sql`
      with recursive numbers (n) as (select 1 union all select n + 1 from numbers where n < ${sql.raw(`${copies}`)})
      insert into deliveries (id, ${sql.raw(columns)})
      select id || '-' || n, ${sql.raw(columns)} from deliveries, numbers where message_id in (${list(ids)})`);
  });
}

/** How many attempts these endpoints have had so far. */
export function countAttempts(engine: Engine, endpoints: string[]): Promise<number> {
  return engine.read(function* (): Verb<number> {
    const [row] = yield* askRaw<{ n: number }>(sql`
      select count(*) as n from delivery_attempts join deliveries on deliveries.id = delivery_id
      where endpoint_id in (${list(endpoints)})`);
    return Number(row?.n);
  });
}

const list = (values: string[]) =>
  sql.join(
    values.map((value) => sql`${value}`),
    sql`, `,
  );

/** How long a claim takes while the dead endpoints use all slots that they may use, and another endpoint has mail. */
export async function timeClaims(store: Store, dead: string[]): Promise<Latency> {
  const owner = await store.firstUser();
  if (!owner) throw new Error("the server has no account");
  const now = new Date();
  const id = `claimed-${newId("msg").slice(-8)}@${dead[0]?.split("@")[1]}`;
  const probe = { id, userId: owner.id, name: "", webhookUrl: "https://hook.example/", mode: "cloud" as const };
  await store.createAgent(newAgent(probe, now), Number.MAX_SAFE_INTEGER);
  for (let i = 0; i < CLAIM_LIMIT; i++) await store.acceptInbound(mailFor(id, { receivedAt: now }));
  const slots = { of: new Map([[id, CLAIM_LIMIT]]), others: 0, failing: new Set<string>(), failingMax: 0 };
  let after = "";
  const took: number[] = [];
  for (let i = 0; i < CLAIMS_TIMED; i++) {
    const startedAt = performance.now();
    const { claimed, ...next } = await store.claimDueDeliveries({
      now,
      leaseUntil: new Date(now.getTime() + OVERDUE_MS),
      leaseToken: `claim ${i}`,
      limit: CLAIM_LIMIT,
      busy: dead,
      slots,
      after,
    });
    after = next.after;
    took.push(performance.now() - startedAt);
    if (claimed.length !== CLAIM_LIMIT) throw new Error(`a claim took ${claimed.length} of ${CLAIM_LIMIT}`);
    for (const delivery of claimed) await store.finishDelivery(delivery, { kind: "released", at: now }, null, now);
  }
  await store.deleteAgent(id, new Date());
  return latency(took);
}
