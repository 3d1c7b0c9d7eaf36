import type { ReactNode } from "react";
import { cx } from "./cx.ts";

/** The frame of an ordinary page: its title (also the window's), description, actions and content. */
export function Page({
  title,
  heading = title,
  description,
  actions,
  wide = false,
  children,
}: {
  title: string;
  /** The heading, if it is more than the title's text. */
  heading?: ReactNode;
  description?: ReactNode;
  actions?: ReactNode;
  /** For tables and lists; text is narrow. */
  wide?: boolean;
  children: ReactNode;
}) {
  return (
    <div className="h-full overflow-y-auto">
      <title>{`${title} · e2a`}</title>
      <div className={cx("mx-auto flex flex-col gap-6 px-4 py-5 sm:px-8 sm:py-7", wide ? "max-w-7xl" : "max-w-5xl")}>
        <header className="flex flex-wrap items-start justify-between gap-x-6 gap-y-3">
          <div className="min-w-0">
            <h1 className="text-xl font-semibold tracking-tight wrap-anywhere">{heading}</h1>
            {description && <p className="max-w-prose text-sm text-muted">{description}</p>}
          </div>
          {actions && <div className="flex flex-wrap gap-2">{actions}</div>}
        </header>
        {children}
      </div>
    </div>
  );
}

/** A section of a page, in a box with a heading. */
export function Card({
  title,
  description,
  actions,
  flush = false,
  children,
}: {
  title?: ReactNode;
  description?: ReactNode;
  actions?: ReactNode;
  /** Content reaches the edges: lists and tables. */
  flush?: boolean;
  children: ReactNode;
}) {
  return (
    <section className="overflow-hidden rounded-xl border border-line bg-surface shadow-card">
      {title && (
        <div className="flex flex-wrap items-center justify-between gap-2 px-4 pt-3.5 pb-1">
          <div>
            <h2 className="text-sm font-semibold">{title}</h2>
            {description && <p className="text-xs text-muted">{description}</p>}
          </div>
          {actions && <div className="flex gap-2">{actions}</div>}
        </div>
      )}
      <div className={flush ? "" : "p-4"}>{children}</div>
    </section>
  );
}

/** Names and their values, one per line. */
export function Facts({ facts }: { facts: readonly (readonly [name: string, value: ReactNode])[] }) {
  return (
    <dl className="grid grid-cols-[minmax(5rem,max-content)_minmax(0,1fr)] items-baseline gap-x-4 gap-y-1.5 text-sm">
      {facts.map(([name, value]) => (
        <div key={name} className="contents">
          <dt className="text-muted">{name}</dt>
          <dd className="min-w-0 wrap-anywhere">{value}</dd>
        </div>
      ))}
    </dl>
  );
}
