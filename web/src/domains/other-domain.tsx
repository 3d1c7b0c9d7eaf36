import { useNavigate } from "@tanstack/react-router";
import { Plus } from "lucide-react";
import { useCreateDomain } from "../api/domains.ts";
import { Button } from "../ui/button.tsx";
import { CopyButton } from "../ui/copy.tsx";
import { toastError } from "../ui/toast.tsx";

/** Suggests a separate domain for agents if this one receives its mail elsewhere: to copy, or to add. */
export function OtherDomain({ name }: { name: string }) {
  const create = useCreateDomain();
  const navigate = useNavigate();
  const add = () =>
    create.mutate(name, {
      onSuccess: ({ domain }) => void navigate({ to: "/domains/$domain", params: { domain } }),
      onError: toastError,
    });
  return (
    <div className="flex flex-wrap items-center gap-2">
      <span className="flex min-w-0 items-center gap-1 rounded-md border border-line bg-surface py-0.5 pr-0.5 pl-2.5">
        <code className="font-mono text-xs wrap-anywhere">{name}</code>
        <CopyButton text={name} label="Copy the domain" />
      </span>
      <Button size="sm" variant="primary" icon={Plus} busy={create.isPending} onClick={add}>
        Add {name}
      </Button>
    </div>
  );
}
