import { Dialog as Base } from "@base-ui/react/dialog";
import { X } from "lucide-react";
import { type ReactNode, useRef, useState } from "react";
import { Button, IconButton } from "./button.tsx";
import { cx } from "./cx.ts";
import { ErrorNote } from "./states.tsx";

/** A modal dialog. Escape or a click outside closes it; then the focus returns to where it was. */
export function Dialog({
  open,
  onOpenChange,
  title,
  description,
  children,
  footer,
  wide = false,
  stays = false,
}: {
  open: boolean;
  onOpenChange: (open: boolean) => void;
  title: ReactNode;
  description?: ReactNode;
  children?: ReactNode;
  /** Its buttons, the primary one last. */
  footer?: ReactNode;
  wide?: boolean;
  /** Only its own buttons close it, because its content would be lost. */
  stays?: boolean;
}) {
  const popup = useRef<HTMLDivElement>(null);
  const opener = useRef<Element | null>(null);
  return (
    <Base.Root open={open} onOpenChange={(next) => !stays && onOpenChange(next)}>
      <Base.Portal>
        <Base.Backdrop className="fixed inset-0 z-40 bg-scrim transition-opacity duration-100 data-ending-style:opacity-0 data-starting-style:opacity-0" />
        <Base.Popup
          ref={popup}
          aria-modal="true"
          // Focus the first field; without one, the dialog itself, so that screen readers read it.
          initialFocus={() => {
            opener.current = document.activeElement;
            return popup.current?.querySelector<HTMLElement>("input, textarea, select") ?? popup.current;
          }}
          finalFocus={() => {
            const page = opener.current;
            if (!(page instanceof HTMLElement && "pageStart" in page.dataset)) return true;
            // Instead of the page itself, the library would focus its first control, which would get the next keys.
            queueMicrotask(() => page.focus({ preventScroll: true }));
            return false;
          }}
          className={cx(
            "pop fixed top-[max(1rem,12vh)] left-1/2 z-50 flex max-h-[80dvh] w-[calc(100vw-1.5rem)] -translate-x-1/2 flex-col rounded-xl bg-raised shadow-pop outline-none",
            wide ? "max-w-3xl" : "max-w-lg",
          )}
        >
          <div className="flex items-start justify-between gap-4 px-5 pt-4 pb-3">
            <div>
              <Base.Title className="text-lg font-semibold">{title}</Base.Title>
              {description && <Base.Description className="text-sm text-muted">{description}</Base.Description>}
            </div>
            {!stays && <Base.Close render={<IconButton icon={X} label="Close" className="-mr-2" />} />}
          </div>
          <div className="overflow-y-auto px-5 pb-5">{children}</div>
          {footer && <div className="flex flex-wrap justify-end gap-2 border-t border-line px-5 py-3">{footer}</div>}
        </Base.Popup>
      </Base.Portal>
    </Base.Root>
  );
}

/** Asks before an action that cannot be undone. If `run` rejects, the dialog stays open and shows the error. */
export function ConfirmDialog({
  open,
  onOpenChange,
  title,
  children,
  action,
  run,
}: {
  open: boolean;
  onOpenChange: (open: boolean) => void;
  title: ReactNode;
  /** What will happen. */
  children: ReactNode;
  /** The button's label, a verb and its object: "Delete agent". */
  action: string;
  run: () => Promise<unknown>;
}) {
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>(null);
  const confirm = async () => {
    setBusy(true);
    setError(null);
    try {
      await run();
      onOpenChange(false);
    } catch (problem) {
      setError(problem);
    } finally {
      setBusy(false);
    }
  };
  return (
    <Dialog
      open={open}
      onOpenChange={onOpenChange}
      title={title}
      footer={
        <>
          <Button onClick={() => onOpenChange(false)}>Cancel</Button>
          <Button variant="danger" busy={busy} onClick={() => void confirm()}>
            {action}
          </Button>
        </>
      }
    >
      <div className="flex flex-col gap-3 text-sm">
        {children}
        {error !== null && <ErrorNote error={error} />}
      </div>
    </Dialog>
  );
}
