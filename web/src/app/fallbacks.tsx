import { type ErrorComponentProps, Link } from "@tanstack/react-router";
import { Compass } from "lucide-react";
import { buttonClass } from "../ui/button.tsx";
import { Page } from "../ui/page.tsx";
import { EmptyState, ErrorState } from "../ui/states.tsx";

/** Shown in place of a page that threw. */
export function PageError({ error, reset }: ErrorComponentProps) {
  return (
    <Page title="Something went wrong">
      <ErrorState error={error} retry={reset} />
    </Page>
  );
}

export function NotFound() {
  return (
    <Page title="Nothing here">
      <EmptyState
        icon={Compass}
        title="Page not found"
        action={
          <Link to="/" className={buttonClass()}>
            Go to the overview
          </Link>
        }
      >
        <p>The address may be mistyped, or the page no longer exists.</p>
      </EmptyState>
    </Page>
  );
}
