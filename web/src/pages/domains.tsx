import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate } from "@tanstack/react-router";
import { Globe, Plus } from "lucide-react";
import { type FormEvent, useState } from "react";
import { useInfo } from "../api/account.ts";
import type { Domain } from "../api/client.ts";
import { domainQuery, useCreateDomain, useDomains } from "../api/domains.ts";
import { ApiError } from "../api/problem.ts";
import { useShortcuts } from "../app/shortcuts.ts";
import { Badge } from "../ui/badge.tsx";
import { Button } from "../ui/button.tsx";
import { Dialog } from "../ui/dialog.tsx";
import { Field, TextInput } from "../ui/field.tsx";
import { Card, Page } from "../ui/page.tsx";
import { EmptyState, ErrorNote, Loaded } from "../ui/states.tsx";
import { type Column, Table } from "../ui/table.tsx";
import { RelativeTime } from "../ui/time.tsx";

/** How long the list keeps the result of a DNS check. */
const CHECKED_MS = 60_000;

const columns: Column<Domain>[] = [
  {
    header: "Domain",
    cell: ({ domain }) => (
      <Link
        to="/domains/$domain"
        params={{ domain }}
        className="font-medium wrap-anywhere after:absolute after:inset-0"
      >
        {domain}
      </Link>
    ),
  },
  { header: "Ownership", cell: (domain) => <DomainState domain={domain} /> },
  { header: "Records", cell: (domain) => <RecordsState domain={domain} /> },
  {
    header: "Added",
    secondary: true,
    align: "right",
    cell: ({ created_at }) => <RelativeTime at={created_at} className="whitespace-nowrap text-muted" />,
  },
];

export function DomainState({ domain: { verified, paused } }: { domain: Domain }) {
  return (
    <span className="inline-flex flex-wrap gap-1">
      {verified ? <Badge tone="ok">Proven</Badge> : <Badge tone="warn">Not proven</Badge>}
      {paused && <Badge tone="warn">Paused</Badge>}
    </span>
  );
}

/** How many of a domain's records are right now: a proven domain can still lack all the records that mail needs. */
function RecordsState({ domain: { domain } }: { domain: Domain }) {
  const { data, isPending } = useQuery({ ...domainQuery(domain), refetchInterval: false, staleTime: CHECKED_MS });
  const checks = data?.checks ?? [];
  const right = checks.filter(({ status }) => status === "ok").length;
  if (checks.length === 0) return <span className="text-muted">{isPending ? "Looking …" : "Not known"}</span>;
  const all = right === checks.length;
  return <Badge tone={all ? "ok" : "warn"}>{all ? "All correct" : `${right} of ${checks.length} correct`}</Badge>;
}

/** The domains at which agents can have addresses. */
export function DomainsPage() {
  const domains = useDomains();
  const info = useInfo();
  const [form, setForm] = useState(false);
  const open = () => setForm(true);
  useShortcuts([{ keys: "n", label: "Add a domain", group: "Domains", run: open }]);
  const button = (
    <Button variant="primary" icon={Plus} onClick={open}>
      Add a domain
    </Button>
  );
  const shared = info.data?.shared_domain;

  return (
    <Page title="Domains" description="Agents can have addresses at any domain whose DNS you control." actions={button}>
      <Loaded query={domains}>
        {(all) =>
          all.length === 0 ? (
            <EmptyState icon={Globe} title="No domain of your own yet" action={button}>
              <p>
                Agents work without one, at the server’s shared domain. With your own, they write as you: add it,
                publish the records that are shown, and verify.
              </p>
            </EmptyState>
          ) : (
            <Card flush>
              <Table label="Domains" columns={columns} rows={all} keyOf={({ domain }) => domain} />
            </Card>
          )
        }
      </Loaded>
      {shared && (
        <Card
          title="The server’s shared domain"
          description="Any account’s agents can have an address here, without DNS."
        >
          <Link to="/domains/$domain" params={{ domain: shared }} className="link text-sm font-medium">
            {shared}
          </Link>
        </Card>
      )}
      {form && <AddDialog onClose={() => setForm(false)} />}
    </Page>
  );
}

function AddDialog({ onClose }: { onClose: () => void }) {
  const navigate = useNavigate();
  const create = useCreateDomain();
  const [name, setName] = useState("");
  const problem = create.error instanceof ApiError ? create.error : null;
  const submit = async (event: FormEvent) => {
    event.preventDefault();
    const { domain } = await create.mutateAsync(name.trim());
    void navigate({ to: "/domains/$domain", params: { domain } });
  };
  return (
    <Dialog
      open
      onOpenChange={(open) => !open && onClose()}
      title="Add a domain"
      description="This makes its keys and shows the records to publish. Nothing changes for its mail until you publish them."
      footer={
        <>
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" form="domain" variant="primary" busy={create.isPending} disabled={name.trim() === ""}>
            Add domain
          </Button>
        </>
      }
    >
      <form
        id="domain"
        className="flex flex-col gap-4"
        noValidate
        onSubmit={(event) => void submit(event).catch(() => {})}
      >
        <Field
          label="Domain"
          error={problem?.field("domain")}
          hint="A subdomain such as agents.example.com leaves the mail of example.com as it is."
        >
          {(control) => (
            <TextInput
              {...control}
              autoCapitalize="none"
              autoComplete="off"
              spellCheck={false}
              placeholder="agents.example.com"
              value={name}
              onChange={(event) => setName(event.target.value)}
            />
          )}
        </Field>
        {problem && !problem.field("domain") && <ErrorNote error={problem} />}
      </form>
    </Dialog>
  );
}
