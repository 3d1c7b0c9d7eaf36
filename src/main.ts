#!/usr/bin/env bun
import { processIo } from "./cli/io.ts";
import { run } from "./cli/program.ts";

// A reader that has seen enough (`e2a inbox | head`) is no error.
process.stdout.on("error", (error: NodeJS.ErrnoException) => process.exit(error.code === "EPIPE" ? 0 : 1));

process.exitCode = await run(process.argv.slice(2), processIo(process));
