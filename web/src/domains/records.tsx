import { CircleAlert, CircleCheck, CircleDashed } from "lucide-react";
import type { Domain } from "../api/client.ts";
import { Untrusted } from "../mail/untrusted.tsx";
import { CopyButton } from "../ui/copy.tsx";
import { cx } from "../ui/cx.ts";
import { Card } from "../ui/page.tsx";
import { OtherDomain } from "./other-domain.tsx";

type Records = Domain["dns_records"];
export type RecordName = keyof Records;
type Check = NonNullable<Domain["checks"]>[number];

interface Purpose {
  type: "MX" | "TXT";
  title: string;
  purpose: string;
}

const purposes: Record<RecordName, Purpose> = {
  txt: { type: "TXT", title: "Proof", purpose: "Proves that the domain is yours." },
  mx: { type: "MX", title: "Mail in", purpose: "Sends mail for the domain to this server." },
  dkim: { type: "TXT", title: "Signature, RSA", purpose: "Lets receivers check that mail is yours and unchanged." },
  dkim_ed25519: { type: "TXT", title: "Signature, Ed25519", purpose: "The same with a newer key; optional for now." },
  spf: { type: "TXT", title: "Senders", purpose: "Names the servers that may send for the domain." },
  dmarc: { type: "TXT", title: "Policy", purpose: "Tells receivers what to do with mail that is not proven." },
};
/** The most important records first. */
const recordNames = Object.keys(purposes) as RecordName[];

/** The records to publish, each with its current state in DNS. */
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
  record: PublishedRecord;
  check: Check | undefined;
}) {
  return (
    <Card title={purpose.title} description={purpose.purpose} actions={<CheckState check={check} />}>
      <div className="flex flex-col gap-3">
        {takesMailAway(check) && check ? (
          <>
            <Found check={check} />
            <details className="text-sm">
              <summary className="cursor-pointer text-muted">The record for a domain that only agents use</summary>
              <div className="pt-3">
                <Values purpose={purpose} record={record} />
              </div>
            </details>
          </>
        ) : (
          <>
            {check && <Found check={check} />}
            <Values purpose={purpose} record={check?.merged ? { ...record, value: check.merged } : record} />
          </>
        )}
      </div>
    </Card>
  );
}

type PublishedRecord = NonNullable<Records[RecordName]> & { priority?: number };

function Values({ purpose, record }: { purpose: Purpose; record: PublishedRecord }) {
  return (
    <dl className="grid grid-cols-[max-content_minmax(0,1fr)] items-center gap-x-4 gap-y-1 text-sm">
      <dt className="text-muted">Type</dt>
      <dd className="font-mono text-xs">{purpose.type}</dd>
      <Value name="Name" value={record.name} />
      <Value name="Value" value={record.value} />
      {record.priority !== undefined && <Value name="Priority" value={String(record.priority)} />}
    </dl>
  );
}

/** Whether publishing our record would divert the domain's mail from the servers that receive it today. */
function takesMailAway(check: Check | undefined): boolean {
  return check?.record === "mx" && check.status === "mismatch" && check.advice !== undefined;
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
  missing: [CircleDashed, "text-warn", "Not published yet"],
  mismatch: [CircleAlert, "text-bad", "Has another value"],
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
  const { found = [], advice, merged, suggested_domain, lookups } = check;
  if (found.length === 0 && !advice) return null;
  return (
    <div className={cx("flex flex-col gap-2 rounded-md px-3 py-2 text-xs", advice ? "bg-warn-soft" : "bg-bad-soft")}>
      {advice && (
        <p className="text-sm">
          <Untrusted text={advice} />
        </p>
      )}
      {suggested_domain && <OtherDomain name={suggested_domain} />}
      {found.length > 0 && (
        <div>
          <p className="font-medium">{advice ? "Found:" : "Found instead:"}</p>
          <ul className="flex flex-col gap-0.5 pt-1 font-mono">
            {found.map((value) => (
              <li key={value} className="wrap-anywhere">
                <Untrusted text={value} />
              </li>
            ))}
          </ul>
        </div>
      )}
      {merged && (
        <p className="font-medium">The value below is both in one{lookups ? `, with ${lookups} look-ups` : ""}.</p>
      )}
    </div>
  );
}

/** The limit of one DNS character-string; longer text is split into several (RFC 7208 3.3). */
const STRING_BYTES = 255;

/**
 * The records that are not published yet, as a zone file (RFC 1035 5), which many providers import. Leaves out a record
 * that would divert the domain's mail, with a comment instead. A merged SPF record is a comment too: an import would
 * add it to the existing record, and SPF fails with two (RFC 7208 4.5). "" if all records are published.
 */
export function zoneFile({ dns_records, checks }: Domain): string {
  const lines = recordNames.flatMap((name) => {
    const record: PublishedRecord | undefined = dns_records[name];
    const check = checks?.find((one) => one.record === name);
    if (!record || check?.status === "ok") return [];
    const { name: owner, value, priority } = record;
    if (takesMailAway(check)) return [`; ${owner}. already has MX records, which stay as they are`];
    if (purposes[name].type === "MX") return [`${owner}. 3600 IN MX ${priority} ${value}.`];
    const line = `${owner}. 3600 IN TXT ${quoted(check?.merged ?? value)}`;
    if (!check?.merged || !check.found) return [line];
    return [`; Replace the SPF record of ${owner} with this one by hand: SPF fails if there are two.`, `; ${line}`];
  });
  return lines.length > 0 ? `${lines.join("\n")}\n` : "";
}

/** Quotes text as character-strings of a zone file (RFC 1035 5.1). Merged records contain text of others. */
function quoted(text: string): string {
  const count = Math.ceil(text.length / STRING_BYTES);
  const strings = Array.from({ length: count }, (_, i) => text.slice(i * STRING_BYTES, (i + 1) * STRING_BYTES));
  const escaped = (one: string) => one.replace(/["\\]/g, "\\$&").replace(/[^\x20-\x7e]/g, "");
  return strings.map((one) => `"${escaped(one)}"`).join(" ");
}
