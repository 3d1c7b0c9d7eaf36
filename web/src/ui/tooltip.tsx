import { Popover } from "@base-ui/react/popover";
import { Tooltip as Base } from "@base-ui/react/tooltip";
import type { ReactElement, ReactNode } from "react";

const popup = "pop max-w-[min(22rem,calc(100vw-1.5rem))] rounded-lg bg-raised text-xs text-ink shadow-pop outline-none";

/** A short remark on hover and focus; never the only place where something is said. */
export function Tooltip({ content, children }: { content: ReactNode; children: ReactElement }) {
  return (
    <Base.Root>
      <Base.Trigger render={children} />
      <Base.Portal>
        <Base.Positioner sideOffset={6} className="z-50">
          <Base.Popup className={`${popup} px-2 py-1`}>{content}</Base.Popup>
        </Base.Positioner>
      </Base.Portal>
    </Base.Root>
  );
}

/** An explanation with more than a line: opens on hover, by keyboard and by touch. `children` is the button. */
export function Explain({ title, children, content }: { title: string; children: ReactElement; content: ReactNode }) {
  return (
    <Popover.Root>
      <Popover.Trigger openOnHover delay={150} render={children} />
      <Popover.Portal>
        <Popover.Positioner sideOffset={6} align="start" className="z-50">
          <Popover.Popup data-closes-by-escape initialFocus={false} className={`${popup} p-3`}>
            <Popover.Title className="pb-1 text-sm font-semibold">{title}</Popover.Title>
            {content}
          </Popover.Popup>
        </Popover.Positioner>
      </Popover.Portal>
    </Popover.Root>
  );
}
