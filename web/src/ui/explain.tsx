import { Popover } from "@base-ui/react/popover";
import type { ReactElement, ReactNode } from "react";

/** An explanation of more than one line. Opens on hover, by keyboard and by touch. `children` is the button. */
export function Explain({ title, children, content }: { title: string; children: ReactElement; content: ReactNode }) {
  return (
    <Popover.Root>
      <Popover.Trigger openOnHover delay={150} render={children} />
      <Popover.Portal>
        <Popover.Positioner sideOffset={6} align="start" className="z-50">
          <Popover.Popup
            data-closes-by-escape
            initialFocus={false}
            className="pop max-w-[min(22rem,calc(100vw-1.5rem))] rounded-lg bg-raised p-3 text-xs text-ink shadow-pop outline-none"
          >
            <Popover.Title className="pb-1 text-sm font-semibold">{title}</Popover.Title>
            {content}
          </Popover.Popup>
        </Popover.Positioner>
      </Popover.Portal>
    </Popover.Root>
  );
}
