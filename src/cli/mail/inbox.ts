/** `e2a inbox`: the mail that an agent received. */
import { Command, Option } from "commander";
import type { ReadStatus } from "../../mail.ts";
import { agentOption, chooseAgent, openSession, type Session } from "../connect/session.ts";
import type { MessageFilter, MessagePage, MessageSummary } from "../connect/shapes.ts";
import { example } from "../terminal/help.ts";
import type { Io } from "../terminal/io.ts";
import { age, table, verifiedMark } from "../terminal/output.ts";
import { collect, limitOption, moreHint, type PageFlags, tokenOption } from "../terminal/paging.ts";
import { sinceOption } from "../terminal/time-flags.ts";

interface InboxFlags extends PageFlags {
  status: ReadStatus | "all";
  q?: string;
  from?: string;
  since?: string;
}

export function inboxCommand(io: Io): Command {
  const command = new Command("inbox")
    .summary("list an agent's mail")
    .description(
      "Lists messages; listing does not mark them read. ✓ means the From domain is proven, ✗ that it is not.",
    )
    .addOption(agentOption())
    .addOption(new Option("--status <status>", "which messages").choices(["unread", "read", "all"]).default("unread"))
    .option("--q <words>", "search subject, addresses, text and attachment names")
    .option("--from <address>", "only from this sender")
    .addOption(sinceOption("only since"))
    .addOption(limitOption())
    .addOption(tokenOption())
    .action(async (flags: InboxFlags, command: Command) => {
      const session = await openSession(io, command);
      const agent = await chooseAgent(session);
      const inbox = await inboxOf(session, agent, flags);
      await session.show(inbox, () => inboxTable(session, agent, flags, inbox));
    });
  return example(command, [
    "e2a inbox",
    "e2a inbox --status all --q invoice --since 7d",
    "e2a inbox --json | jq -r '.messages[].message_id'",
  ]);
}

function inboxOf({ client }: Session, agent: string, flags: InboxFlags): Promise<MessagePage> {
  const { status, q, from, since } = flags;
  const filter: MessageFilter = { status, ...(q ? { q } : {}), ...(from ? { from } : {}), ...(since ? { since } : {}) };
  return collect("messages", flags, (at) => client.messages.list({ agent, ...filter, ...at }));
}

function inboxTable({ paint, width }: Session, agent: string, flags: InboxFlags, inbox: MessagePage): string {
  if (inbox.messages.length === 0) {
    const filtered = flags.q ?? flags.from ?? flags.since;
    const kind = flags.status === "all" ? "mail" : `${flags.status} mail`;
    return `No ${kind} for ${agent}${filtered ? " that matches" : ""}.`;
  }
  const now = Date.now();
  const lines = table<MessageSummary>(
    [
      {
        title: " ",
        value: (message) => verifiedMark(message.verified).mark,
        style: (message) => verifiedMark(message.verified).style,
      },
      { title: "FROM", value: (message) => message.from, shrinks: true },
      {
        title: "SUBJECT",
        value: (message) => message.subject,
        shrinks: true,
        style: (message) => (message.status === "unread" ? "bold" : null),
      },
      { title: "AGE", value: (message) => age(message.created_at, now) },
      { title: "ID", value: (message) => message.message_id, style: () => "dim" },
    ],
    inbox.messages,
    { width, paint },
  );
  return lines + moreHint(inbox, paint);
}
