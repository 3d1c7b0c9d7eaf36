import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { getRouteApi, Link, useNavigate } from "@tanstack/react-router";
import { Ellipsis, FlaskConical, Pencil, Power, Trash2 } from "lucide-react";
import { useState } from "react";
import type { Webhook } from "../api/client.ts";
import { deliveriesQuery, deliveryQuery } from "../api/deliveries.ts";
import { useChangeWebhook, useDeleteWebhook, useTestWebhook, webhookQuery } from "../api/webhooks.ts";
import { Badge } from "../ui/badge.tsx";
import { Button, IconButton } from "../ui/button.tsx";
import { CodeBlock, CopyValue } from "../ui/copy.tsx";
import { ConfirmDialog } from "../ui/dialog.tsx";
import { Menu } from "../ui/menu.tsx";
import { Card, Facts, Page } from "../ui/page.tsx";
import { Loaded } from "../ui/states.tsx";
import { RelativeTime } from "../ui/time.tsx";
import { toast, toastError } from "../ui/toast.tsx";
import { DeliveryRow } from "../webhooks/delivery-row.tsx";
import { WebhookForm } from "../webhooks/form.tsx";
import { EndpointBadge, EndpointTrouble, webhookState } from "../webhooks/state.tsx";
import { DeliveryStatus } from "../webhooks/status.tsx";
import { Tries } from "../webhooks/tries.tsx";

const route = getRouteApi("/webhooks/$id");
/** How many of the latest deliveries are shown; the rest is in the log. */
const LATEST = 8;

/** One webhook: its state, what it receives, how to test it, and its latest deliveries. */
export function WebhookPage() {
  const { id } = route.useParams();
  const webhook = useQuery(webhookQuery(id));
  return (
    <Page
      title={webhook.data?.url ?? "Webhook"}
      description={webhook.data?.description}
      actions={webhook.data && <Actions webhook={webhook.data} />}
    >
      <Loaded query={webhook}>
        {(data) => (
          <>
            <EndpointTrouble state={webhookState(data)} />
            <Card title="What it receives">
              <Facts
                facts={[
                  ["State", <EndpointBadge key="state" state={webhookState(data)} />],
                  ["Events", <Names key="events" names={data.events} all="All types, including future ones" />],
                  [
                    "About",
                    <Names key="agents" names={data.agents} all="All agents, and events that are not about an agent" />,
                  ],
                  ["Id", <CopyValue key="id" value={data.id} label="Copy the id" />],
                  ["Created", <RelativeTime key="created" at={data.created_at} />],
                ]}
              />
            </Card>
            <Latest id={id} />
            <Verification />
          </>
        )}
      </Loaded>
    </Page>
  );
}

function Names({ names, all }: { names: readonly string[]; all: string }) {
  if (names.length === 0) return all;
  return (
    <span className="flex flex-wrap gap-1">
      {names.map((name) => (
        <Badge key={name}>{name}</Badge>
      ))}
    </span>
  );
}

function Actions({ webhook }: { webhook: Webhook }) {
  const { id, status } = webhook;
  const navigate = useNavigate();
  const change = useChangeWebhook(id);
  const remove = useDeleteWebhook(id);
  const test = useTestWebhook(id);
  const [editing, setEditing] = useState(false);
  const [deleting, setDeleting] = useState(false);
  const enabled = status === "enabled";
  const flip = () =>
    change.mutate(
      { status: enabled ? "disabled" : "enabled" },
      {
        onSuccess: () => toast(enabled ? "Disabled: new events wait" : "Enabled: waiting events are delivered"),
        onError: toastError,
      },
    );

  return (
    <>
      <Button
        icon={FlaskConical}
        busy={test.isPending}
        onClick={() => test.mutate(undefined, { onSuccess: () => toast("Test event queued"), onError: toastError })}
      >
        Send a test
      </Button>
      {!enabled && (
        <Button variant="primary" icon={Power} busy={change.isPending} onClick={flip}>
          Enable
        </Button>
      )}
      <Button icon={Pencil} onClick={() => setEditing(true)}>
        Change
      </Button>
      <Menu
        trigger={<IconButton icon={Ellipsis} label="More" />}
        items={[
          ...(enabled ? [{ label: "Disable", icon: Power, onSelect: flip }] : []),
          { label: "Delete", icon: Trash2, danger: true, onSelect: () => setDeleting(true) },
        ]}
      />
      {test.data && <TestResult key={test.data.id} id={test.data.id} />}
      {editing && (
        <WebhookForm
          webhook={webhook}
          onClose={() => setEditing(false)}
          save={(wanted) => change.mutateAsync(wanted)}
        />
      )}
      <ConfirmDialog
        open={deleting}
        onOpenChange={setDeleting}
        title="Delete this webhook?"
        action="Delete webhook"
        run={async () => {
          await remove.mutateAsync();
          toast("The webhook is deleted");
          await navigate({ to: "/webhooks" });
        }}
      >
        <p>Waiting events are not delivered, and the log of its deliveries is deleted too. Disabling keeps both.</p>
      </ConfirmDialog>
    </>
  );
}

/** The outcome of the test, once it is known. */
function TestResult({ id }: { id: string }) {
  const delivery = useQuery(deliveryQuery(id));
  return (
    <section aria-label="The test" className="flex w-full flex-col gap-2">
      {delivery.data && (
        <>
          <p role="status" className="flex items-center gap-2 text-sm">
            The test: <DeliveryStatus status={delivery.data.status} />
            <Link to="/deliveries/$id" params={{ id }} className="link text-xs">
              In the log
            </Link>
          </p>
          <Tries delivery={delivery.data} />
        </>
      )}
    </section>
  );
}

function Latest({ id }: { id: string }) {
  const query = useInfiniteQuery(deliveriesQuery({ webhook: id }));
  return (
    <Card
      title="Latest deliveries"
      actions={
        <Link to="/deliveries" search={{ endpoint: id }} className="link text-xs">
          All deliveries
        </Link>
      }
      flush
    >
      <Loaded query={query}>
        {(all) =>
          all.length === 0 ? (
            <p className="px-4 py-6 text-sm text-muted">Nothing yet. Send a test, or wait for an event that it gets.</p>
          ) : (
            <ul aria-label="Latest deliveries" className="border-t border-line">
              {all.slice(0, LATEST).map((delivery) => (
                <li key={delivery.id}>
                  <DeliveryRow delivery={delivery} showEndpoint={false} />
                </li>
              ))}
            </ul>
          )
        }
      </Loaded>
    </Card>
  );
}

const verify = `import { Webhook } from "standardwebhooks";

// The signing secret's 64 characters, as this dashboard showed them once.
const key = "whsec_" + Buffer.from(process.env.E2A_WEBHOOK_SECRET).toString("base64");

// body: the raw bytes of the request, before any parsing
const event = new Webhook(key).verify(body, headers); // throws unless the signature is valid and recent
`;

function Verification() {
  return (
    <Card
      title="Verify the signature"
      description="Signed according to Standard Webhooks, so any of their libraries can verify it."
      actions={
        <Link to="/keys" className="link text-xs">
          Signing secrets
        </Link>
      }
    >
      <CodeBlock code={verify} label="verification" />
    </Card>
  );
}
