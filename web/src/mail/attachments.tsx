import { Download, Paperclip } from "lucide-react";
import { ATTACHED_DEPTH_MAX, isMessageFile } from "../../../src/mail.ts";
import { visibleLine } from "../../../src/message/text/visible.ts";
import type { Attachment } from "../api/client.ts";
import { Badge } from "../ui/badge.tsx";
import { Button } from "../ui/button.tsx";
import { Untrusted } from "./untrusted.tsx";

const units = ["bytes", "KB", "MB", "GB"];

/** "3 KB", "1.2 MB" */
function sizeText(bytes: number): string {
  const step = bytes < 1000 ? 0 : Math.min(units.length - 1, Math.floor(Math.log10(bytes) / 3));
  const value = bytes / 1000 ** step;
  if (bytes === 1) return "1 byte";
  return `${step === 0 || value >= 10 ? Math.round(value) : value.toFixed(1)} ${units[step]}`;
}

/** Matches file names whose extension a computer may execute. */
const runnable =
  /\.(?:exe|scr|bat|cmd|com|pif|msi|js|jse|vbs|vbe|wsf|ps1|jar|app|dmg|pkg|apk|sh|lnk|hta|reg|iso|img)\s*$/i;

/**
 * The attachments, as downloads: none is opened in the page. `source` is the message's route, `within` the index of the
 * attached message that they are in. With `read`, messages among them have a button that reads the one at an index.
 */
export function Attachments({
  attachments,
  source,
  within,
  read,
}: {
  attachments: readonly Attachment[];
  source: string;
  within?: string;
  read?: (place: string) => void;
}) {
  if (attachments.length === 0) return null;
  return (
    <ul aria-label="Attachments" className="flex flex-wrap gap-2">
      {attachments.map(({ index, filename, content_type, size }) => {
        const place = within === undefined ? `${index}` : `${within}.${index}`;
        const name = filename || `attachment-${index}`;
        const readable =
          read && isMessageFile({ content_type, filename }) && place.split(".").length <= ATTACHED_DEPTH_MAX;
        return (
          <li key={index} className="flex items-center gap-1">
            <a
              href={`${source}/attachments/${place}`}
              download
              title={content_type}
              className="flex max-w-72 items-center gap-2 rounded-lg border border-line bg-surface px-2.5 py-1.5 text-sm shadow-card hover:bg-hover"
            >
              <Paperclip aria-hidden className="size-4 shrink-0 text-muted" />
              <span className="min-w-0 truncate">
                <Untrusted text={name} />
              </span>
              <span className="shrink-0 text-xs text-muted">{sizeText(size)}</span>
              {runnable.test(filename) && <Badge tone="bad">Program</Badge>}
              <Download aria-hidden className="size-4 shrink-0 text-muted" />
            </a>
            {readable && (
              <Button size="sm" aria-label={`Read ${visibleLine(name)}`} onClick={() => read(place)}>
                Read
              </Button>
            )}
          </li>
        );
      })}
    </ul>
  );
}
