import { join } from "node:path";

/** The argument that makes the compiled program a server's child. No command is named like this. */
export const CHILD_ARGUMENT = "__serve-tasks";

/** The command that starts a child: the compiled program itself, or its source. */
export function childCommand(): string[] {
  return Bun.isStandaloneExecutable
    ? [process.execPath, CHILD_ARGUMENT]
    : [process.execPath, join(import.meta.dir, "entry.ts")];
}
