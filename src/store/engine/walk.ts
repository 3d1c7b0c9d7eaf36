import { type Column, type SQL, sql } from "drizzle-orm";

/**
 * `walk (id, due)`: the ids in a column of the rows that wait, in their order, each once and with its earliest due
 * time. Two seeks in an index for each id, however many rows it has, and none for the ids behind a LIMIT.
 *
 * @param rows which rows wait, found by an index that goes on with `id`, then with `due`
 * @param after ids that follow this one; `upTo` ends the walk, without it the last one does
 */
export function walkOf(rows: SQL | undefined, { id, due }: { id: Column; due: Column }, after: SQL, upTo?: SQL): SQL {
  const waiting = sql`from ${id.table} where ${rows} and ${id}`;
  const end = upTo && sql`and ${id} <= ${upTo}`;
  const next = (last: SQL) => sql`(select min(${id}) ${waiting} > ${last} ${end})`;
  return sql`(
    with recursive steps (id) as (
      select ${next(after)}
      union all select ${next(sql`steps.id`)} from steps where id is not null)
    select id, (select min(${due}) ${waiting} = steps.id) as due
    from steps where id is not null) as walk`;
}
