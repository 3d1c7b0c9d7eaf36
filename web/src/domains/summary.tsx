import { CircleAlert, CircleCheck, CircleDashed } from "lucide-react";
import type { Domain } from "../api/client.ts";
import { cx } from "../ui/cx.ts";
import type { RecordName } from "./records.tsx";

type State = "ok" | "missing" | "unknown";

/** The abilities of a domain, and the records that each one requires. */
const abilities: readonly { name: string; records: readonly RecordName[]; ok: string; missing: string }[] = [
  { name: "Incoming mail", records: ["mx"], ok: "arrives here", missing: "does not arrive here" },
  { name: "The DKIM signature", records: ["dkim"], ok: "can be checked", missing: "cannot be checked" },
  { name: "SPF", records: ["spf"], ok: "allows this server", missing: "does not allow this server" },
  { name: "A DMARC policy", records: ["dmarc"], ok: "is published", missing: "is not published" },
];

/** Shows whether a domain's ownership is proven, and which abilities work. "Verified" is only the first line. */
export function DomainSummary({ domain }: { domain: Domain }) {
  const stateOf = (records: readonly RecordName[]): State => {
    const checks = domain.checks?.filter(({ record }) => records.includes(record)) ?? [];
    if (checks.length === 0 || checks.some(({ error }) => error)) return "unknown";
    return checks.every(({ status }) => status === "ok") ? "ok" : "missing";
  };
  return (
    <ul aria-label="What works" className="grid max-w-2xl gap-x-6 gap-y-1.5 text-sm sm:grid-cols-2">
      <Line
        state={domain.verified ? "ok" : "missing"}
        name="Ownership"
        words={domain.verified ? "is proven" : "is not proven"}
      />
      {abilities.map(({ name, records, ok, missing }) => {
        const state = stateOf(records);
        return (
          <Line key={name} state={state} name={name} words={{ ok, missing, unknown: "is not known now" }[state]} />
        );
      })}
    </ul>
  );
}

const icons = {
  ok: [CircleCheck, "text-ok"],
  missing: [CircleAlert, "text-bad"],
  unknown: [CircleDashed, "text-warn"],
} as const;

function Line({ state, name, words }: { state: State; name: string; words: string }) {
  const [Icon, colour] = icons[state];
  return (
    <li className="flex items-start gap-2">
      <Icon aria-hidden className={cx("mt-0.5 size-4 shrink-0", colour)} />
      <span>
        <span className="font-medium">{name}</span> {words}
      </span>
    </li>
  );
}
