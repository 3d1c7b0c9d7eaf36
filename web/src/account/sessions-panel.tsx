import { LogOut } from "lucide-react";
import { signOut } from "../api/account.ts";
import type { Session } from "../api/client.ts";
import { useEndSessions, useSessions } from "../api/sessions.ts";
import { Badge } from "../ui/badge.tsx";
import { Button } from "../ui/button.tsx";
import { Card } from "../ui/page.tsx";
import { Loaded } from "../ui/states.tsx";
import { RelativeTime } from "../ui/time.tsx";
import { toast, toastError } from "../ui/toast.tsx";
import { browserName } from "./browser.ts";

/** The signed-in browsers, with buttons that sign them out. */
export function SessionsPanel() {
  const sessions = useSessions();
  const end = useEndSessions();
  const others = sessions.data?.filter(({ current }) => !current) ?? [];
  const endThem = (ids: readonly string[], done: string) =>
    end.mutate(ids, { onSuccess: () => toast(done), onError: toastError });
  return (
    <Card
      title="Signed-in browsers"
      description="If you do not recognize a browser, someone else may be using your account: sign it out, then check your keys."
      actions={
        others.length > 0 && (
          <Button
            size="sm"
            variant="danger"
            icon={LogOut}
            busy={end.isPending}
            onClick={() =>
              endThem(
                others.map(({ id }) => id),
                "All other browsers are signed out",
              )
            }
          >
            Sign out all others
          </Button>
        )
      }
      flush
    >
      <Loaded query={sessions}>
        {(all) => (
          <ul aria-label="Signed-in browsers" className="divide-y divide-line border-t border-line">
            {all.map((session) => (
              <Row
                key={session.id}
                session={session}
                end={() =>
                  session.current ? signOut().catch(toastError) : endThem([session.id], "That browser is signed out")
                }
              />
            ))}
          </ul>
        )}
      </Loaded>
    </Card>
  );
}

function Row({ session, end }: { session: Session; end: () => void }) {
  const { current, user_agent, ip, created_at, last_used_at, expires_at } = session;
  const name = browserName(user_agent);
  return (
    <li className="flex flex-wrap items-center gap-x-4 gap-y-2 px-4 py-2.5 text-sm">
      <div className="min-w-0 flex-1 basis-56">
        <p className="flex flex-wrap items-center gap-2" title={user_agent}>
          <span className="font-medium">{name}</span>
          {current && <Badge tone="ok">This browser</Badge>}
        </p>
        <p className="text-xs text-muted">
          {ip && `From ${ip} · `}
          {last_used_at && (
            <>
              used <RelativeTime at={last_used_at} /> ·{" "}
            </>
          )}
          signed in <RelativeTime at={created_at} /> · ends <RelativeTime at={expires_at} upcoming />
        </p>
      </div>
      <Button size="sm" aria-label={`Sign out ${name}`} onClick={end}>
        Sign out
      </Button>
    </li>
  );
}
