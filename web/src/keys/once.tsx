import { KeyRound } from "lucide-react";
import type { ReactNode } from "react";
import { Button } from "../ui/button.tsx";
import { CodeBlock } from "../ui/copy.tsx";
import { Dialog } from "../ui/dialog.tsx";

/** Shows a secret that cannot be shown again. */
export function ShownOnce({
  title,
  secret,
  children,
  onClose,
}: {
  title: string;
  secret: string;
  /** What the secret is for. */
  children: ReactNode;
  onClose: () => void;
}) {
  return (
    <Dialog
      open
      stays
      onOpenChange={onClose}
      title={title}
      footer={
        <Button variant="primary" onClick={onClose}>
          I have saved it
        </Button>
      }
    >
      <div className="flex flex-col gap-3 text-sm">
        <p className="flex items-start gap-2 rounded-lg bg-warn-soft px-3 py-2">
          <KeyRound aria-hidden className="mt-0.5 size-4 shrink-0 text-warn" />
          It is shown only once. Store it with your programs’ secrets; it cannot be displayed again.
        </p>
        <CodeBlock code={secret} label={title} wrap />
        {children}
      </div>
    </Dialog>
  );
}
