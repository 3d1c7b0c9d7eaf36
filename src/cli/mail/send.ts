/** `e2a send`: sends a new mail. */
import { Command, InvalidArgumentError } from "commander";
import { agentOption, chooseAgent, openSession, type Session } from "../connect/session.ts";
import type { NewMail } from "../connect/shapes.ts";
import { example } from "../terminal/help.ts";
import type { Io } from "../terminal/io.ts";
import { addressOption, type ContentFlags, contentOptions, neededBody, readContent, waitOption } from "./compose.ts";
import { transmit } from "./transmit.ts";

/** The flags of a new mail. */
export interface MailFlags extends ContentFlags {
  to: string[];
  subject: string;
  replyTo?: string[];
  conversation?: string;
  header?: Record<string, string>;
}

export function sendCommand(io: Io): Command {
  const command = new Command("send")
    .summary("send a mail")
    .description(
      "Sends a mail as one of your agents; without --body the text comes from the pipe. Ends with 3 when the mail is held for approval.",
    );
  mailOptions(command)
    .addOption(waitOption())
    .action(async (flags: MailFlags & { wait: boolean }, command: Command) => {
      const session = await openSession(io, command);
      const mail = await readMail(session, flags);
      await transmit(session, flags.wait, (options) => session.client.send(mail, options));
    });
  return example(command, [
    "e2a send --to bob@example.com --subject Hello --body 'Good morning.'",
    "echo done | e2a send --to a@example.com,b@example.com --subject 'Build 7'",
    "e2a send --to bob@example.com --subject Report --body-file report.txt --attach report.pdf data.csv",
  ]);
}

/** Adds the flags of a new mail. */
export function mailOptions(command: Command): Command {
  command
    .addOption(agentOption())
    .addOption(
      addressOption("--to <addresses>", "recipients; repeat it, or separate them by commas").makeOptionMandatory(),
    )
    .requiredOption("--subject <text>", "what it is about");
  return contentOptions(command)
    .addOption(addressOption("--reply-to <addresses>", "where answers go instead"))
    .option("--conversation <id>", "the conversation it belongs to")
    .option("--header <line>", "a further field, 'Name: value'; may be repeated", headerField);
}

/** Makes the mail from flags, files and standard input. */
export async function readMail(session: Session, flags: MailFlags): Promise<NewMail> {
  const content = await readContent(flags);
  const body = await neededBody(session.io, flags);
  return {
    from: await chooseAgent(session),
    to: flags.to,
    subject: flags.subject,
    body,
    ...content,
    ...(flags.replyTo ? { reply_to: flags.replyTo } : {}),
    ...(flags.conversation ? { conversation_id: flags.conversation } : {}),
    ...(flags.header ? { headers: flags.header } : {}),
  };
}

/** A field name is printable US-ASCII without the colon (RFC 5322 2.2). */
function headerField(line: string, before: Record<string, string> = {}): Record<string, string> {
  const [, name, value] = /^([!-9;-~]+):[ \t]*(.*)$/s.exec(line) ?? [];
  if (name === undefined || value === undefined) throw new InvalidArgumentError("Write it as 'Name: value'.");
  if (name in before) throw new InvalidArgumentError(`${name} is given twice.`);
  return { ...before, [name]: value };
}
