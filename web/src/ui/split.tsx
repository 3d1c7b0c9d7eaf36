import { ArrowLeft } from "lucide-react";
import { type ReactNode, useSyncExternalStore } from "react";
import { cx } from "./cx.ts";

/**
 * A list with the open item beside it. A narrow screen shows only one of the two; `open` says which.
 * The two halves scroll separately.
 */
export function Split({
  title,
  actions,
  filters,
  list,
  open,
  detail,
  hint,
}: {
  title: string;
  actions?: ReactNode;
  filters?: ReactNode;
  list: ReactNode;
  open: boolean;
  detail: ReactNode;
  /** Shown in place of the detail while nothing is open. */
  hint: ReactNode;
}) {
  return (
    <div className="flex h-full">
      {!open && <title>{`${title} · e2a`}</title>}
      <section
        aria-label={title}
        className={cx(
          "h-full w-full min-w-0 flex-col border-line bg-surface lg:w-104 lg:shrink-0 lg:border-r",
          open ? "hidden lg:flex" : "flex",
        )}
      >
        <header className="flex flex-col gap-2 border-b border-line px-4 pt-3 pb-2.5">
          <div className="flex min-h-8 flex-wrap items-center justify-between gap-2">
            <h1 className="text-lg font-semibold tracking-tight">{title}</h1>
            {actions && <div className="flex gap-2">{actions}</div>}
          </div>
          {filters && <div className="flex flex-wrap items-center gap-2">{filters}</div>}
        </header>
        <div className="min-h-0 flex-1">{list}</div>
      </section>
      <div className={cx("h-full min-w-0 flex-1", !open && "hidden lg:block")}>
        {open ? (
          detail
        ) : (
          <div className="flex h-full items-center justify-center px-6 text-center text-sm text-muted">{hint}</div>
        )}
      </div>
    </div>
  );
}

/** The width at which `lg:` begins: list and detail are side by side. */
const wide = window.matchMedia("(min-width: 64rem)");
const isWide = () => wide.matches;

function subscribeToWidth(listener: () => void): () => void {
  wide.addEventListener("change", listener);
  return () => wide.removeEventListener("change", listener);
}

/** The frame of the item that is open beside a list: its heading (also the window's title), actions and content. */
export function Detail({
  title,
  heading = title,
  back,
  actions,
  children,
}: {
  title: string;
  heading?: ReactNode;
  /** Back to the list, on a narrow screen. */
  back: () => void;
  actions?: ReactNode;
  children: ReactNode;
}) {
  // Alone on a narrow screen, its heading is the page's.
  const Heading = useSyncExternalStore(subscribeToWidth, isWide) ? "h2" : "h1";
  return (
    <article className="h-full overflow-y-auto">
      <title>{`${title} · e2a`}</title>
      <div className="sticky top-0 z-20 flex flex-wrap items-center gap-x-4 gap-y-2 border-b border-line bg-canvas px-4 py-2.5 sm:px-6">
        <button
          type="button"
          aria-label="Back to the list"
          onClick={back}
          className="-ml-2 inline-flex size-8 items-center justify-center rounded-md text-muted hover:bg-hover lg:hidden"
        >
          <ArrowLeft aria-hidden className="size-4" />
        </button>
        <Heading className="line-clamp-2 min-w-0 flex-1 basis-48 text-lg font-semibold tracking-tight wrap-anywhere">
          {heading}
        </Heading>
        {actions && <div className="flex flex-wrap gap-2">{actions}</div>}
      </div>
      <div className="mx-auto flex max-w-4xl flex-col gap-5 px-4 py-5 sm:px-6">{children}</div>
    </article>
  );
}
