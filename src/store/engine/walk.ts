import { type Column, type SQL, sql } from "drizzle-orm";

/**
 * `walk (id, due)`: the ids in `column` of the rows that wait, in their order, each once and with its earliest due
 * time. Two seeks in an index for each id, however many rows it has, and none for the ids behind a LIMIT.
 *
 * @param rows which rows wait, found by an index that goes on with `column`, then with `dueAt`
 * @param after ids that follow this one; `upTo` ends the walk, without it the last one does
 */
export function walkOf(of: {
  rows: SQL | undefined;
  column: Column;
  dueAt: Column;
  after: SQL;
  upTo?: SQL | undefined;
}): SQL {
  const { rows, column, dueAt, after, upTo } = of;
  const waiting = sql`from ${column.table} where ${rows} and ${column}`;
  const end = upTo && sql`and ${column} <= ${upTo}`;
  const next = (last: SQL) => sql`(select min(${column}) ${waiting} > ${last} ${end})`;
  return sql`(
    with recursive steps (id) as (
      select ${next(after)}
      union all select ${next(sql`steps.id`)} from steps where id is not null)
    select id, (select min(${dueAt}) ${waiting} = steps.id) as due
    from steps where id is not null) as walk`;
}
