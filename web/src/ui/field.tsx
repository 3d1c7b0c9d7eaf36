import { Switch as BaseSwitch } from "@base-ui/react/switch";
import { type ComponentProps, type ReactNode, useId } from "react";
import { cx } from "./cx.ts";

const control =
  "w-full rounded-md border bg-surface text-ink text-sm placeholder:text-muted shadow-card disabled:opacity-60 disabled:bg-sunken";
const border = (error: string | undefined) => (error ? "border-bad" : "border-line-strong");

/** The props that connect a control to its label, hint and error. Spread them onto the control. */
export interface FieldControl {
  id: string;
  "aria-describedby": string | undefined;
  "aria-invalid": true | undefined;
}

/** A control with its label, a hint, and the value's error. */
export function Field({
  label,
  hint,
  error,
  optional = false,
  children,
}: {
  label: ReactNode;
  hint?: ReactNode;
  error?: string | undefined;
  optional?: boolean;
  children: (control: FieldControl) => ReactNode;
}) {
  const id = useId();
  const note = error ?? hint;
  return (
    <div className="flex flex-col gap-1.5">
      <label htmlFor={id} className="text-sm font-medium">
        {label}
        {optional && <span className="font-normal text-muted"> (optional)</span>}
      </label>
      {children({ id, "aria-describedby": note ? `${id}-note` : undefined, "aria-invalid": error ? true : undefined })}
      {note && (
        <p id={`${id}-note`} className={cx("text-xs", error ? "text-bad" : "text-muted")}>
          {note}
        </p>
      )}
    </div>
  );
}

export function TextInput({ className, ...rest }: ComponentProps<"input">) {
  const error = rest["aria-invalid"] ? "error" : undefined;
  return <input type="text" {...rest} className={cx(control, border(error), "h-8 px-2.5", className)} />;
}

export function TextArea({ className, ...rest }: ComponentProps<"textarea">) {
  const error = rest["aria-invalid"] ? "error" : undefined;
  return <textarea rows={4} {...rest} className={cx(control, border(error), "px-2.5 py-1.5", className)} />;
}

export function Select({ className, ...rest }: ComponentProps<"select">) {
  return <select {...rest} className={cx(control, border(undefined), "h-8 pr-1 pl-2", className)} />;
}

/** An on/off setting with its label and a hint. `onChange` gets the new value. */
export function Switch({
  label,
  hint,
  checked,
  disabled,
  onChange,
}: {
  label: ReactNode;
  hint?: ReactNode;
  checked: boolean;
  disabled?: boolean;
  onChange: (checked: boolean) => void;
}) {
  const id = useId();
  return (
    <div className="flex items-start justify-between gap-4">
      <div className="flex flex-col">
        <span id={id} className="text-sm font-medium">
          {label}
        </span>
        {hint && (
          <span id={`${id}-note`} className="text-xs text-muted">
            {hint}
          </span>
        )}
      </div>
      <BaseSwitch.Root
        checked={checked}
        disabled={disabled ?? false}
        onCheckedChange={onChange}
        aria-labelledby={id}
        aria-describedby={hint ? `${id}-note` : undefined}
        className="mt-0.5 inline-flex h-5 w-9 shrink-0 items-center rounded-full border border-line-strong bg-quiet-soft p-0.5 transition-colors data-checked:border-accent data-checked:bg-accent data-disabled:opacity-50"
      >
        <BaseSwitch.Thumb className="size-3.5 rounded-full bg-muted transition-transform data-checked:translate-x-4 data-checked:bg-on-accent" />
      </BaseSwitch.Root>
    </div>
  );
}

export function Checkbox({ label, hint, ...rest }: ComponentProps<"input"> & { label: ReactNode; hint?: ReactNode }) {
  const id = useId();
  return (
    <div className="flex items-start gap-2">
      <input
        id={id}
        type="checkbox"
        {...rest}
        aria-describedby={hint ? `${id}-note` : undefined}
        className="mt-0.5 size-4 shrink-0 accent-accent"
      />
      <div className="flex flex-col">
        <label htmlFor={id} className="text-sm">
          {label}
        </label>
        {hint && (
          <span id={`${id}-note`} className="text-xs text-muted">
            {hint}
          </span>
        )}
      </div>
    </div>
  );
}
