import { ImageOff, Images } from "lucide-react";
import { useState } from "react";
import { Button } from "../ui/button.tsx";

/** Matches remote images. Only decides whether the button is shown: the frame's policy is what blocks them. */
const remotePictures = /(?:src|srcset|background|poster)\s*=[\s"']*(?:https?:)?\/\/|url\([\s"']*(?:https?:)?\/\//i;

/**
 * The HTML of a mail, in a frame without scripts, forms or an origin. `source` is its route (`…/html`), whose response
 * has its own policy; the sandbox here enforces the same again.
 */
export function MailFrame({ source, html }: { source: string; html: string }) {
  const [images, setImages] = useState(false);
  const asks = !images && remotePictures.test(html);
  return (
    <div className="flex min-h-96 flex-1 flex-col overflow-hidden rounded-lg border border-line bg-paper">
      {asks && (
        <div className="flex flex-wrap items-center gap-2 border-b border-line bg-sunken px-3 py-1.5 text-xs text-muted">
          <ImageOff aria-hidden className="size-4" />
          <span className="flex-1">
            Remote images are not loaded, because they tell the sender that you have read this.
          </span>
          <Button size="sm" icon={Images} onClick={() => setImages(true)}>
            Load pictures
          </Button>
        </div>
      )}
      <iframe
        key={String(images)}
        title="The message as HTML"
        src={images ? `${source}?images=true` : source}
        sandbox="allow-popups allow-popups-to-escape-sandbox"
        referrerPolicy="no-referrer"
        className="w-full flex-1"
      />
    </div>
  );
}
