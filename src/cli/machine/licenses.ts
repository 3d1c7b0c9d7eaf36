/** `e2a licenses`: the licenses of everything in the binary. */
import { Command } from "commander";
import { thirdPartyNotices } from "../../assets.ts";
import { example } from "../terminal/help.ts";
import { type Io, write } from "../terminal/io.ts";

export function licensesCommand(io: Io): Command {
  const command = new Command("licenses")
    .summary("print the licenses of e2a and of what it contains")
    .description("Prints the license of e2a, and the name, version, license and notice of each package in the binary.")
    .action(async () => write(io.stdout, await thirdPartyNotices()));
  return example(command, ["e2a licenses | less"]);
}
