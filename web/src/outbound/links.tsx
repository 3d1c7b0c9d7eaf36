import { Link as LinkIcon, TriangleAlert } from "lucide-react";
import type { Outbound } from "../api/client.ts";
import { foreignHost } from "../mail/hosts.ts";
import { Untrusted } from "../mail/untrusted.tsx";
import { Badge } from "../ui/badge.tsx";
import { Card } from "../ui/page.tsx";

type ShownLink = NonNullable<Outbound["links"]>[number];

/** How many links are shown; the source has the rest. */
const SHOWN_MAX = 100;

/** The host that a link's text names, if the link leads to another one. */
function claimed({ text, host }: ShownLink): string | null {
  const isHost = (word: string) =>
    /[a-z0-9-]\./.test(word) && /^[a-z]{2,63}$/.test(word.slice(word.lastIndexOf(".") + 1));
  const name = text
    .toLowerCase()
    .split(/[^a-z0-9.-]/)
    .find(isHost);
  if (!name || !host) return null;
  const plain = (one: string) => one.replace(/^www\./, "").replace(/:\d+$/, "");
  return `.${plain(host)}`.endsWith(`.${plain(name)}`) ? null : name;
}

/** Shows where each link of a mail really leads. The links are not clickable. */
export function Links({ links }: { links: readonly ShownLink[] }) {
  if (links.length === 0) return null;
  return (
    <Card title={links.length === 1 ? "1 link" : `${links.length} links`} flush>
      <ul aria-label="Links" className="divide-y divide-line">
        {links.slice(0, SHOWN_MAX).map((link) => (
          <Row key={`${link.text} ${link.url}`} link={link} />
        ))}
      </ul>
      {links.length > SHOWN_MAX && (
        <p className="px-4 py-2 text-xs text-muted">{links.length - SHOWN_MAX} more are in the source.</p>
      )}
    </Card>
  );
}

function Row({ link }: { link: ShownLink }) {
  const { text, host, url } = link;
  const foreign = foreignHost(host);
  const claim = claimed(link);
  return (
    <li className="flex items-start gap-2.5 px-4 py-2 text-sm">
      <LinkIcon aria-hidden className="mt-0.5 size-4 shrink-0 text-muted" />
      <div className="min-w-0 wrap-anywhere">
        <p className="flex flex-wrap items-center gap-x-2 gap-y-1">
          <strong className="font-semibold">{host ? <Untrusted text={host} /> : "No host"}</strong>
          {foreign && <Badge tone="warn">reads as {foreign}</Badge>}
          {claim && (
            <Badge tone="bad" icon={TriangleAlert}>
              Says {claim}
            </Badge>
          )}
          {text === "" && <Badge>Loaded automatically</Badge>}
        </p>
        {text !== "" && text !== url && (
          <p className="text-xs text-muted">
            “<Untrusted text={text} />”
          </p>
        )}
        <p className="font-mono text-2xs text-muted">
          <Untrusted text={url} />
        </p>
      </div>
    </li>
  );
}
