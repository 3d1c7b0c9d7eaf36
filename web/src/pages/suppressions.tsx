import { useInfiniteQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { MailX, Plus, X } from "lucide-react";
import { type FormEvent, useState } from "react";
import type { Suppression } from "../api/client.ts";
import { ApiError } from "../api/problem.ts";
import { suppressionsQuery, useSuppress, useUnsuppress } from "../api/suppressions.ts";
import { useShortcuts } from "../app/shortcuts.ts";
import { Address, Untrusted } from "../mail/untrusted.tsx";
import { Badge, type Tone } from "../ui/badge.tsx";
import { Button, IconButton } from "../ui/button.tsx";
import { ConfirmDialog, Dialog } from "../ui/dialog.tsx";
import { Field, TextInput } from "../ui/field.tsx";
import { Card, Page } from "../ui/page.tsx";
import { LoadMore } from "../ui/paged.tsx";
import { EmptyState, ErrorNote, Loaded } from "../ui/states.tsx";
import { Table } from "../ui/table.tsx";
import { RelativeTime } from "../ui/time.tsx";
import { toast } from "../ui/toast.tsx";

const reasons: Record<Suppression["reason"], [Tone, string]> = {
  bounce: ["bad", "Bounced"],
  complaint: ["bad", "Complained"],
  manual: ["quiet", "By hand"],
};

/** Addresses to which no agent of the account sends mail. */
export function SuppressionsPage() {
  const query = useInfiniteQuery(suppressionsQuery);
  const remove = useUnsuppress();
  const [adding, setAdding] = useState(false);
  const [removing, setRemoving] = useState<Suppression | null>(null);
  const open = () => setAdding(true);
  useShortcuts([{ keys: "n", label: "Add an address", group: "Suppressions", run: open }]);
  const button = (
    <Button variant="primary" icon={Plus} onClick={open}>
      Add an address
    </Button>
  );

  return (
    <Page
      wide
      title="Suppressions"
      description="Mail to these addresses is refused before it leaves: they do not exist, or their owners do not want it."
      actions={button}
    >
      <Loaded query={query}>
        {(all) =>
          all.length === 0 ? (
            <EmptyState icon={MailX} title="No suppressed addresses" action={button}>
              <p>
                Addresses that bounce permanently, and people who report mail as unwanted, are added automatically.
                Writing to them again would hurt the server’s reputation.
              </p>
            </EmptyState>
          ) : (
            <Card flush>
              <Table
                label="Suppressed addresses"
                rows={all}
                keyOf={({ address }) => address}
                columns={[
                  {
                    header: "Address",
                    cell: ({ address }) => <Address address={address} className="font-medium" />,
                  },
                  {
                    header: "Why",
                    cell: ({ reason, detail, message_id }) => (
                      <div className="flex flex-col items-start gap-0.5 py-1.5">
                        <Badge tone={reasons[reason][0]}>{reasons[reason][1]}</Badge>
                        {detail && (
                          <span className="line-clamp-2 text-xs text-muted wrap-anywhere">
                            <Untrusted text={detail} />
                          </span>
                        )}
                        {message_id && (
                          <Link to="/outbox/$id" params={{ id: message_id }} className="link text-xs">
                            The message
                          </Link>
                        )}
                      </div>
                    ),
                  },
                  {
                    header: "Since",
                    secondary: true,
                    cell: ({ created_at }) => <RelativeTime at={created_at} className="whitespace-nowrap text-muted" />,
                  },
                  {
                    header: "",
                    align: "right",
                    cell: (row) => (
                      <IconButton
                        icon={X}
                        label={`Remove ${row.address} from the list`}
                        onClick={() => setRemoving(row)}
                      />
                    ),
                  },
                ]}
              />
            </Card>
          )
        }
      </Loaded>
      <LoadMore query={query} />
      {adding && <AddDialog onClose={() => setAdding(false)} />}
      {removing && (
        <ConfirmDialog
          open
          onOpenChange={() => setRemoving(null)}
          title={`Write to ${removing.address} again?`}
          action="Remove from the list"
          run={async () => {
            await remove.mutateAsync(removing.address);
            toast(`${removing.address} was removed from the list`);
          }}
        >
          <p>
            {removing.reason === "complaint"
              ? "The recipient reported your mail as unwanted. Write again only if they ask you to."
              : "An address that bounced may bounce again, which hurts the server’s reputation."}
          </p>
        </ConfirmDialog>
      )}
    </Page>
  );
}

function AddDialog({ onClose }: { onClose: () => void }) {
  const suppress = useSuppress();
  const [address, setAddress] = useState("");
  const [detail, setDetail] = useState("");
  const problem = suppress.error instanceof ApiError ? suppress.error : null;
  const submit = async (event: FormEvent) => {
    event.preventDefault();
    await suppress.mutateAsync({
      address: address.trim(),
      ...(detail.trim() && { detail: detail.trim() }),
    });
    toast(`${address.trim()} no longer gets mail`);
    onClose();
  };
  return (
    <Dialog
      open
      onOpenChange={(open) => !open && onClose()}
      title="Suppress an address"
      description="No agent of the account can write to it until it is removed from the list."
      footer={
        <>
          <Button onClick={onClose}>Cancel</Button>
          <Button
            type="submit"
            form="suppress"
            variant="primary"
            busy={suppress.isPending}
            disabled={address.trim() === ""}
          >
            Suppress address
          </Button>
        </>
      }
    >
      <form
        id="suppress"
        className="flex flex-col gap-4"
        noValidate
        onSubmit={(event) => void submit(event).catch(() => {})}
      >
        <Field label="Address" error={problem?.field("address")}>
          {(control) => (
            <TextInput
              {...control}
              type="email"
              placeholder="ann@example.com"
              value={address}
              onChange={(event) => setAddress(event.target.value)}
            />
          )}
        </Field>
        <Field label="Note" optional error={problem?.field("detail")}>
          {(control) => (
            <TextInput
              {...control}
              maxLength={500}
              placeholder="Asked us to stop."
              value={detail}
              onChange={(event) => setDetail(event.target.value)}
            />
          )}
        </Field>
        {problem && problem.errors.length === 0 && <ErrorNote error={problem} />}
      </form>
    </Dialog>
  );
}
