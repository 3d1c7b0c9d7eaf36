import { cx } from "./cx.ts";

/** Chooses one of a few views, such as the rows that a list shows. */
export function Pills<Value extends string>({
  label,
  options,
  value,
  onChange,
}: {
  label: string;
  options: readonly (readonly [Value, label: string])[];
  value: Value;
  onChange: (value: Value) => void;
}) {
  return (
    <fieldset className="flex flex-wrap gap-1">
      <legend className="sr-only">{label}</legend>
      {options.map(([option, words]) => (
        <button
          key={option}
          type="button"
          aria-pressed={option === value}
          onClick={() => onChange(option)}
          className={cx(
            "h-6 rounded-full px-2.5 text-xs",
            option === value ? "bg-selected font-medium text-accent-strong" : "text-muted hover:bg-hover",
          )}
        >
          {words}
        </button>
      ))}
    </fieldset>
  );
}
