/** `e2a read`: shows one whole message. */
import { Command, Option } from "commander";
import { headerValue } from "../../mail.ts";
import { calendarLine } from "../../message/calendar/words.ts";
import { visibleText } from "../../message/text/visible.ts";
import { verdictLine } from "../../verdict.ts";
import { DOWNLOAD_TIMEOUT_MS } from "../connect/connect.ts";
import { CliError } from "../connect/failure.ts";
import { openSession, receiverOf, receiverOption, type Session } from "../connect/session.ts";
import type { AttachedMessage, MessageDetail } from "../connect/shapes.ts";
import { example } from "../terminal/help.ts";
import { type Io, write } from "../terminal/io.ts";
import { age, attachmentLines, facts, plain, plainLines, verifiedMark } from "../terminal/output.ts";
import { saveAttachments } from "./attachments.ts";

interface ReadFlags {
  peek?: boolean;
  raw?: boolean;
  html?: boolean;
  saveAttachments?: string;
  attachment?: string;
}

export function readCommand(io: Io): Command {
  const command = new Command("read")
    .summary("show one message")
    .description("Shows a message and marks it read. A pipe gets the whole message as JSON.")
    .argument("<id>", "its id, msg_…")
    .addOption(receiverOption())
    .option("--peek", "leave it unread")
    .option("--raw", "print the message as it is stored, with its trace fields (RFC 5322)")
    .option("--html", "print the HTML body")
    .option("--save-attachments <dir>", "write its attachments into a folder")
    .addOption(
      new Option(
        "--attachment <index>",
        "show a message that is attached; 2.0 is one attached to the attached message 2",
      ).conflicts("saveAttachments"),
    )
    .action(async (id: string, flags: ReadFlags, command: Command) => {
      const session = await openSession(io, command);
      const agent = await receiverOf(session, id);
      const { messages } = session.client;
      const how = { agent, timeoutMs: DOWNLOAD_TIMEOUT_MS };
      const { attachment } = flags;
      if (attachment !== undefined) {
        const raw = () => messages.attachment(id, attachment, how);
        return printAttached(session, await messages.attachedMessage(id, attachment, how), raw, flags);
      }
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
  if (flags.raw) return printRaw(session, Buffer.from(message.raw_message, "base64"));
  if (flags.html) return printHtml(session, message.html);
  return session.show(message, () => readable(session, message));
}

async function printAttached(
  session: Session,
  message: AttachedMessage,
  raw: () => Promise<Uint8Array>,
  flags: ReadFlags,
): Promise<void> {
  if (flags.raw) return printRaw(session, Buffer.from(await raw()));
  if (flags.html) return printHtml(session, message.html);
  return session.show(message, () => readableAttached(session, message, flags.attachment ?? ""));
}

/** A file gets the exact bytes; a terminal gets text that cannot harm it. */
function printRaw({ io }: Session, raw: Buffer): Promise<void> {
  return write(io.stdout, io.isTerminal ? plainLines(visibleText(raw.toString("utf8"))) : raw);
}

async function printHtml({ io }: Session, html: string | null | undefined): Promise<void> {
  if (!html) throw new CliError("The message has no HTML body.", { fix: "Read it without --html." });
  return write(io.stdout, io.isTerminal ? `${plainLines(visibleText(html))}\n` : html);
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

/** Header block, verdict, defects, text, attachments. */
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
      ["Calendar", message.calendar && calendarLine(message.calendar)],
    ],
    paint,
  );
  const { mark, style } = verifiedMark(message.verified);
  const verdict = paint(style, `${mark} ${plain(verdictLine(message))}`);
  const top = [head, verdict, ...defectLines(message.defects, paint)].join("\n");
  return [top, bodyOf(message, paint), attachmentLines(message.attachments, paint)].filter(Boolean).join("\n\n");
}

/** A line for each defect, so that what is shown is not taken for the whole message. */
function defectLines(defects: MessageDetail["defects"], paint: Session["paint"]): string[] {
  return (defects ?? []).map(({ detail }) => paint("yellow", `! ${plain(detail)}`));
}

function bodyOf({ html, text }: { html?: string | null; text?: string }, paint: Session["paint"]): string {
  const noText = html ? "(HTML only: read it with --html)" : "(no text)";
  return plainLines(text ?? "").trim() || paint("dim", noText);
}

function readableAttached({ paint }: Session, message: AttachedMessage, place: string): string {
  const header = (name: string) => headerValue(message.headers, name);
  const head = facts(
    [
      ["From", header("From") ?? message.from],
      ["To", header("To") ?? message.to.join(", ")],
      ["Cc", header("Cc") ?? message.cc?.join(", ")],
      ["Subject", message.subject],
      ["Date", message.date],
      ["Calendar", message.calendar && calendarLine(message.calendar)],
    ],
    paint,
  );
  const verdict = paint("yellow", "✗ attached to another message: nothing proves who wrote it");
  const files = message.attachments.map((file) => ({ ...file, index: `${place}.${file.index}` }));
  const top = [head, verdict, ...defectLines(message.defects, paint)].join("\n");
  return [top, bodyOf(message, paint), attachmentLines(files, paint)].filter(Boolean).join("\n\n");
}
