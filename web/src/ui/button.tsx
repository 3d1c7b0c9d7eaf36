import { LoaderCircle, type LucideIcon } from "lucide-react";
import type { ComponentProps, ReactNode } from "react";
import { cx } from "./cx.ts";

export type ButtonVariant = "primary" | "default" | "ghost" | "danger";
export type ButtonSize = "sm" | "md";

const variants: Record<ButtonVariant, string> = {
  primary: "bg-accent text-on-accent hover:bg-accent-strong shadow-card",
  default: "bg-surface text-ink border border-line-strong hover:bg-hover shadow-card",
  ghost: "text-muted hover:text-ink hover:bg-hover",
  danger: "bg-surface text-bad border border-bad/40 hover:bg-bad-soft shadow-card",
};
const sizes: Record<ButtonSize, string> = { sm: "h-7 px-2 text-xs gap-1.5", md: "h-8 px-3 text-sm gap-2" };

/** The classes of a button, for links that look like one. */
export function buttonClass(variant: ButtonVariant = "default", size: ButtonSize = "md"): string {
  return cx(
    "inline-flex shrink-0 items-center justify-center rounded-md font-medium whitespace-nowrap select-none transition-colors",
    "disabled:opacity-50 aria-disabled:opacity-50",
    variants[variant],
    sizes[size],
  );
}

export interface ButtonProps extends ComponentProps<"button"> {
  variant?: ButtonVariant;
  size?: ButtonSize;
  icon?: LucideIcon;
  /** Its action is running; pressing it again does nothing. */
  busy?: boolean;
  children?: ReactNode;
}

export function Button({ variant, size, icon: Icon, busy = false, className, children, ...rest }: ButtonProps) {
  return (
    <button
      type="button"
      {...rest}
      {...(busy && { "aria-disabled": true, "aria-busy": true, onClick: (event) => event.preventDefault() })}
      className={cx(buttonClass(variant, size), className)}
    >
      {busy ? (
        <LoaderCircle aria-hidden className="size-4 animate-spin" />
      ) : (
        Icon && <Icon aria-hidden className="size-4" />
      )}
      {children}
    </button>
  );
}

/** A button with only an icon. `label` is its accessible name, and its tooltip. */
export function IconButton({
  icon: Icon,
  label,
  className,
  ...rest
}: Omit<ComponentProps<"button">, "children"> & { icon: LucideIcon; label: string }) {
  return (
    <button
      type="button"
      title={label}
      aria-label={label}
      {...rest}
      className={cx(
        "inline-flex size-8 shrink-0 items-center justify-center rounded-md text-muted transition-colors hover:bg-hover hover:text-ink disabled:opacity-40",
        className,
      )}
    >
      <Icon aria-hidden className="size-4" />
    </button>
  );
}
