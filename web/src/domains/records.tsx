import { CircleAlert, CircleCheck, CircleDashed } from "lucide-react";
import type { Domain } from "../api/client.ts";
import { Untrusted } from "../mail/untrusted.tsx";
import { CopyButton } from "../ui/copy.tsx";
import { cx } from "../ui/cx.ts";
import { Card } from "../ui/page.tsx";

type Records = Domain["dns_records"];
export type RecordName = keyof Records;
type Check = NonNullable<Domain["checks"]>[number];

interface Purpose {
  type: "MX" | "TXT";
  title: string;
  purpose: string;
}

const purposes: Record<RecordName, Purpose> = {
  txt: { type: "TXT", title: "Proof", purpose: "Says that the domain is yours." },
  mx: { type: "MX", title: "Mail in", purpose: "Sends mail for the domain to this server." },
  dkim: { type: "TXT", title: "Signature, RSA", purpose: "Lets receivers check that mail is yours and unchanged." },
  dkim_ed25519: { type: "TXT", title: "Signature, Ed25519", purpose: "The same with a newer key; optional for now." },
  spf: { type: "TXT", title: "Senders", purpose: "Names the servers that may send for the domain." },
  dmarc: { type: "TXT", title: "Policy", purpose: "Tells receivers what to do with mail that is not proven." },
};
/** In the order of what matters first. */
export const recordNames = Object.keys(purposes) as RecordName[];

/** The records to publish, each with what DNS says of it now. */
export function RecordList({ domain }: { domain: Domain }) {
  return (
    <ul aria-label="DNS records" className="flex flex-col gap-4">
      {recordNames.map((name) => {
        const record = domain.dns_records[name];
        const check = domain.checks?.find((one) => one.record === name);
        return (
          record && (
            <li key={name}>
              <RecordCard purpose={purposes[name]} record={record} check={check} />
            </li>
          )
        );
      })}
    </ul>
  );
}

function RecordCard({
  purpose,
  record,
  check,
}: {
  purpose: Purpose;
  record: NonNullable<Records[RecordName]> & { priority?: number };
  check: Check | undefined;
}) {
  return (
    <Card title={purpose.title} description={purpose.purpose} actions={<CheckState check={check} />}>
      <div className="flex flex-col gap-3">
        <dl className="grid grid-cols-[max-content_minmax(0,1fr)] items-center gap-x-4 gap-y-1 text-sm">
          <dt className="text-muted">Type</dt>
          <dd className="font-mono text-xs">{purpose.type}</dd>
          <Value name="Name" value={record.host} />
          <Value name="Value" value={record.value} />
          {record.priority !== undefined && <Value name="Priority" value={String(record.priority)} />}
        </dl>
        {check && <Found check={check} />}
      </div>
    </Card>
  );
}

function Value({ name, value }: { name: string; value: string }) {
  return (
    <>
      <dt className="text-muted">{name}</dt>
      <dd className="flex min-w-0 items-start gap-1 rounded-md border border-line bg-sunken py-0.5 pr-0.5 pl-2.5">
        <code className="min-w-0 flex-1 py-1 font-mono text-xs wrap-anywhere">{value}</code>
        <CopyButton text={value} label={`Copy the ${name.toLowerCase()}`} />
      </dd>
    </>
  );
}

const states = {
  ok: [CircleCheck, "text-ok", "Published"],
  missing: [CircleDashed, "text-warn", "Not there yet"],
  mismatch: [CircleAlert, "text-bad", "Something else is there"],
} as const;

function CheckState({ check }: { check: Check | undefined }) {
  if (!check) return null;
  const [Icon, colour, words] = check.error ? ([CircleAlert, "text-warn", "Not known"] as const) : states[check.status];
  return (
    <span className={cx("inline-flex items-center gap-1.5 text-xs font-medium whitespace-nowrap", colour)}>
      <Icon aria-hidden className="size-4" />
      {words}
    </span>
  );
}

function Found({ check }: { check: Check }) {
  if (check.error) return <p className="text-xs text-warn">{check.error}</p>;
  if (check.status !== "mismatch") return null;
  return (
    <div className="rounded-md bg-bad-soft px-3 py-2 text-xs">
      <p className="font-medium">Found instead:</p>
      <ul className="flex flex-col gap-0.5 pt-1 font-mono">
        {check.found?.map((value) => (
          <li key={value} className="wrap-anywhere">
            <Untrusted text={value} />
          </li>
        ))}
      </ul>
    </div>
  );
}

/** A string of DNS holds so many bytes; longer text is several of them (RFC 7208 3.3). */
const STRING_BYTES = 255;

/** All records in the form of a zone file (RFC 1035 5), which many providers take as it is. */
export function zoneFile({ dns_records }: Domain): string {
  const lines = recordNames.flatMap((name) => {
    const record: (Records[RecordName] & { priority?: number }) | undefined = dns_records[name];
    if (!record) return [];
    if (purposes[name].type === "MX") return [`${record.host}. 3600 IN MX ${record.priority} ${record.value}.`];
    const strings = record.value.match(new RegExp(`.{1,${STRING_BYTES}}`, "g")) ?? [];
    return [`${record.host}. 3600 IN TXT ${strings.map((one) => `"${one}"`).join(" ")}`];
  });
  return `${lines.join("\n")}\n`;
}
