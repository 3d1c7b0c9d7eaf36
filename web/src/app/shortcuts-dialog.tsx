import { useState } from "react";
import { Dialog } from "../ui/dialog.tsx";
import { Keys } from "../ui/kbd.tsx";
import { currentShortcuts } from "./shortcuts.ts";

/** Lists the shortcuts that work on this page. */
export function ShortcutsDialog({ onClose }: { onClose: () => void }) {
  const [groups] = useState(() => Map.groupBy(currentShortcuts(), ({ group }) => group));
  return (
    <Dialog open onOpenChange={(open) => !open && onClose()} title="Keyboard shortcuts" wide>
      <div className="grid gap-x-10 gap-y-6 sm:grid-cols-2">
        {[...groups].map(([group, shortcuts]) => (
          <section key={group}>
            <h3 className="pb-2 text-xs font-medium text-muted">{group}</h3>
            <ul className="flex flex-col gap-1.5">
              {shortcuts.map(({ keys, label }) => (
                <li key={keys} className="flex items-center justify-between gap-4 text-sm">
                  {label}
                  <Keys keys={keys} />
                </li>
              ))}
            </ul>
          </section>
        ))}
      </div>
    </Dialog>
  );
}
