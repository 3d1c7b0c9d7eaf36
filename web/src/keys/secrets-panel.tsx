import { Plus, Trash2 } from "lucide-react";
import { useState } from "react";
import { useCreateSecret, useDeleteSecret, useSecrets } from "../api/api-keys.ts";
import type { SigningSecret } from "../api/client.ts";
import { Badge } from "../ui/badge.tsx";
import { Button, IconButton } from "../ui/button.tsx";
import { ConfirmDialog, Dialog } from "../ui/dialog.tsx";
import { Field, TextInput } from "../ui/field.tsx";
import { Card } from "../ui/page.tsx";
import { ErrorNote, Loaded } from "../ui/states.tsx";
import { Table } from "../ui/table.tsx";
import { RelativeTime, useNow } from "../ui/time.tsx";
import { toast } from "../ui/toast.tsx";
import { ShownOnce } from "./once.tsx";

/** How long a secret keeps signing after a new one has replaced it. */
const OVERLAP_MS = 24 * 3_600_000;

/** The secrets that sign deliveries, and how to change them without losing a message. */
export function SecretsPanel() {
  const secrets = useSecrets();
  const [creating, setCreating] = useState(false);
  const [deleting, setDeleting] = useState<SigningSecret | null>(null);
  const remove = useDeleteSecret();
  return (
    <Card
      title="Signing secrets"
      description="They sign each delivery, so that receivers can verify that it comes from this server."
      actions={
        <Button size="sm" icon={Plus} onClick={() => setCreating(true)}>
          New secret
        </Button>
      }
      flush
    >
      <Loaded query={secrets}>
        {(all) => (
          <Table
            label="Signing secrets"
            rows={all}
            keyOf={({ id }) => id}
            columns={[
              {
                header: "Secret",
                cell: ({ name, secret_prefix }) => (
                  <div className="flex flex-col py-1.5">
                    <span className="font-medium">{name || "No name"}</span>
                    <code className="font-mono text-xs text-muted">{secret_prefix}…</code>
                  </div>
                ),
              },
              { header: "State", cell: (secret) => <SecretState secret={secret} all={all} /> },
              {
                header: "Created",
                secondary: true,
                cell: ({ created_at }) => <RelativeTime at={created_at} className="whitespace-nowrap text-muted" />,
              },
              {
                header: "Last signed",
                secondary: true,
                cell: ({ last_signed_at: at }) =>
                  at ? (
                    <RelativeTime at={at} className="whitespace-nowrap text-muted" />
                  ) : (
                    <span className="text-muted">Never</span>
                  ),
              },
              {
                header: "",
                align: "right",
                cell: (secret) =>
                  all.length > 1 && (
                    <IconButton
                      icon={Trash2}
                      label={`Delete ${secret.name || secret.secret_prefix}`}
                      onClick={() => setDeleting(secret)}
                    />
                  ),
              },
            ]}
          />
        )}
      </Loaded>
      <div className="border-t border-line px-4 py-3 text-sm text-muted">
        <h3 className="pb-1 text-sm font-medium text-ink">To change the secret without losing a message</h3>
        <ol className="flex max-w-prose list-decimal flex-col gap-0.5 pl-5">
          <li>Make a new secret here. It signs at once; the previous one also signs for another 24 hours.</li>
          <li>Give it to your receivers within that day. Every request has both signatures, so either secret works.</li>
          <li>Delete the old secret when it no longer signs.</li>
        </ol>
      </div>
      {creating && <NewSecretDialog onClose={() => setCreating(false)} />}
      {deleting && (
        <ConfirmDialog
          open
          onOpenChange={() => setDeleting(null)}
          title={`Delete ${deleting.name || deleting.secret_prefix}?`}
          action="Delete secret"
          run={async () => {
            await remove.mutateAsync(deleting.id);
            toast("The secret is deleted");
          }}
        >
          <p>
            {deleting.id === secrets.data?.[0]?.id
              ? "This is the current secret. The previous one will sign instead, and receivers that know only this one will reject everything."
              : "Receivers that know only this secret will reject everything from now on."}
          </p>
        </ConfirmDialog>
      )}
    </Card>
  );
}

function SecretState({ secret, all }: { secret: SigningSecret; all: readonly SigningSecret[] }) {
  const now = useNow();
  const successor = all[all.indexOf(secret) - 1];
  if (!successor) return <Badge tone="ok">Signs</Badge>;
  const until = new Date(Date.parse(successor.created_at) + OVERLAP_MS);
  if (until <= now) return <Badge>No longer signs</Badge>;
  return (
    <span className="inline-flex flex-wrap items-center gap-x-1.5 text-xs">
      <Badge tone="info">Also signs</Badge>
      <span className="text-muted">
        ends <RelativeTime at={until.toISOString()} upcoming />
      </span>
    </span>
  );
}

function NewSecretDialog({ onClose }: { onClose: () => void }) {
  const create = useCreateSecret();
  const [name, setName] = useState("");
  if (create.data)
    return (
      <ShownOnce title="The new signing secret" secret={create.data.secret} onClose={onClose}>
        <p>
          It signs from now on. The previous secret also signs for another 24 hours. Standard Webhooks libraries take it
          as <code className="font-mono text-xs">whsec_</code> and the Base64 of these 64 characters.
        </p>
      </ShownOnce>
    );
  return (
    <Dialog
      open
      onOpenChange={(open) => !open && onClose()}
      title="New signing secret"
      description="An account can have five."
      footer={
        <>
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" form="secret" variant="primary" busy={create.isPending}>
            Create secret
          </Button>
        </>
      }
    >
      <form
        id="secret"
        className="flex flex-col gap-4"
        onSubmit={(event) => {
          event.preventDefault();
          create.mutate(name.trim());
        }}
      >
        <Field label="Name" optional hint="Helps you recognize it later.">
          {(control) => (
            <TextInput
              {...control}
              maxLength={100}
              placeholder={String(new Date().getFullYear())}
              value={name}
              onChange={(event) => setName(event.target.value)}
            />
          )}
        </Field>
        {create.error && <ErrorNote error={create.error} />}
      </form>
    </Dialog>
  );
}
