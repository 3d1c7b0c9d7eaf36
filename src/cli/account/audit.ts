/** `e2a audit`: the decisions about held mail. */
import { Command } from "commander";
import { openSession, type Session } from "../connect/session.ts";
import type { AuditEntry, AuditPage } from "../connect/shapes.ts";
import { example } from "../terminal/help.ts";
import type { Io } from "../terminal/io.ts";
import { table } from "../terminal/output.ts";
import { collect, limitOption, moreHint, type PageFlags, tokenOption } from "../terminal/paging.ts";

export function auditCommand(io: Io): Command {
  const command = new Command("audit")
    .summary("who decided what, and how")
    .description(
      "Lists the decisions about held mail, newest first: by whom, which way, from where. A pipe also gets the content hashes.",
    )
    .addOption(limitOption())
    .addOption(tokenOption())
    .action(async (flags: PageFlags, command: Command) => {
      const session = await openSession(io, command);
      const audit = await collect("entries", flags, (at) => session.client.audit.list(at));
      await session.show(audit, () => auditTable(session, audit));
    });
  return example(command, ["e2a audit", "e2a audit --json | jq -r '.entries[] | [.at, .action, .by] | @tsv'"]);
}

function auditTable({ paint, width }: Session, audit: AuditPage): string {
  if (audit.entries.length === 0) return "Nothing was decided yet.";
  const lines = table<AuditEntry>(
    [
      { title: "WHEN (UTC)", value: ({ at }) => at.slice(0, 19).replace("T", " ") },
      { title: "ACTION", value: ({ action }) => action.replaceAll("_", " ") },
      { title: "BY", value: ({ by }) => by ?? "", shrinks: true },
      { title: "HOW", value: ({ how }) => how },
      { title: "FROM", value: ({ ip }) => ip ?? "" },
      { title: "MESSAGE", value: ({ message_id, agent_id }) => message_id ?? agent_id ?? "", style: () => "dim" },
    ],
    audit.entries,
    { width, paint },
  );
  return lines + moreHint(audit, paint);
}
