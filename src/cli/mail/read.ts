/** `e2a read`: shows one whole message. */
import { Command } from "commander";
import { headerValue } from "../../mail.ts";
import { visibleText } from "../../message/text/visible.ts";
import { verdictLine } from "../../verdict.ts";
import { DOWNLOAD_TIMEOUT_MS } from "../connect/connect.ts";
import { CliError } from "../connect/failure.ts";
import { openSession, receiverOf, receiverOption, type Session } from "../connect/session.ts";
import type { MessageDetail } from "../connect/shapes.ts";
import { example } from "../terminal/help.ts";
import { type Io, write } from "../terminal/io.ts";
import { age, attachmentLines, facts, plain, plainLines, verifiedMark } from "../terminal/output.ts";
import { saveAttachments } from "./attachments.ts";

interface ReadFlags {
  peek?: boolean;
  raw?: boolean;
  html?: boolean;
  saveAttachments?: string;
}

export function readCommand(io: Io): Command {
  const command = new Command("read")
    .summary("show one message")
    .description("Shows a message and marks it read. A pipe gets the whole message as JSON.")
    .argument("<id>", "its id, msg_…")
    .addOption(receiverOption())
    .option("--peek", "leave it unread")
    .option("--raw", "print the message as it was received (RFC 5322)")
    .option("--html", "print the HTML body")
    .option("--save-attachments <dir>", "write its attachments into a folder")
    .action(async (id: string, flags: ReadFlags, command: Command) => {
      const session = await openSession(io, command);
      const agent = await receiverOf(session, id);
      const { messages } = session.client;
      const how = { agent, timeoutMs: DOWNLOAD_TIMEOUT_MS };
      const { data: message } = await messages.get(id, { ...how, peek: flags.peek === true });
      const folder = flags.saveAttachments;
      const download = (index: number) => messages.attachment(id, index, how);
      const saved = folder === undefined ? [] : await saveAttachments(message.attachments ?? [], folder, download);
      await print(session, message, flags);
      if (folder !== undefined) await reportSaved(io, saved);
    });
  return example(command, [
    "e2a read msg_00112233445566778899aabbccddeeff",
    "e2a read msg_00112233445566778899aabbccddeeff --raw > message.eml",
  ]);
}

async function print(session: Session, message: MessageDetail, flags: ReadFlags): Promise<void> {
  const { io } = session;
  // A file gets the exact bytes; a terminal gets text that cannot harm it.
  if (flags.raw) {
    const raw = Buffer.from(message.raw_message, "base64");
    return write(io.stdout, io.isTerminal ? plainLines(visibleText(raw.toString("utf8"))) : raw);
  }
  if (flags.html) {
    if (!message.html) throw new CliError("The message has no HTML body.", { fix: "Read it without --html." });
    return write(io.stdout, io.isTerminal ? `${plainLines(visibleText(message.html))}\n` : message.html);
  }
  return session.show(message, () => readable(session, message));
}

async function reportSaved(io: Io, paths: string[]): Promise<void> {
  const lines = paths.length === 0 ? ["The message has no attachments."] : paths.map((path) => `Saved ${path}`);
  await write(io.stderr, `${lines.join("\n")}\n`);
}

/** Signs that a program wrote the message, or that it went to a list; "" if there are none. */
function automation({ auto_submitted, list_id, precedence }: MessageDetail): string {
  const said = [auto_submitted, list_id && `list ${list_id}`, precedence && `precedence ${precedence}`];
  return said.filter(Boolean).join(", ");
}

/** Header block, verdict, attachments, text. */
function readable({ paint }: Session, message: MessageDetail): string {
  const header = (name: string) => (message.headers ? headerValue(message.headers, name) : null);
  const replyTo = header("Reply-To") ?? message.reply_to?.join(", ");
  const isUnsigned = message.authentication?.unsigned?.includes("Reply-To");
  const head = facts(
    [
      ["From", header("From") ?? message.from],
      ["To", header("To") ?? message.to.join(", ")],
      ["Cc", header("Cc") ?? message.cc?.join(", ")],
      ["Reply-To", replyTo && isUnsigned ? `${replyTo} (not signed: replies do not go there)` : replyTo],
      ["Subject", message.subject],
      ["In-Reply-To", message.in_reply_to],
      ["Received", `${message.created_at} (${age(message.created_at, Date.now())})`],
      ["Automatic", automation(message)],
    ],
    paint,
  );
  const { mark, style } = verifiedMark(message.verified);
  const verdict = paint(style, `${mark} ${plain(verdictLine(message))}`);
  const noText = message.html ? "(HTML only: read it with --html)" : "(no text)";
  const body = plainLines(message.text ?? "").trim() || paint("dim", noText);
  const defects = (message.defects ?? []).map(({ detail }) => `\n${paint("yellow", plain(detail))}`).join("");
  return [`${head}\n${verdict}${defects}`, body, attachmentLines(message.attachments, paint)]
    .filter(Boolean)
    .join("\n\n");
}
