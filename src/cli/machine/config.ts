/** `e2a config`: the settings of this command line, not of the server. */
import { Argument, Command } from "commander";
import { usageError } from "../connect/failure.ts";
import { openSession } from "../connect/session.ts";
import {
  type SettingName,
  type Settings,
  serverUrl,
  settingNames,
  settingsPath,
  writeStored,
} from "../connect/settings.ts";
import { example } from "../terminal/help.ts";
import { type Io, readAll, write } from "../terminal/io.ts";
import { table } from "../terminal/output.ts";

export function configCommand(io: Io): Command {
  const command = new Command("config")
    .summary("settings of this command line")
    .description(
      "Where the server is (url), your key (api_key) and your usual agent (agent). Flags win over E2A_URL, E2A_API_KEY and E2A_AGENT_EMAIL, which win over the file. A key in the file goes to the server in the file only.",
    )
    .addCommand(listCommand(io), { isDefault: true })
    .addCommand(getCommand(io))
    .addCommand(setCommand(io))
    .addCommand(pathCommand(io));
  return example(command, ["e2a config list", "e2a config set agent my-bot@e2a.localhost"]);
}

function listCommand(io: Io): Command {
  const command = new Command("list")
    .alias("ls")
    .summary("show the settings in effect")
    .description("Shows each setting and where it comes from; the API key is masked.")
    .action(async (_flags: unknown, command: Command) => {
      const session = await openSession(io, command);
      const { paint, width } = session;
      const rows = settingNames.map((name) => ({
        name,
        value: shown(name, session.settings),
        source: session.settings[name].source,
      }));
      const values = Object.fromEntries(rows.map(({ name, value }) => [name, value]));
      await session.show(values, () =>
        table(
          [
            { title: "SETTING", value: (row) => row.name, style: () => "bold" },
            { title: "VALUE", value: (row) => row.value ?? "-" },
            { title: "FROM", value: (row) => row.source },
          ],
          rows,
          { width, paint },
        ),
      );
    });
  return example(command, ["e2a config list"]);
}

/** Enough of a key to tell two keys apart. */
const KEY_CHARACTERS_SHOWN = 8;

function shown(name: SettingName, settings: Settings): string | null {
  const { value } = settings[name];
  return name === "api_key" && value !== null ? `${value.slice(0, KEY_CHARACTERS_SHOWN)}…` : value;
}

function nameArgument(): Argument {
  return new Argument("<setting>", "which one").choices(settingNames);
}

function getCommand(io: Io): Command {
  const command = new Command("get")
    .summary("print one setting")
    .description("Prints the value in effect and nothing else, the API key whole; exit code 2 when it is not set.")
    .addArgument(nameArgument())
    .action(async (name: SettingName, _flags: unknown, command: Command) => {
      const { value } = (await openSession(io, command)).settings[name];
      if (value === null) throw usageError(`${name} is not set.`, `e2a config set ${name} …`);
      await write(io.stdout, `${value}\n`);
    });
  return example(command, [
    'curl -H "Authorization: Bearer $(e2a config get api_key)" "$(e2a config get url)/api/v1/agents"',
  ]);
}

function setCommand(io: Io): Command {
  const command = new Command("set")
    .summary("store one setting")
    .description(
      'Stores a setting in the config file (readable by you only). "-" reads the value from standard input, "" removes it.',
    )
    .addArgument(nameArgument())
    .argument("<value>", "its new value")
    .action(async (name: SettingName, given: string) => {
      const value = given === "-" ? (await readAll(io.stdin)).trim() : given;
      await writeStored(io, { [name]: value === "" ? null : name === "url" ? serverUrl(value) : value });
    });
  return example(command, ["e2a config set agent my-bot@e2a.localhost", 'printf %s "$KEY" | e2a config set api_key -']);
}

function pathCommand(io: Io): Command {
  const command = new Command("path")
    .summary("print where the settings are stored")
    .description("Prints the path of the config file, whether it exists or not.")
    .action(() => write(io.stdout, `${settingsPath(io)}\n`));
  return example(command, ['cat "$(e2a config path)"']);
}
