import { getRouteApi } from "@tanstack/react-router";
import { ExternalLink, ShieldAlert } from "lucide-react";
import { visibleLine } from "../../../src/message/text/visible.ts";
import { foreignHost, linkTarget, targetName } from "../mail/hosts.ts";
import { ForeignName } from "../mail/untrusted.tsx";
import { buttonClass } from "../ui/button.tsx";
import { ErrorNote } from "../ui/states.tsx";

const route = getRouteApi("/leaving");

/** The first stop of every link in a mail: shows the real host before loading anything from it. */
export function LeavingPage() {
  const { to = "" } = route.useSearch();
  const url = linkTarget(to);
  const foreign = url && foreignHost(url.hostname);
  return (
    <main className="mx-auto flex min-h-dvh max-w-xl flex-col justify-center gap-5 px-4 py-10">
      <title>Leaving · e2a</title>
      {url ? (
        <>
          <div>
            <p className="text-sm text-muted">This link from a mail leads to</p>
            <h1 className="text-2xl font-semibold wrap-anywhere">{targetName(url)}</h1>
          </div>
          {foreign && (
            <p className="flex gap-2 rounded-lg bg-warn-soft px-3 py-2 text-sm text-warn">
              <ShieldAlert aria-hidden className="mt-0.5 size-4 shrink-0" />
              <span>
                Its name reads as{" "}
                <strong>
                  <ForeignName name={foreign} />
                </strong>
                . The marked letters are not plain ASCII and may look like others.
              </span>
            </p>
          )}
          {url.protocol === "http:" && (
            <p className="text-sm text-muted">
              It is not encrypted: anyone on the network path can read and change it.
            </p>
          )}
          <code className="rounded-lg border border-line bg-sunken p-3 font-mono text-xs wrap-anywhere">
            {visibleLine(url.href)}
          </code>
          <div className="flex flex-wrap gap-2">
            <a href={url.href} rel="noopener noreferrer nofollow" className={buttonClass("primary")}>
              <ExternalLink aria-hidden className="size-4" /> Open it
            </a>
            <button type="button" className={buttonClass()} onClick={() => window.close()}>
              Close
            </button>
          </div>
        </>
      ) : (
        <ErrorNote error={new Error("This is not a link to a web page, a mail address or a phone number.")} />
      )}
    </main>
  );
}
