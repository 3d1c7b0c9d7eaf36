import { Menu as Base } from "@base-ui/react/menu";
import type { LucideIcon } from "lucide-react";
import type { ReactElement } from "react";
import { cx } from "./cx.ts";

export interface MenuItem {
  label: string;
  icon?: LucideIcon;
  danger?: boolean;
  disabled?: boolean;
  onSelect: () => void;
}

/** A button that opens a list of actions. `null` between items draws a line. */
export function Menu({ trigger, items }: { trigger: ReactElement; items: readonly (MenuItem | null)[] }) {
  return (
    <Base.Root>
      <Base.Trigger render={trigger} />
      <Base.Portal>
        <Base.Positioner align="end" sideOffset={4} className="z-50">
          <Base.Popup className="pop min-w-44 rounded-lg bg-raised p-1 text-sm shadow-pop outline-none">
            {items.map((item, place) =>
              item ? (
                <Base.Item
                  key={item.label}
                  disabled={item.disabled ?? false}
                  onClick={item.onSelect}
                  className={cx(
                    "flex cursor-pointer items-center gap-2 rounded-md px-2 py-1.5 outline-none select-none data-disabled:opacity-50 data-highlighted:bg-hover",
                    item.danger && "text-bad",
                  )}
                >
                  {item.icon && <item.icon aria-hidden className="size-4 opacity-70" />}
                  {item.label}
                </Base.Item>
              ) : (
                // biome-ignore lint/suspicious/noArrayIndexKey: a line has no name, and the list does not change.
                <Base.Separator key={place} className="mx-1 my-1 h-px bg-line" />
              ),
            )}
          </Base.Popup>
        </Base.Positioner>
      </Base.Portal>
    </Base.Root>
  );
}
