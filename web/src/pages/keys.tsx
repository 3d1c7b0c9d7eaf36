import { KeyRound, Plus } from "lucide-react";
import { useState } from "react";
import { useApiKeys, useRevokeKey } from "../api/api-keys.ts";
import type { ApiKey } from "../api/client.ts";
import { useShortcuts } from "../app/shortcuts.ts";
import { NewKeyDialog } from "../keys/new-key.tsx";
import { SecretsPanel } from "../keys/secrets-panel.tsx";
import { Badge } from "../ui/badge.tsx";
import { Button } from "../ui/button.tsx";
import { ConfirmDialog } from "../ui/dialog.tsx";
import { Card, Page } from "../ui/page.tsx";
import { EmptyState, Loaded } from "../ui/states.tsx";
import { Table } from "../ui/table.tsx";
import { RelativeTime, useNow } from "../ui/time.tsx";
import { toast } from "../ui/toast.tsx";

/** The API keys of programs, and the secrets with which they verify deliveries. */
export function KeysPage() {
  const keys = useApiKeys();
  const revoke = useRevokeKey();
  const [creating, setCreating] = useState(false);
  const [revoking, setRevoking] = useState<ApiKey | null>(null);
  const open = () => setCreating(true);
  useShortcuts([{ keys: "n", label: "New API key", group: "Keys", run: open }]);
  const button = (
    <Button variant="primary" icon={Plus} onClick={open}>
      New key
    </Button>
  );

  return (
    <Page
      wide
      title="Keys and secrets"
      description="API keys give programs access. Signing secrets let them verify what this server sends them."
      actions={button}
    >
      <Loaded query={keys}>
        {(all) =>
          all.length === 0 ? (
            <EmptyState icon={KeyRound} title="No API keys yet" action={button}>
              <p>
                A program that uses an agent needs a key. A key for that one agent is enough, and does little harm if it
                leaks.
              </p>
            </EmptyState>
          ) : (
            <Card title="API keys" flush>
              <Table
                label="API keys"
                rows={all}
                keyOf={({ id }) => id}
                columns={[
                  {
                    header: "Key",
                    cell: ({ name, key_prefix }) => (
                      <div className="flex flex-col py-1.5">
                        <span className="font-medium wrap-anywhere">{name || "No name"}</span>
                        <code className="font-mono text-xs text-muted">{key_prefix}…</code>
                      </div>
                    ),
                  },
                  {
                    header: "May use",
                    cell: ({ agent }) =>
                      agent ? <span className="wrap-anywhere">{agent}</span> : <Badge tone="accent">Account</Badge>,
                  },
                  {
                    header: "Last used",
                    secondary: true,
                    cell: ({ last_used_at: at }) =>
                      at ? (
                        <RelativeTime at={at} className="whitespace-nowrap text-muted" />
                      ) : (
                        <span className="text-muted">Never</span>
                      ),
                  },
                  { header: "Ends", secondary: true, cell: ({ expires_at }) => <Ends at={expires_at} /> },
                  {
                    header: "",
                    align: "right",
                    cell: (key) => (
                      <Button
                        size="sm"
                        variant="danger"
                        aria-label={`Revoke ${key.name || key.key_prefix}`}
                        onClick={() => setRevoking(key)}
                      >
                        Revoke
                      </Button>
                    ),
                  },
                ]}
              />
            </Card>
          )
        }
      </Loaded>
      <SecretsPanel />
      {creating && <NewKeyDialog onClose={() => setCreating(false)} />}
      {revoking && (
        <ConfirmDialog
          open
          onOpenChange={() => setRevoking(null)}
          title={`Revoke ${revoking.name || revoking.key_prefix}?`}
          action="Revoke key"
          run={async () => {
            await revoke.mutateAsync(revoking.id);
            toast("The key is revoked");
          }}
        >
          <p>
            It stops working at once, also for open WebSockets and for browsers that signed in with it. Programs that
            use it are refused from then on.
          </p>
        </ConfirmDialog>
      )}
    </Page>
  );
}

function Ends({ at }: { at: string | null }) {
  const now = useNow();
  if (!at) return <span className="text-muted">Never</span>;
  if (new Date(at) <= now) return <Badge tone="warn">Expired</Badge>;
  return <RelativeTime at={at} upcoming className="whitespace-nowrap text-muted" />;
}
