import type { UseQueryResult } from "@tanstack/react-query";
import { CircleAlert, type LucideIcon, RotateCw } from "lucide-react";
import type { ReactNode } from "react";
import { ApiError } from "../api/problem.ts";
import { Button } from "./button.tsx";
import { CopyButton } from "./copy.tsx";
import { Marked } from "./marked.tsx";

/** Says that there is nothing here yet, what will appear, and how to get it. */
export function EmptyState({
  icon: Icon,
  title,
  children,
  action,
}: {
  icon: LucideIcon;
  title: string;
  children?: ReactNode;
  action?: ReactNode;
}) {
  return (
    <div className="mx-auto flex max-w-md flex-col items-center gap-3 px-4 py-14 text-center">
      <div className="rounded-xl border border-line bg-surface p-3 shadow-card">
        <Icon aria-hidden className="size-6 text-muted" />
      </div>
      <h2 className="text-lg font-semibold">{title}</h2>
      {children && <div className="flex w-full min-w-0 flex-col gap-3 text-sm text-pretty text-muted">{children}</div>}
      {action}
    </div>
  );
}

/** Shows what went wrong, what to do, and the request's id for a search in the log. */
export function ErrorNote({ error }: { error: unknown }) {
  const known = error instanceof ApiError ? error : null;
  return (
    <div role="alert" className="flex gap-2.5 rounded-lg border border-bad/30 bg-bad-soft p-3 text-sm">
      <CircleAlert aria-hidden className="mt-0.5 size-4 shrink-0 text-bad" />
      <div className="min-w-0 wrap-anywhere">
        <p className="font-medium">
          <Marked text={error instanceof Error ? error.message : String(error)} />
        </p>
        {known?.errors.map(({ field, message }) => (
          <p key={`${field} ${message}`}>
            <code className="font-mono text-xs">{field}</code> <Marked text={message} />
          </p>
        ))}
        {known?.fix && (
          <p className="text-muted">
            <Marked text={known.fix} />
          </p>
        )}
        {known?.requestId && (
          <p className="mt-1 flex items-center gap-1 text-xs text-muted">
            Request <code className="font-mono">{known.requestId}</code>
            <CopyButton text={known.requestId} label="Copy the request id" />
          </p>
        )}
      </div>
    </div>
  );
}

/** Shown in place of content that could not be loaded. */
export function ErrorState({ error, retry }: { error: unknown; retry?: () => void }) {
  return (
    <div className="mx-auto flex w-full max-w-lg flex-col items-start gap-3 px-4 py-10">
      <ErrorNote error={error} />
      {retry && (
        <Button icon={RotateCw} onClick={retry}>
          Try again
        </Button>
      )}
    </div>
  );
}

/** A grey placeholder while something loads. `className` sets its size. */
export function Skeleton({ className }: { className: string }) {
  return <div aria-hidden className={`animate-pulse rounded-md bg-quiet-soft ${className}`} />;
}

/** Placeholders for the rows of a list. */
export function SkeletonRows({ rows = 6 }: { rows?: number }) {
  return (
    <div role="status" className="flex flex-col gap-3 py-3">
      <span className="sr-only">Loading</span>
      {Array.from({ length: rows }, (_, place) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: rows without content have no name.
        <Skeleton key={place} className="h-9" />
      ))}
    </div>
  );
}

/** Renders a query's data, or that it is loading, or why it failed. Existing data stays visible during a refresh. */
export function Loaded<T>({
  query,
  skeleton = <SkeletonRows />,
  children,
}: {
  query: UseQueryResult<T>;
  skeleton?: ReactNode;
  children: (data: T) => ReactNode;
}) {
  if (query.data !== undefined) return children(query.data);
  if (query.error) {
    const gone = query.error instanceof ApiError && query.error.status === 404;
    return <ErrorState error={query.error} {...(!gone && { retry: () => void query.refetch() })} />;
  }
  return skeleton;
}
