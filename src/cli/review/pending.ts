/** `e2a pending`: mail that waits for a reviewer's approval. */
import { Command, Option } from "commander";
import type { PostOptions } from "../../../sdks/typescript/src/index.ts";
import { visibleText } from "../../message/text/visible.ts";
import { CliError, usageError } from "../connect/failure.ts";
import { agentOption, chooseAgent, openSession, type Session } from "../connect/session.ts";
import type { Approved, MailEdit, Outbound, OutboxPage } from "../connect/shapes.ts";
import { readAttachments } from "../mail/attach.ts";
import { addressOption, type ContentFlags, givenBody, readContent } from "../mail/compose.ts";
import { outboundText } from "../mail/outbox.ts";
import { transmit } from "../mail/transmit.ts";
import { example } from "../terminal/help.ts";
import { canAsk, type Io } from "../terminal/io.ts";
import { plain, table, until } from "../terminal/output.ts";
import { collect, limitOption, moreHint, type PageFlags, tokenOption } from "../terminal/paging.ts";
import { editAndApprove, htmlAnew } from "./edit.ts";
import { heldText } from "./held.ts";
import { approvedWords, boundTo, review } from "./review.ts";

const anId = "msg_00112233445566778899aabbccddeeff";

export function pendingCommand(io: Io): Command {
  const command = new Command("pending")
    .summary("decide about held mail")
    .description(
      "Mail of agents that need approval waits here. In a terminal it is shown one by one, with a key for each decision; in a pipe it is listed.",
    )
    .addCommand(reviewCommand(io), { isDefault: true })
    .addCommand(listCommand(io))
    .addCommand(showCommand(io))
    .addCommand(approveCommand(io))
    .addCommand(rejectCommand(io))
    .addCommand(undoCommand(io));
  return example(command, [
    "e2a pending",
    `e2a pending approve ${anId}`,
    `e2a pending reject ${anId} --reason 'Wrong price.'`,
  ]);
}

function listOptions(command: Command): Command {
  return command.addOption(agentOption()).addOption(limitOption()).addOption(tokenOption());
}

function reviewCommand(io: Io): Command {
  const command = listOptions(new Command("review"))
    .summary("go through held mail, one by one (the default)")
    .description("Shows held mail one by one, first what expires first: approve, edit, reject or skip with one key.")
    .argument("[ids...]", "only these, msg_…")
    .action(async (ids: string[], flags: PageFlags, command: Command) => {
      const unknown = ids.find((id) => !id.startsWith("msg_"));
      if (unknown !== undefined) throw usageError(`"${unknown}" is neither a command nor an id.`, "e2a pending --help");
      const session = await openSession(io, command);
      const { client } = session;
      const waiting =
        ids.length > 0
          ? { messages: await Promise.all(ids.map((id) => client.outbox.get(id, { data: false }))) }
          : await held(session, flags);
      if (session.json || !canAsk(io) || waiting.messages.length === 0) return showList(session, waiting);
      await review(session, waiting.messages.toSorted(byExpiry));
    });
  return example(command, ["e2a pending", `e2a pending ${anId}`]);
}

/** Sorts by expiry; of two that expire together, the one that has waited longer is first. */
function byExpiry(a: Outbound, b: Outbound): number {
  const when = ({ approval_expires_at: at }: Outbound) => at ?? "9999";
  return when(a).localeCompare(when(b)) || a.id.localeCompare(b.id);
}

function listCommand(io: Io): Command {
  const command = listOptions(new Command("list"))
    .alias("ls")
    .summary("list held mail")
    .description("Lists the mail that waits for approval, soonest expiry first.")
    .action(async (flags: PageFlags, command: Command) => {
      const session = await openSession(io, command);
      await showList(session, await held(session, flags));
    });
  return example(command, ["e2a pending list", "e2a pending list --json | jq -r '.messages[].id'"]);
}

/** Without an agent in flags or settings, the mail of all agents. */
async function held(session: Session, flags: PageFlags): Promise<OutboxPage> {
  const { client, settings } = session;
  const agent = settings.agent.value ? { agent: await chooseAgent(session) } : {};
  return collect("messages", flags, (at) => client.approvals.list({ ...agent, ...at, data: false }));
}

function showList(session: Session, waiting: OutboxPage): Promise<void> {
  return session.show(waiting, () => heldTable(session, waiting));
}

function heldTable({ paint, width }: Session, waiting: OutboxPage): string {
  if (waiting.messages.length === 0) return "Nothing waits for approval.";
  const now = Date.now();
  const agents = new Set(waiting.messages.map(({ agent_id }) => agent_id)).size;
  const lines = table<Outbound>(
    [
      ...(agents > 1 ? [{ title: "FROM", value: (mail: Outbound) => mail.from, shrinks: true }] : []),
      { title: "TO", value: (mail) => [...mail.to, ...(mail.cc ?? []), ...(mail.bcc ?? [])].join(", "), shrinks: true },
      { title: "SUBJECT", value: (mail) => visibleText(mail.subject), shrinks: true, style: () => "bold" },
      { title: "WHY", value: (mail) => mail.hold?.reason ?? "", shrinks: true },
      { title: "EXPIRES", value: ({ approval_expires_at: at }) => (at ? until(at, now) : "") },
      { title: "ID", value: (mail) => mail.id, style: () => "dim" },
    ],
    waiting.messages,
    { width, paint },
  );
  return lines + moreHint(waiting, paint);
}

function showCommand(io: Io): Command {
  const command = new Command("show")
    .summary("show one held mail, whole")
    .description("Shows everything that would leave, and why it is held.")
    .argument("<id>", "its id, msg_…")
    .action(async (id: string, _flags: unknown, command: Command) => {
      const session = await openSession(io, command);
      const mail = await session.client.outbox.get(id, { data: false });
      const waits = mail.status === "pending_approval";
      const text = waits ? (await heldText(session, mail)).text : outboundText(session, mail);
      await session.show(mail, () => text);
    });
  return example(command, [`e2a pending show ${anId}`]);
}

function hashOption(): Option {
  return new Option("--content-hash <hash>", "only if it is still this content, as an earlier answer named it");
}

interface ApproveFlags extends Omit<ContentFlags, "attach"> {
  to?: string[];
  subject?: string;
  edit?: boolean;
  attach?: string[] | false;
  contentHash?: string;
}

function approveCommand(io: Io): Command {
  const command = new Command("approve")
    .summary("approve a held mail, with changes if you like")
    .description("Sends a held mail. What you give replaces what the agent wrote; --edit opens your editor.")
    .argument("<id>", "its id, msg_…")
    .option("--edit", "change it in your editor (VISUAL, EDITOR) first")
    .addOption(addressOption("--to <addresses>", "other recipients"))
    .addOption(addressOption("--cc <addresses>", "other copies"))
    .addOption(addressOption("--bcc <addresses>", "other hidden copies"))
    .option("--subject <text>", "another subject")
    .addOption(new Option("--body <text>", 'another text; "-" reads standard input').conflicts("bodyFile"))
    .option("--body-file <file>", "another text, from a file (UTF-8)")
    .option("--html-body <html>", 'another HTML body; @file reads a file, "" drops it')
    .option("--attach <files...>", "these files instead of its own")
    .option("--no-attach", "without its files")
    .addOption(hashOption())
    .action(async (id: string, flags: ApproveFlags, command: Command) => {
      const given = await givenEdit(io, flags);
      const session = await openSession(io, command);
      if (flags.edit) return approveEdited(session, id, flags, given);
      const mail = await session.client.outbox.get(id, { data: false });
      const bound = flags.contentHash === undefined ? boundTo(mail) : { content_hash: flags.contentHash };
      const edit = { ...given, ...htmlAnew(mail, given) };
      await letGo(session, (options) => session.client.approvals.approve(id, { ...edit, ...bound }, options));
    });
  return example(command, [
    `e2a pending approve ${anId}`,
    `e2a pending approve ${anId} --edit`,
    `e2a pending approve ${anId} --subject 'Your invoice' --no-attach`,
  ]);
}

/** The changes that the flags ask for. */
async function givenEdit(io: Io, flags: ApproveFlags): Promise<MailEdit> {
  const { attach, to, subject, ...content } = flags;
  const { cc, bcc, html_body } = await readContent(content);
  const text = await givenBody(io, content);
  const attachments = attach === false ? [] : attach && (await readAttachments(attach));
  return {
    ...(to ? { to } : {}),
    ...(cc ? { cc } : {}),
    ...(bcc ? { bcc } : {}),
    ...(subject === undefined ? {} : { subject }),
    ...(text === undefined ? {} : { body_text: text }),
    ...(html_body === undefined ? {} : { body_html: html_body }),
    ...(attachments ? { attachments } : {}),
  };
}

async function approveEdited(session: Session, id: string, flags: ApproveFlags, given: MailEdit): Promise<void> {
  if (!canAsk(session.io))
    throw usageError("An editor needs a terminal.", "Give the changes as flags, such as --subject.");
  if (Object.keys(given).length > 0) throw usageError("Change it by flags or with --edit, not both.");
  const mail = await session.client.outbox.get(id, { data: false });
  if (mail.status !== "pending_approval")
    throw new CliError(`The mail is ${mail.status.replaceAll("_", " ")} already.`);
  const bound = flags.contentHash === undefined ? boundTo(mail) : { content_hash: flags.contentHash };
  const done = await editAndApprove(session, mail, async (edit) => {
    await letGo(session, (options) => session.client.approvals.approve(id, { ...edit, ...bound }, options));
    return true;
  });
  if (done === null) throw new CliError("Nothing was decided.", { code: "cancelled" });
}

function letGo(session: Session, approve: (options: PostOptions) => Promise<Approved>): Promise<void> {
  return transmit(session, true, approve, approvedWords);
}

function rejectCommand(io: Io): Command {
  const command = new Command("reject")
    .summary("reject a held mail")
    .description("Rejects a held mail for good. The agent can read the reason.")
    .argument("<id>", "its id, msg_…")
    .option("--reason <text>", "why, for the agent")
    .addOption(hashOption())
    .action(async (id: string, flags: { reason?: string; contentHash?: string }, command: Command) => {
      const session = await openSession(io, command);
      const bound =
        flags.contentHash === undefined
          ? boundTo(await session.client.outbox.get(id, { data: false }))
          : { content_hash: flags.contentHash };
      const answer = await session.client.approvals.reject(id, {
        ...(flags.reason ? { reason: flags.reason } : {}),
        ...bound,
      });
      const reason = answer.rejection_reason ? `: ${plain(answer.rejection_reason)}` : "";
      await session.show(
        answer,
        () => `${session.paint("green", "✓")} Rejected${reason} (${plain(answer.message_id)})`,
      );
    });
  return example(command, [`e2a pending reject ${anId} --reason 'The price is wrong.'`]);
}

function undoCommand(io: Io): Command {
  const command = new Command("undo")
    .summary("undo an approval before the mail leaves")
    .description("The mail waits for a decision again, with any edits. The agent's undo_seconds is the time you have.")
    .argument("<id>", "its id, msg_…")
    .action(async (id: string, _flags: unknown, command: Command) => {
      const session = await openSession(io, command);
      const mail = await session.client.approvals.undo(id);
      await session.show(
        mail,
        () =>
          `${session.paint("green", "✓")} The approval is undone; the mail waits again: e2a pending ${plain(mail.id)}`,
      );
    });
  return example(command, [`e2a pending undo ${anId}`]);
}
