/** The examples below a command's help. */
import type { Command } from "commander";

/** Adds example command lines, shown as the user would type them, and returns the command. */
export function example(command: Command, lines: readonly string[]): Command {
  const title = lines.length > 1 ? "Examples:" : "Example:";
  return command.addHelpText("after", `\n${title}\n${lines.map((line) => `  $ ${line}`).join("\n")}`);
}
