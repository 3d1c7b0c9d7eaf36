import { join } from "node:path";

/** The argument that makes the compiled program a child of a server; no command begins like this. */
export const CHILD_ARGUMENT = "__serve-tasks";

/** How a child is started: the compiled program again, or its source. */
export function childCommand(): string[] {
  return Bun.isStandaloneExecutable
    ? [process.execPath, CHILD_ARGUMENT]
    : [process.execPath, join(import.meta.dir, "entry.ts")];
}
