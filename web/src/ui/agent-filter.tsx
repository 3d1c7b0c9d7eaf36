import { Select } from "./field.tsx";

/** Chooses the agent that a list shows. Not rendered if there is no choice. */
export function AgentFilter({
  agents,
  value,
  onChange,
}: {
  agents: readonly { email: string }[] | undefined;
  value: string | undefined;
  /** Undefined: all agents. */
  onChange: (agent: string | undefined) => void;
}) {
  if (!value && (agents?.length ?? 0) < 2) return null;
  const known = agents?.some(({ email }) => email === value) ?? false;
  return (
    <Select
      aria-label="Agent"
      className="max-w-[calc(50%-4px)]"
      value={value ?? ""}
      onChange={({ target }) => onChange(target.value || undefined)}
    >
      <option value="">All agents</option>
      {value && !known && <option>{value}</option>}
      {agents?.map(({ email }) => (
        <option key={email}>{email}</option>
      ))}
    </Select>
  );
}
