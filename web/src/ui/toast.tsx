import { Toast as Base } from "@base-ui/react/toast";
import { CircleAlert, CircleCheck, X } from "lucide-react";
import { ApiError } from "../api/problem.ts";
import { buttonClass, IconButton } from "./button.tsx";
import { Marked } from "./marked.tsx";

const manager = Base.createToastManager();

export interface ToastAction {
  label: string;
  run: () => void;
  /** How long the action is available. */
  forMs: number;
}

/** Reports that something was done, with an optional action such as undo. */
export function toast(title: string, description?: string, action?: ToastAction): void {
  const id = manager.add({
    title,
    description,
    type: "done",
    timeout: action?.forMs ?? 4_000,
    ...(action && {
      actionProps: {
        children: action.label,
        onClick: () => {
          manager.close(id);
          action.run();
        },
      },
    }),
  });
}

/** Reports an error, and what to do about it. Stays longer than other toasts, to be read. */
export function toastError(error: unknown): void {
  const fix = error instanceof ApiError ? error.fix : undefined;
  const title = error instanceof Error ? error.message : String(error);
  manager.add({
    title: <Marked text={title} />,
    description: fix && <Marked text={fix} />,
    type: "failed",
    priority: "high",
    timeout: 12_000,
  });
}

/** Renders the toasts. Used once, in the shell. */
export function Toaster() {
  return (
    <Base.Provider toastManager={manager}>
      <Base.Portal>
        <Base.Viewport className="fixed right-3 bottom-3 z-60 flex w-[calc(100vw-1.5rem)] max-w-sm flex-col gap-2 sm:right-5 sm:bottom-5">
          <Toasts />
        </Base.Viewport>
      </Base.Portal>
    </Base.Provider>
  );
}

function Toasts() {
  return Base.useToastManager().toasts.map((item) => (
    <Base.Root
      key={item.id}
      toast={item}
      className="pop flex items-start gap-2.5 rounded-lg bg-raised p-3 text-sm shadow-pop"
    >
      {item.type === "failed" ? (
        <CircleAlert aria-hidden className="mt-0.5 size-4 shrink-0 text-bad" />
      ) : (
        <CircleCheck aria-hidden className="mt-0.5 size-4 shrink-0 text-ok" />
      )}
      <div className="min-w-0 flex-1 wrap-anywhere">
        <Base.Title className="font-medium" />
        <Base.Description className="text-muted" />
      </div>
      <Base.Action className={buttonClass("default", "sm")} />
      <Base.Close render={<IconButton icon={X} label="Dismiss" className="-m-1.5" />} />
    </Base.Root>
  ));
}
