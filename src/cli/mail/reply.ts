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
  wait: boolean;
  conversation?: string;
}

export function replyCommand(io: Io): Command {
  const command = new Command("reply")
    .summary("answer a message")
    .description(
      "Answers a message in its conversation, at the address that its sender asked for. Quotes nothing. Without --body, reads the text from standard input.",
    )
    .argument("<id>", "its id, msg_…")
    .addOption(receiverOption())
    .option("--all", "also to everyone else who received it");
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
        ...(flags.conversation ? { conversation_id: flags.conversation } : {}),
      };
      const agent = await receiverOf(session, id);
      await transmit(session, flags.wait, (options) => session.client.messages.reply(id, reply, { ...options, agent }));
    });
  return example(command, [
    "e2a reply msg_00112233445566778899aabbccddeeff --body 'Thank you.'",
    "e2a reply msg_00112233445566778899aabbccddeeff --all --body-file answer.txt --attach chart.png",
  ]);
}

interface ForwardFlags extends ContentFlags {
  to: string[];
  include?: NonNullable<NewForward["include"]>;
  wait: boolean;
}

export function forwardCommand(io: Io): Command {
  const command = new Command("forward")
    .summary("pass a message on")
    .description("Forwards a message, with a text of your own before it if you like (--body - pipes it).")
    .argument("<id>", "its id, msg_…")
    .addOption(receiverOption())
    .addOption(
      addressOption("--to <addresses>", "recipients; repeat it, or separate them by commas").makeOptionMandatory(),
    )
    .addOption(new Option("--include <what>", "what to include of it").choices(inclusions));
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
      };
      const agent = await receiverOf(session, id);
      await transmit(session, flags.wait, (options) =>
        session.client.messages.forward(id, forward, { ...options, agent }),
      );
    });
  return example(command, [
    "e2a forward msg_00112233445566778899aabbccddeeff --to bob@example.com --body 'For you.'",
    "e2a forward msg_00112233445566778899aabbccddeeff --to bob@example.com --include attachments",
  ]);
}
