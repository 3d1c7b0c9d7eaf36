import { useVirtualizer } from "@tanstack/react-virtual";
import { type ReactNode, useEffect, useLayoutEffect, useRef } from "react";
import { useShortcuts } from "../app/shortcuts.ts";
import { cx } from "./cx.ts";

/** How many rows beyond the visible ones are rendered, so that scrolling shows no gaps. */
const OVERSCAN = 8;

/**
 * A list that renders only visible rows, so it stays fast at 100,000 rows. It scrolls in its own box, which fills its
 * parent. `j` and `k` move through it; the row's link takes the focus, so Enter opens it.
 */
export function VirtualList<Item>({
  label,
  items,
  total,
  keyOf,
  rowHeight,
  selected,
  hasMore = false,
  loadMore,
  follow,
  children,
}: {
  label: string;
  items: readonly Item[];
  /** The total number of rows, if known; otherwise screen readers say "of many". */
  total?: number;
  keyOf: (item: Item) => string;
  /** Estimate in pixels; higher rows are measured. */
  rowHeight: number;
  /** The key of the row that is open beside the list. */
  selected?: string | undefined;
  hasMore?: boolean;
  loadMore?: () => void;
  /** If given, moving to a row by `j` or `k` also opens it. */
  follow?: ((item: Item) => void) | undefined;
  children: (item: Item) => ReactNode;
}) {
  const box = useRef<HTMLDivElement>(null);
  const rows = useVirtualizer({
    count: items.length,
    getScrollElement: () => box.current,
    estimateSize: () => rowHeight,
    getItemKey: (index) => keyOf(items[index] as Item),
    overscan: OVERSCAN,
  });
  const visible = rows.getVirtualItems();
  const last = visible.at(-1)?.index ?? -1;
  useEffect(() => {
    if (hasMore && last >= items.length - OVERSCAN) loadMore?.();
  }, [hasMore, last, items.length, loadMore]);

  // New rows on top must not move the rows that the user is reading further down.
  const top = items[0] && keyOf(items[0]);
  const topBefore = useRef(top);
  useLayoutEffect(() => {
    const before = topBefore.current;
    topBefore.current = top;
    if (!box.current || box.current.scrollTop === 0 || before === undefined || before === top) return;
    const added = items.findIndex((item) => keyOf(item) === before);
    if (added > 0) box.current.scrollTop += rows.getOffsetForIndex(added, "start")?.[0] ?? 0;
  });

  const move = (by: number) => {
    const focused = document.activeElement?.closest<HTMLElement>("[data-index]");
    const from = focused && box.current?.contains(focused) ? Number(focused.dataset.index) : openIndex();
    const to = Math.min(items.length - 1, Math.max(0, from + by));
    if (to < 0) return;
    rows.scrollToIndex(to, { align: "auto" });
    follow?.(items[to] as Item);
    const link = () => box.current?.querySelector<HTMLElement>(`[data-index="${to}"] a`);
    // A distant row is rendered only after scrolling.
    if (link()) link()?.focus();
    else requestAnimationFrame(() => link()?.focus());
  };
  const openIndex = () => (selected === undefined ? -1 : items.findIndex((item) => keyOf(item) === selected));
  useShortcuts([
    { keys: "j", label: "Next in the list", group: "Lists", run: () => move(+1) },
    { keys: "k", label: "Previous in the list", group: "Lists", run: () => move(-1) },
  ]);

  return (
    <div ref={box} className="h-full overflow-y-auto overscroll-contain [contain:strict]">
      <ul aria-label={label} className="relative w-full" style={{ height: rows.getTotalSize() }}>
        {visible.map((row) => {
          const item = items[row.index] as Item;
          return (
            <li
              key={row.key}
              ref={rows.measureElement}
              data-index={row.index}
              aria-setsize={total ?? (hasMore ? -1 : items.length)}
              aria-posinset={row.index + 1}
              aria-current={keyOf(item) === selected ? "true" : undefined}
              className={cx("absolute top-0 left-0 w-full", keyOf(item) === selected && "bg-selected")}
              style={{ transform: `translateY(${row.start}px)` }}
            >
              {children(item)}
            </li>
          );
        })}
      </ul>
    </div>
  );
}
