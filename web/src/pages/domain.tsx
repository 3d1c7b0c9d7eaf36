import { useQuery } from "@tanstack/react-query";
import { getRouteApi, Link, useNavigate } from "@tanstack/react-router";
import { BadgeCheck, CircleCheck, Plus, RotateCw } from "lucide-react";
import { useState } from "react";
import { useInfo } from "../api/account.ts";
import type { Domain } from "../api/client.ts";
import { domainQuery, useDeleteDomain, usePauseDomain, useVerifyDomain } from "../api/domains.ts";
import { RecordList, zoneFile } from "../domains/records.tsx";
import { DomainSummary } from "../domains/summary.tsx";
import { announce } from "../ui/announce.ts";
import { Button, buttonClass } from "../ui/button.tsx";
import { CodeBlock } from "../ui/copy.tsx";
import { ConfirmDialog } from "../ui/dialog.tsx";
import { Switch } from "../ui/field.tsx";
import { Card, Page } from "../ui/page.tsx";
import { ErrorNote, Loaded } from "../ui/states.tsx";
import { RelativeTime } from "../ui/time.tsx";
import { toast, toastError } from "../ui/toast.tsx";
import { DomainState } from "./domains.tsx";

const route = getRouteApi("/domains/$domain");

/** A domain: the records to publish, their state in DNS, pause and deletion. */
export function DomainPage() {
  const { domain: name } = route.useParams();
  const domain = useQuery(domainQuery(name));
  const shared = useInfo().data?.shared_domain === name;
  const verify = useVerifyDomain(name);
  const check = async () => {
    const { data } = await domain.refetch();
    const wrong = data?.checks?.filter(({ status }) => status !== "ok").length ?? 0;
    announce(wrong === 0 ? "All records are right" : `${wrong} records are not right yet`);
  };

  return (
    <Page
      title={name}
      actions={
        domain.data && (
          <>
            <Button icon={RotateCw} busy={domain.isFetching} onClick={() => void check()}>
              Look again
            </Button>
            {!domain.data.verified && (
              <Button
                variant="primary"
                icon={BadgeCheck}
                busy={verify.isPending}
                onClick={() =>
                  verify.mutate(undefined, {
                    onSuccess: () =>
                      toast(
                        `${name} is verified`,
                        "You have proven that it is yours. Below is what its mail still needs.",
                      ),
                  })
                }
              >
                Verify
              </Button>
            )}
          </>
        )
      }
    >
      <Loaded query={domain}>
        {(data) => (
          <>
            {verify.error && <ErrorNote error={verify.error} />}
            {shared ? (
              <p className="max-w-prose text-sm text-muted">
                The server’s own domain. Mail from outside reaches it, and other servers trust its mail, once the
                server’s operator has published these records.
              </p>
            ) : (
              <Progress domain={data} />
            )}
            <RecordList domain={data} />
            {zoneFile(data) && (
              <Card
                title="All missing records"
                description="As a zone file, which many providers can import. It leaves the domain’s other records alone."
              >
                <CodeBlock code={zoneFile(data)} label="zone file" />
              </Card>
            )}
            {!shared && <Control domain={data} />}
          </>
        )}
      </Loaded>
    </Page>
  );
}

function Progress({ domain }: { domain: Domain }) {
  const wrong = domain.checks?.filter(({ status }) => status !== "ok").length ?? 0;
  return (
    <div className="flex flex-col gap-3">
      <div className="flex flex-wrap items-center gap-3 text-sm">
        {domain.paused && <DomainState domain={domain} />}
        {domain.verified_at && (
          <span className="text-xs text-muted">
            Verified <RelativeTime at={domain.verified_at} />
          </span>
        )}
      </div>
      <DomainSummary domain={domain} />
      {!domain.verified ? (
        <ol className="flex max-w-prose list-decimal flex-col gap-1 pl-5 text-sm text-muted">
          <li>Copy the records below to your DNS provider.</li>
          <li>
            Wait until they show up here: this page checks again automatically. It can take minutes, rarely hours.
          </li>
          <li>Press Verify. This needs only the proof; the other records make mail arrive and be trusted.</li>
        </ol>
      ) : wrong > 0 ? (
        <p className="max-w-prose text-sm text-muted">
          Verified means only that the domain is yours. {wrong} of {domain.checks?.length} records are not right yet:
          until they are, mail may not arrive, or may be treated as spam.
        </p>
      ) : (
        <p className="flex flex-wrap items-center gap-x-3 gap-y-2 text-sm">
          <CircleCheck aria-hidden className="size-4 text-ok" /> Everything is in place.
          <Link to="/agents/new" className={buttonClass("default", "sm")}>
            <Plus aria-hidden className="size-4" /> New agent
          </Link>
        </p>
      )}
    </div>
  );
}

function Control({ domain }: { domain: Domain }) {
  const { domain: name, paused } = domain;
  const navigate = useNavigate();
  const pause = usePauseDomain(name);
  const remove = useDeleteDomain(name);
  const [deleting, setDeleting] = useState(false);
  return (
    <>
      <Card>
        <Switch
          label="Pause"
          hint="Outbound mail of all its agents waits, in order. Inbound mail is still received."
          checked={paused}
          onChange={(next) => pause.mutate(next, { onError: toastError })}
        />
      </Card>
      <Card title="Delete this domain" description="Possible only when no agent has an address at it.">
        <Button variant="danger" onClick={() => setDeleting(true)}>
          Delete domain
        </Button>
        <ConfirmDialog
          open={deleting}
          onOpenChange={setDeleting}
          title={`Delete ${name}?`}
          action="Delete domain"
          run={async () => {
            await remove.mutateAsync();
            toast(`${name} is deleted`);
            await navigate({ to: "/domains" });
          }}
        >
          <p>Its signing keys are deleted too. If you add it again, it gets new keys and needs new records.</p>
        </ConfirmDialog>
      </Card>
    </>
  );
}
