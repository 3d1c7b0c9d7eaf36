/** `e2a login`: stores the server's URL and an API key, once they are known to work together. */
import { Command } from "commander";
import { Client } from "./client.ts";
import { CliError, usageError } from "./failure.ts";
import { example } from "./help.ts";
import { canAsk, type Io, readAll } from "./io.ts";
import { plain } from "./output.ts";
import { secret, text } from "./prompts.ts";
import { openSession, type Session } from "./session.ts";
import { serverUrl, settingsPath, writeStored } from "./settings.ts";

interface LoginFlags {
  apiKeyStdin?: boolean;
}

export function loginCommand(io: Io): Command {
  const command = new Command("login")
    .summary("store the server and your API key")
    .description(
      "Asks for the server's URL and an API key, checks them, and stores both in the config file (readable by you only).",
    )
    .option("--api-key-stdin", "read the key from standard input instead of asking")
    .action(async (flags: LoginFlags, command: Command) => {
      const session = await openSession(io, command);
      const { url, apiKey } = flags.apiKeyStdin ? await fromStdin(session) : await fromPrompts(session);
      const email = await whoseKey(url, apiKey);
      await writeStored(io, { url, api_key: apiKey });
      await session.show({ url, email }, () => {
        const who = email === null ? "with a key for one agent" : `as ${plain(email)}`;
        return `${session.paint("green", "✓")} Logged in to ${url} ${who}. Stored in ${settingsPath(io)}.`;
      });
    });
  return example(command, ["e2a login", 'printf %s "$KEY" | e2a login --url https://mail.example.com --api-key-stdin']);
}

interface Credentials {
  url: string;
  apiKey: string;
}

async function fromStdin({ io, settings }: Session): Promise<Credentials> {
  const apiKey = (await readAll(io.stdin)).trim();
  if (apiKey === "")
    throw usageError("Standard input held no key.", 'Try: printf %s "$KEY" | e2a login --api-key-stdin');
  return { url: settings.url.value ?? "", apiKey };
}

async function fromPrompts({ io, settings, json }: Session): Promise<Credentials> {
  if (!canAsk(io) || json)
    throw usageError("Nobody is here to type a key.", 'Try: printf %s "$KEY" | e2a login --api-key-stdin');
  const known = settings.url.value ?? "";
  const check = (value: string) => (URL.canParse(value) ? undefined : "A whole URL, such as https://mail.example.com.");
  const url =
    settings.url.source === "flag" ? known : serverUrl(await text(io, "Server", { initialValue: known, check }));
  return { url, apiKey: await secret(io, "API key") };
}

/** The account's address; null for a valid key that may not see the account (403: a key of one agent). */
async function whoseKey(url: string, apiKey: string): Promise<string | null> {
  try {
    return (await new Client(url, apiKey).me()).email;
  } catch (error) {
    if (error instanceof CliError && error.problem.status === 403) return null;
    throw error;
  }
}
