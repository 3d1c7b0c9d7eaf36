import type { ReactNode } from "react";
import { cx } from "./cx.ts";

export interface Column<Row> {
  header: string;
  /** Renders the row's cell. A Link in the first column makes the row reachable by keyboard. */
  cell: (row: Row) => ReactNode;
  /** For numbers. */
  align?: "right";
  /** Hidden on narrow screens. */
  secondary?: boolean;
}

/** A table that scrolls sideways if it does not fit its box. For hundreds of rows; for more use VirtualList. */
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
    // biome-ignore lint/a11y/noNoninteractiveTabindex: a scrollable region must be reachable by keyboard.
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
