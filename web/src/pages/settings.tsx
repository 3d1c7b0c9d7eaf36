import { Link } from "@tanstack/react-router";
import { Download, Monitor, Moon, Sun } from "lucide-react";
import { useState } from "react";
import { SessionsPanel } from "../account/sessions-panel.tsx";
import { useDeleteAccount, useInfo, useMe, usePauseAccount } from "../api/account.ts";
import { ApiError } from "../api/problem.ts";
import { setTheme, useTheme } from "../app/theme.ts";
import { Button, buttonClass } from "../ui/button.tsx";
import { CopyValue } from "../ui/copy.tsx";
import { cx } from "../ui/cx.ts";
import { ConfirmDialog } from "../ui/dialog.tsx";
import { Field, Switch, TextInput } from "../ui/field.tsx";
import { Card, Facts, Page } from "../ui/page.tsx";
import { Loaded } from "../ui/states.tsx";
import { RelativeTime } from "../ui/time.tsx";
import { toastError } from "../ui/toast.tsx";

/** The account: its identity, the theme, signed-in browsers, export and deletion. */
export function SettingsPage() {
  const me = useMe();
  const info = useInfo();
  const pause = usePauseAccount();
  return (
    <Page title="Settings">
      <Loaded query={me}>
        {(data) => (
          <>
            <Card title="Account">
              <Facts
                facts={[
                  ["Address", data.email],
                  ...(data.name ? ([["Name", data.name]] as const) : []),
                  ["Since", <RelativeTime key="since" at={data.created_at} />],
                  ["Id", <CopyValue key="id" value={data.id} label="Copy the id" />],
                  ...(info.data ? ([["Server", `e2a ${info.data.version}`]] as const) : []),
                ]}
              />
            </Card>
            <Card>
              <Switch
                label="Pause everything"
                hint="Outbound mail of all agents waits, in order. Inbound mail is still received. Agents and domains that were paused individually stay paused."
                checked={data.paused}
                onChange={(paused) => pause.mutate(paused, { onError: toastError })}
              />
            </Card>
            <Theme />
            <SessionsPanel />
            <Card title="Export everything" description="Agents, mail, settings and the audit as one JSON file.">
              <div className="flex flex-col items-start gap-2">
                <a href="/api/v1/users/me/export" download className={buttonClass()}>
                  <Download aria-hidden className="size-4" /> Download the export
                </a>
                <p className="text-xs text-muted">
                  Messages are in it whole; keys and secrets are not. With much mail it takes a while.
                </p>
              </div>
            </Card>
            <Deletion email={data.email} />
          </>
        )}
      </Loaded>
    </Page>
  );
}

const themes = [
  ["system", "Match the system", Monitor],
  ["light", "Light", Sun],
  ["dark", "Dark", Moon],
] as const;

function Theme() {
  const theme = useTheme();
  return (
    <Card title="Theme" description="For this browser.">
      <fieldset className="flex flex-wrap gap-2">
        <legend className="sr-only">Theme</legend>
        {themes.map(([value, label, Icon]) => (
          <label
            key={value}
            className={cx(
              "flex cursor-pointer items-center gap-2 rounded-lg border px-3 py-2 text-sm has-focus-visible:outline-2 has-focus-visible:outline-accent",
              theme === value ? "border-accent bg-selected font-medium" : "border-line hover:bg-hover",
            )}
          >
            <input
              type="radio"
              name="theme"
              className="sr-only"
              checked={theme === value}
              onChange={() => setTheme(value)}
            />
            <Icon aria-hidden className="size-4" />
            {label}
          </label>
        ))}
      </fieldset>
    </Card>
  );
}

function Deletion({ email }: { email: string }) {
  const remove = useDeleteAccount();
  const [asking, setAsking] = useState(false);
  const [typed, setTyped] = useState("");
  return (
    <Card
      title="Delete the account"
      description="This deletes all agents, mail, domains, keys and settings. It cannot be undone."
    >
      <Button variant="danger" onClick={() => setAsking(true)}>
        Delete account
      </Button>
      <ConfirmDialog
        open={asking}
        onOpenChange={setAsking}
        title="Delete the account?"
        action="Delete everything"
        run={async () => {
          if (typed.trim().toLowerCase() !== email.toLowerCase())
            throw new ApiError({
              status: 0,
              code: "not_confirmed",
              detail: "That is not the account’s address.",
              fix: `Type ${email} to delete it, or cancel.`,
            });
          await remove.mutateAsync();
        }}
      >
        <p>
          Every agent stops at once, and mail to it is refused from then on. You may want to{" "}
          <a href="/api/v1/users/me/export" download className="link">
            download the export
          </a>{" "}
          first, or only{" "}
          <Link to="/keys" className="link">
            revoke keys
          </Link>
          .
        </p>
        <Field label={`Type ${email} to confirm`}>
          {(control) => (
            <TextInput
              {...control}
              autoComplete="off"
              value={typed}
              onChange={(event) => setTyped(event.target.value)}
            />
          )}
        </Field>
      </ConfirmDialog>
    </Card>
  );
}
