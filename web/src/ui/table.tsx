import type { ReactNode } from "react";
import { cx } from "./cx.ts";

export interface Column<Row> {
  header: string;
  /** Sees the row; a Link in the first column makes the row reachable by keyboard. */
  cell: (row: Row) => ReactNode;
  /** Numbers stand right. */
  align?: "right";
  /** Left out on narrow screens. */
  secondary?: boolean;
}

/** A table that fits its box and scrolls sideways where it cannot. For hundreds of rows; for more use VirtualList. */
export function Table<Row>({
  label,
  columns,
  rows,
  keyOf,
}: {
  label: string;
  columns: readonly Column<Row>[];
  rows: readonly Row[];
  keyOf: (row: Row) => string;
}) {
  const classOf = (column: Column<Row>) =>
    cx(column.align === "right" && "text-right tabular-nums", column.secondary && "hidden md:table-cell");
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard.
    <section className="overflow-x-auto" aria-label={label} tabIndex={0}>
      <table className="w-full text-sm">
        <thead>
          <tr className="border-b border-line text-left text-xs text-muted">
            {columns.map((column) => (
              <th
                key={column.header}
                scope="col"
                className={cx("h-8 px-4 font-medium whitespace-nowrap", classOf(column))}
              >
                {column.header}
              </th>
            ))}
          </tr>
        </thead>
        <tbody className="divide-y divide-line">
          {rows.map((row) => (
            <tr key={keyOf(row)} className="relative hover:bg-hover">
              {columns.map((column) => (
                <td key={column.header} className={cx("h-11 px-4", classOf(column))}>
                  {column.cell(row)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}
