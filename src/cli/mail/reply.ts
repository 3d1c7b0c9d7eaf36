/** `e2a reply` and `e2a forward`: answer a message, or pass it on. */
import { Command, Option } from "commander";
import { openSession, receiverOf, receiverOption } from "../connect/session.ts";
import { inclusions, type NewForward } from "../connect/shapes.ts";
import { example } from "../terminal/help.ts";
import type { Io } from "../terminal/io.ts";
import {
  addressOption,
  type ContentFlags,
  contentOptions,
  givenBody,
  neededBody,
  readContent,
  waitOption,
} from "./compose.ts";
import { transmit } from "./transmit.ts";

interface ReplyFlags extends ContentFlags {
  all?: boolean;
  quoteHistory?: boolean;
  wait: boolean;
  conversation?: string;
}

export function replyCommand(io: Io): Command {
  const command = new Command("reply")
    .summary("answer a message")
    .description(
      "Answers a message in its conversation, at the address that its sender asked for. Without --body, reads the text from standard input.",
    )
    .argument("<id>", "its id, msg_…")
    .addOption(receiverOption())
    .option("--all", "also to everyone else who received it")
    .option("--quote-history", "with the message below your text, as mail programs quote it");
  contentOptions(command)
    .option("--conversation <id>", "another conversation than the message's")
    .addOption(waitOption())
    .action(async (id: string, flags: ReplyFlags, command: Command) => {
      const session = await openSession(io, command);
      const content = await readContent(flags);
      const reply = {
        body: await neededBody(io, flags),
        ...content,
        ...(flags.all ? { reply_all: true } : {}),
        ...(flags.quoteHistory ? { quote_history: true } : {}),
        ...(flags.conversation ? { conversation_id: flags.conversation } : {}),
      };
      const agent = await receiverOf(session, id);
      await transmit(session, flags.wait, (options) => session.client.messages.reply(id, reply, { ...options, agent }));
    });
  return example(command, [
    "e2a reply msg_00112233445566778899aabbccddeeff --body 'Thank you.'",
    "e2a reply msg_00112233445566778899aabbccddeeff --all --quote-history --body-file answer.txt --attach chart.png",
  ]);
}

interface ForwardFlags extends ContentFlags {
  to: string[];
  include?: NonNullable<NewForward["include"]>;
  quoteHistory?: boolean;
  wait: boolean;
}

export function forwardCommand(io: Io): Command {
  const command = new Command("forward")
    .summary("pass a message on")
    .description(
      "Forwards a message with its text and its attachments, and a text of your own before it if you like (--body - pipes it).",
    )
    .argument("<id>", "its id, msg_…")
    .addOption(receiverOption())
    .addOption(
      addressOption("--to <addresses>", "recipients; repeat it, or separate them by commas").makeOptionMandatory(),
    )
    .addOption(
      new Option(
        "--include <what>",
        "which files to include: the message as one file, its attachments, or none",
      ).choices(inclusions),
    )
    .option("--quote-history", "with the message's text below yours (the default without --include)")
    .option("--no-quote-history", "without the message's text");
  contentOptions(command)
    .addOption(waitOption())
    .action(async (id: string, flags: ForwardFlags, command: Command) => {
      const session = await openSession(io, command);
      const content = await readContent(flags);
      const body = await givenBody(io, flags);
      const forward: NewForward = {
        to: flags.to,
        ...(body === undefined ? {} : { body }),
        ...content,
        ...(flags.include ? { include: flags.include } : {}),
        ...(flags.quoteHistory === undefined ? {} : { quote_history: flags.quoteHistory }),
      };
      const agent = await receiverOf(session, id);
      await transmit(session, flags.wait, (options) =>
        session.client.messages.forward(id, forward, { ...options, agent }),
      );
    });
  return example(command, [
    "e2a forward msg_00112233445566778899aabbccddeeff --to bob@example.com --body 'For you.'",
    "e2a forward msg_00112233445566778899aabbccddeeff --to bob@example.com --include message",
  ]);
}
