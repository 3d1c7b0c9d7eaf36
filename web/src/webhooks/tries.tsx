import type { DeliveryDetail } from "../api/client.ts";
import { Untrusted } from "../mail/untrusted.tsx";
import { Badge } from "../ui/badge.tsx";
import { Card } from "../ui/page.tsx";
import { RelativeTime } from "../ui/time.tsx";
import { HttpStatus } from "./status.tsx";

type Try = DeliveryDetail["tries"][number];

/** "34 ms", "2.1 s" */
function durationText(ms: number): string {
  return ms < 1000 ? `${ms} ms` : `${(ms / 1000).toFixed(1)} s`;
}

/** Every attempt of a delivery, latest first: the endpoint's answer, or why there was none. */
export function Tries({ delivery }: { delivery: DeliveryDetail }) {
  const { tries, status, next_attempt_at } = delivery;
  return (
    <Card title="Attempts" flush>
      <ol aria-label="Attempts, the last one first" className="divide-y divide-line">
        {status === "pending" && (
          <li className="px-4 py-2.5 text-sm text-muted">
            {next_attempt_at ? (
              <>
                Attempt {tries.length + 1} <RelativeTime at={next_attempt_at} upcoming />.
              </>
            ) : (
              `Attempt ${tries.length + 1} is under way.`
            )}
          </li>
        )}
        {status === "paused" && (
          <li className="px-4 py-2.5 text-sm text-muted">
            It waits until the endpoint is enabled or its agent is resumed.
          </li>
        )}
        {tries.toReversed().map((one) => (
          <Attempt key={one.attempt} one={one} />
        ))}
      </ol>
    </Card>
  );
}

function Attempt({ one }: { one: Try }) {
  const { attempt, started_at, duration_ms, status, error, answer } = one;
  return (
    <li className="flex flex-col gap-2 px-4 py-2.5 text-sm">
      <p className="flex flex-wrap items-center gap-x-3 gap-y-1">
        <span className="text-muted tabular-nums">{attempt}.</span>
        {status === null ? <Badge tone="bad">No answer</Badge> : <HttpStatus status={status} />}
        {error && (
          <span className="min-w-0 wrap-anywhere">
            <Untrusted text={error} />
          </span>
        )}
        <span className="flex-1" />
        <span className="text-xs text-muted tabular-nums">{durationText(duration_ms)}</span>
        <RelativeTime at={started_at} className="text-xs text-muted" />
      </p>
      {answer && (
        <section aria-label={`Answer to attempt ${attempt}`} className="rounded-md border border-line bg-sunken">
          <pre
            // biome-ignore lint/a11y/noNoninteractiveTabindex: a scrollable region must be reachable by keyboard.
            tabIndex={0}
            className="max-h-60 overflow-auto px-3 py-2 font-mono text-xs whitespace-pre-wrap wrap-anywhere"
          >
            <Untrusted text={answer} lines />
          </pre>
        </section>
      )}
    </li>
  );
}
