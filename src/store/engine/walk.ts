import { type Column, type SQL, sql } from "drizzle-orm";

/**
 * `walk (id, due)`: the ids in a column of the waiting rows, in order, each once and with its earliest due time. It
 * takes two index seeks for each id, however many rows that has, and none for the ids behind a LIMIT.
 *
 * @param rows selects the waiting rows, found by an index that continues with `id`, then `due`
 * @param after start after this id; `upTo` ends the walk, which otherwise ends with the last id
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
