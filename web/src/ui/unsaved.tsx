import { useBlocker } from "@tanstack/react-router";
import type { ReactNode, RefObject } from "react";
import { ConfirmDialog } from "./dialog.tsx";

/**
 * While `active`, asks before the user leaves the page and loses what a form contains: in a dialog, or in the browser's
 * own where the whole dashboard is left. A change of the address's query leaves the form in place and does not ask.
 */
export function UnsavedGuard({
  active,
  isLeaving,
  title,
  children,
}: {
  active: boolean;
  /** Set to true to leave without a question, for example once the form is sent. */
  isLeaving?: RefObject<boolean>;
  /** The dialog's question. Its button repeats it as a command. */
  title: string;
  children: ReactNode;
}) {
  const left = useBlocker({
    shouldBlockFn: ({ current, next }) => !isLeaving?.current && current.pathname !== next.pathname,
    enableBeforeUnload: () => !isLeaving?.current,
    disabled: !active,
    withResolver: true,
  });
  if (left.status !== "blocked") return null;
  return (
    <ConfirmDialog
      open
      onOpenChange={(open) => !open && left.reset()}
      title={title}
      action={title.replace("?", "")}
      run={async () => left.proceed()}
    >
      {children}
    </ConfirmDialog>
  );
}
