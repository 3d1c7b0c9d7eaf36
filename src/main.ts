#!/usr/bin/env bun
import { CHILD_ARGUMENT } from "./tasks/child-command.ts";

// A server starts this program again as a child for long tasks. Such a child does not load the command line.
if (process.argv[2] === CHILD_ARGUMENT) await import("./tasks/entry.ts");
else {
  const [{ processIo }, { run }] = await Promise.all([import("./cli/terminal/io.ts"), import("./cli/program.ts")]);
  // A reader that closes the pipe early (`e2a inbox | head`) is not an error.
  process.stdout.on("error", (error: NodeJS.ErrnoException) => process.exit(error.code === "EPIPE" ? 0 : 1));
  process.exitCode = await run(process.argv.slice(2), processIo(process));
}
