/** `e2a outbox` and `e2a cancel`: sent mail, its outcome, and cancelling it. */
import { Command, Option } from "commander";
import type { OutboundStatus } from "../../mail.ts";
import { usageError } from "../connect/failure.ts";
import { agentOption, chooseAgent, openSession, type Session } from "../connect/session.ts";
import type { Outbound, OutboxFilter, OutboxPage } from "../connect/shapes.ts";
import { example } from "../terminal/help.ts";
import type { Io } from "../terminal/io.ts";
import { age, attachmentLines, facts, plain, plainLines, table, until } from "../terminal/output.ts";
import { collect, limitOption, moreHint, type PageFlags, tokenOption } from "../terminal/paging.ts";
import { names, outboundStatuses, recipientTable, statusMark, statusWords } from "./fates.ts";
import { visibleMail } from "./visible-mail.ts";

interface OutboxFlags extends PageFlags {
  status?: OutboundStatus;
  release?: boolean;
}

export function outboxCommand(io: Io): Command {
  const command = new Command("outbox")
    .summary("list sent mail and its delivery status")
    .description(
      "Lists what your agents sent, newest first; with an id shows that mail and the fate of each recipient.",
    )
    .argument("[id]", "one mail, msg_…")
    .addOption(agentOption())
    .addOption(new Option("--status <status>", "only those").choices(outboundStatuses))
    .option("--release", "let the mail go that the loop breaker holds")
    .addOption(limitOption())
    .addOption(tokenOption())
    .action(async (id: string | undefined, flags: OutboxFlags, command: Command) => {
      if (id === undefined && flags.release) throw usageError("Release which mail?", "e2a outbox ID --release");
      const session = await openSession(io, command);
      if (id === undefined) return list(session, flags);
      const { client } = session;
      const mail = await (flags.release ? client.outbox.release(id) : client.outbox.get(id, { data: false }));
      await session.show(mail, () => outboundText(session, mail));
    });
  return example(command, [
    "e2a outbox",
    "e2a outbox --status deferred",
    "e2a outbox msg_00112233445566778899aabbccddeeff",
  ]);
}

export function cancelCommand(io: Io): Command {
  const command = new Command("cancel")
    .summary("cancel a mail that has not left yet")
    .description(
      "Stops a mail that is queued or held. Who has it already keeps it; when it is too late, nothing changes.",
    )
    .argument("<id>", "its id, msg_…")
    .action(async (id: string, _flags: unknown, command: Command) => {
      const session = await openSession(io, command);
      const mail = await session.client.outbox.cancel(id);
      await session.show(mail, () => cancelled(session, mail));
    });
  return example(command, ["e2a cancel msg_00112233445566778899aabbccddeeff"]);
}

/** Without an agent in flags or settings, lists the mail of all agents. */
async function list(session: Session, flags: OutboxFlags): Promise<void> {
  const { client, settings } = session;
  const { status } = flags;
  const filter: OutboxFilter = {
    ...(status ? { status } : {}),
    ...(settings.agent.value ? { agent: await chooseAgent(session) } : {}),
  };
  const outbox = await collect("messages", flags, (at) => client.outbox.list({ ...filter, ...at, data: false }));
  await session.show(outbox, () => outboxTable(session, filter, outbox));
}

function outboxTable({ paint, width }: Session, filter: OutboxFilter, outbox: OutboxPage): string {
  if (outbox.messages.length === 0) {
    const kind = filter.status ? `Nothing ${statusWords(filter.status)}` : "Nothing sent";
    return `${kind}${filter.agent ? ` by ${plain(filter.agent)}` : ""}.`;
  }
  const now = Date.now();
  const lines = table<Outbound>(
    [
      { title: " ", value: (mail) => statusMark(mail.status).mark, style: (mail) => statusMark(mail.status).style },
      { title: "TO", value: (mail) => recipientsShort(mail), shrinks: true },
      { title: "SUBJECT", value: (mail) => mail.subject, shrinks: true },
      { title: "STATUS", value: (mail) => statusWords(mail.status) },
      { title: "AGE", value: (mail) => age(mail.created_at, now) },
      { title: "ID", value: (mail) => mail.id, style: () => "dim" },
    ],
    outbox.messages,
    { width, paint },
  );
  return lines + moreHint(outbox, paint);
}

function recipientsShort({ to, cc = [], bcc = [] }: Outbound): string {
  const [first = "", ...others] = [...to, ...cc, ...bcc];
  return others.length > 0 ? `${first} +${others.length}` : first;
}

/** The text for a sent mail: facts, outcomes, text, attachments. */
export function outboundText(session: Session, sent: Outbound): string {
  const { paint } = session;
  const mail = visibleMail(sent);
  const now = Date.now();
  const { mark, style } = statusMark(mail.status);
  const expires = mail.approval_expires_at ? ` (expires ${until(mail.approval_expires_at, now)})` : "";
  const head = facts(
    [
      ["From", mail.from],
      ["To", mail.to.join(", ")],
      ["Cc", mail.cc?.join(", ")],
      ["Bcc", mail.bcc?.join(", ")],
      ["Subject", mail.subject],
      ["Kind", mail.type === "send" ? null : mail.type],
      ["Written", `${mail.created_at} (${age(mail.created_at, now)})`],
      ["Conversation", mail.conversation_id],
      ["Message-ID", mail.email_message_id],
      ["Decided", decidedBy(mail)],
      ["Rejected", mail.rejection_reason],
      ["Held", mail.hold ? `${mail.hold.reason}${expires}` : null],
    ],
    paint,
  );
  const status = `${paint(style, `${mark} ${plain(statusWords(mail.status))}`)}${wayOut(mail)}`;
  const noText = paint("dim", mail.body_html ? "(HTML only)" : "(no text)");
  const text = plainLines(mail.body_text ?? "").trim() || noText;
  const parts = [
    `${head}\n${status}`,
    recipientTable(session, mail.recipients),
    text,
    attachmentLines(mail.attachments, paint),
  ];
  return parts.filter(Boolean).join("\n\n");
}

function decidedBy({ reviewed_at: at, reviewed_by: by, edited }: Outbound): string | null {
  if (!at && !by) return null;
  return [by && `by ${by}`, at, edited && "(edited)"].filter(Boolean).join(" ");
}

/** How a held mail leaves its hold, as a further line; "" for any other mail. */
function wayOut({ id, status, hold }: Outbound): string {
  if (hold?.rule === "loop") return `\nLet it go: e2a outbox ${plain(id)} --release`;
  return status === "pending_approval" ? `\nDecide: e2a pending ${plain(id)}` : "";
}

function cancelled(session: Session, mail: Outbound): string {
  const stopped = mail.recipients.filter(({ status }) => status === "cancelled");
  const whom = names(stopped.map(({ address }) => address));
  const line = `${session.paint("green", "✓")} Cancelled${whom && ` for ${whom}`}: ${plain(mail.subject)}`;
  if (stopped.length === mail.recipients.length) return line;
  return `${line}\n\n${recipientTable(session, mail.recipients)}`;
}
