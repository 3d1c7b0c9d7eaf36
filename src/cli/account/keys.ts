/** `e2a keys`: the account's API keys. */
import { Command } from "commander";
import type { ApiKey } from "../connect/delivery-shapes.ts";
import { chooseAgent, openSession, type Session } from "../connect/session.ts";
import { example } from "../terminal/help.ts";
import type { Io } from "../terminal/io.ts";
import { age, plain, table, until } from "../terminal/output.ts";
import { confirmDeletion } from "../terminal/prompts.ts";
import { expiresOption } from "../terminal/time-flags.ts";

const anId = "apk_00112233445566778899aabbccddeeff";

export function keysCommand(io: Io): Command {
  const command = new Command("keys")
    .summary("create, list and revoke API keys")
    .description("A key is for the whole account, or for one agent: that one reads its inbox and sends, nothing else.")
    .addCommand(createCommand(io))
    .addCommand(listCommand(io))
    .addCommand(deleteCommand(io));
  return example(command, ["e2a keys create 'my bot' --agent my-bot@e2a.localhost", "e2a keys list"]);
}

interface CreateFlags {
  agent?: string;
  expires?: string;
}

function createCommand(io: Io): Command {
  const command = new Command("create")
    .summary("make a key; it is shown once")
    .description(
      "Makes a key for the whole account, or with --agent for that agent alone, and shows it: this once, since only its " +
        "hash is stored.",
    )
    .argument("<name>", "what it is for")
    .option("-a, --agent <address>", "only this agent's inbox, and sending from it")
    .addOption(expiresOption("how long it is good"))
    .action(async (name: string, flags: CreateFlags, command: Command) => {
      const session = await openSession(io, command);
      // Only the flag restricts a key: a setting meant for other commands must not.
      const agent = flags.agent === undefined ? {} : { agent: await chooseAgent(session, flags.agent) };
      const made = await session.client.keys.create({
        name,
        scope: flags.agent === undefined ? "account" : "agent",
        ...agent,
        ...(flags.expires ? { expires_at: flags.expires } : {}),
      });
      await session.show(made, () => created(session, made));
    });
  return example(command, [
    "e2a keys create 'my bot' --agent my-bot@e2a.localhost",
    "e2a keys create deploy --expires 30d --json | jq -r .key",
  ]);
}

function created({ paint }: Session, made: ApiKey & { key: string }): string {
  const whose = made.agent === null ? "the whole account" : plain(made.agent);
  const expires = made.expires_at ? `, expires ${until(made.expires_at, Date.now())}` : "";
  const head = `${paint("green", "✓")} ${paint("bold", plain(made.name))} is a key for ${whose}${expires}.`;
  return `${head}\n\n  ${plain(made.key)}\n\nIt is shown only now. Use it as E2A_API_KEY.`;
}

function listCommand(io: Io): Command {
  const command = new Command("list")
    .alias("ls")
    .summary("list the keys")
    .description("Lists the account's keys, newest first, by their first characters.")
    .action(async (_flags: unknown, command: Command) => {
      const session = await openSession(io, command);
      const { keys } = await session.client.keys.list();
      await session.show({ keys }, () => keyTable(session, keys));
    });
  return example(command, ["e2a keys list"]);
}

function keyTable({ paint, width }: Session, keys: ApiKey[]): string {
  if (keys.length === 0) return "No keys. Make one: e2a keys create NAME";
  const now = Date.now();
  const isOver = ({ expires_at: at }: ApiKey) => at !== null && Date.parse(at) <= now;
  return table<ApiKey>(
    [
      { title: "NAME", value: ({ name }) => name, shrinks: true, style: () => "bold" },
      { title: "FOR", value: ({ agent }) => agent ?? "account", shrinks: true },
      { title: "BEGINS", value: ({ key_prefix }) => key_prefix },
      { title: "USED", value: ({ last_used_at: at }) => (at ? age(at, now) : "never") },
      {
        title: "EXPIRES",
        value: (key) => (isOver(key) ? "expired" : key.expires_at ? until(key.expires_at, now) : "never"),
        style: (key) => (isOver(key) ? "red" : null),
      },
      { title: "AGE", value: ({ created_at }) => age(created_at, now) },
      { title: "ID", value: ({ id }) => id, style: () => "dim" },
    ],
    keys,
    { width, paint },
  );
}

function deleteCommand(io: Io): Command {
  const command = new Command("delete")
    .summary("revoke a key")
    .description(
      "Revokes a key at once, and closes the connections that use it. Asks first; in a pipe --yes is needed.",
    )
    .argument("<id>", "its id, apk_…")
    .option("-y, --yes", "do not ask")
    .action(async (id: string, flags: { yes?: boolean }, command: Command) => {
      const session = await openSession(io, command);
      await confirmDeletion(io, `Revoke the key ${id}? Whatever uses it is shut out at once.`, flags.yes);
      await session.client.keys.delete(id);
      await session.show({ id, status: "deleted" }, () => `${session.paint("green", "✓")} ${plain(id)} is revoked.`);
    });
  return example(command, [`e2a keys delete ${anId} --yes`]);
}
