import { CircleCheck, CircleMinus, CircleX, ShieldAlert, ShieldCheck } from "lucide-react";
import type { Authentication, MessageSummary } from "../api/client.ts";
import { tones } from "../ui/badge.tsx";
import { cx } from "../ui/cx.ts";
import { Explain } from "../ui/explain.tsx";
import { explainVerdict } from "./explain.ts";
import { foreignHost, hostOf } from "./hosts.ts";

const marks = { ok: [CircleCheck, "text-ok"], bad: [CircleX, "text-bad"], quiet: [CircleMinus, "text-muted"] } as const;

/** The result of every check, one per line. */
export function Findings({ message }: { message: MessageSummary & { authentication: Authentication } }) {
  const { summary, findings } = explainVerdict(message);
  return (
    <div className="flex flex-col gap-2">
      <p>{summary}</p>
      <ul className="flex flex-col gap-1.5">
        {findings.map(({ tone, check, text }) => {
          const [Icon, colour] = marks[tone];
          return (
            <li key={check + text} className="flex gap-2">
              <Icon aria-hidden className={cx("mt-px size-4 shrink-0", colour)} />
              <span className="wrap-anywhere">
                <strong className="font-semibold">{check}</strong> {text}
              </span>
            </li>
          );
        })}
      </ul>
    </div>
  );
}

/** Whether the sender's domain is proven. On hover, focus and touch it explains why or why not. */
export function VerdictBadge({
  message,
  compact = false,
}: {
  message: MessageSummary & { authentication?: Authentication };
  compact?: boolean;
}) {
  const { verified, authentication } = message;
  const domain = message.verified_domain ?? hostOf(message.from);
  const foreign = foreignHost(domain);
  const words = verified ? domain : "Not proven";
  const Icon = verified ? ShieldCheck : ShieldAlert;
  return (
    <Explain
      title={verified ? `${domain} is proven` : "The sender is not proven"}
      content={
        authentication ? (
          <Findings message={{ ...message, authentication }} />
        ) : (
          <p className="max-w-64">
            {verified
              ? `The From domain ${domain} stands behind this message. Open it to see by which checks.`
              : `Nothing proves that this comes from ${domain || "the sender it names"}. Open it to see what was checked.`}
          </p>
        )
      }
    >
      <button
        type="button"
        aria-label={verified ? `Sender proven: ${domain}` : "Sender not proven"}
        className={cx(
          "relative z-10 inline-flex h-5 max-w-full items-center gap-1 rounded-full text-2xs font-medium",
          compact ? "px-1" : "px-2",
          tones[verified ? "ok" : "warn"],
        )}
      >
        <Icon aria-hidden className="size-3 shrink-0" />
        {!compact && <span className="truncate">{foreign ? `${words} (${foreign})` : words}</span>}
      </button>
    </Explain>
  );
}
