/** `e2a login`: stores the server's URL and an API key after checking that they work together. */
import { Command, Option } from "commander";
import { connect } from "../connect/connect.ts";
import { CliError, serverFailure, unreachable, usageError } from "../connect/failure.ts";
import { openSession, type Session } from "../connect/session.ts";
import { serverUrl, settingsPath, writeStored } from "../connect/settings.ts";
import { example } from "../terminal/help.ts";
import { canAsk, type Io, readAll, write } from "../terminal/io.ts";
import { plain } from "../terminal/output.ts";
import { positiveInteger } from "../terminal/paging.ts";
import { secret, select, text } from "../terminal/prompts.ts";
import { listenForKey } from "./key-callback.ts";
import { openBrowser } from "./open-browser.ts";

/** Enough to find a phone for an identity provider, or a link in the mail. */
const WAIT_SECONDS_DEFAULT = 600;
/** Short, because the user is waiting. */
const METHODS_TIMEOUT_MS = 10_000;

interface LoginFlags {
  apiKeyStdin?: boolean;
  /** False with --no-browser. */
  browser: boolean;
  wait: number;
}

export function loginCommand(io: Io): Command {
  const command = new Command("login")
    .summary("store the server and an API key")
    .description(
      "Opens the server's sign-in page in your browser, which brings back an API key; or asks for one. The key is checked, " +
        "and stored with the server's URL in the config file (readable by you only).",
    )
    .option("--no-browser", "only print the page's address; open it on this computer")
    .addOption(
      new Option("--wait <seconds>", "how long to wait for the browser")
        .argParser(positiveInteger)
        .default(WAIT_SECONDS_DEFAULT),
    )
    .option("--api-key-stdin", "read the key from standard input instead")
    .action(async (flags: LoginFlags, command: Command) => {
      const session = await openSession(io, command);
      const { settings } = session;
      if (flags.apiKeyStdin) return store(session, settings.url.value ?? "", await fromStdin(session));
      const asks = canAsk(io) && !session.json;
      if (!asks && flags.browser)
        throw usageError(
          "There is no terminal to choose a way to sign in.",
          'Try: printf %s "$KEY" | e2a login --api-key-stdin, or e2a login --no-browser',
        );
      const url = asks ? await askForServer(session) : (settings.url.value ?? "");
      const byBrowser = await signsInByBrowser(url);
      if (byBrowser && (!flags.browser || (await wantsBrowser(io)))) return fromBrowser(session, url, flags);
      if (!asks)
        throw new CliError(`${url} cannot be signed in to with a browser.`, {
          code: "not_supported",
          fix: 'Try: printf %s "$KEY" | e2a login --api-key-stdin',
        });
      return store(session, url, await secret(io, "API key"));
    });
  return example(command, [
    "e2a login",
    "e2a login --url https://mail.example.com --no-browser",
    'printf %s "$KEY" | e2a login --url https://mail.example.com --api-key-stdin',
  ]);
}

/** Whether this server has a sign-in page for browsers; needs no key. */
async function signsInByBrowser(url: string): Promise<boolean> {
  try {
    const signal = AbortSignal.timeout(METHODS_TIMEOUT_MS);
    const response = await fetch(`${url}/api/auth/methods`, { redirect: "manual", signal });
    await response.body?.cancel();
    return response.ok;
  } catch (cause) {
    throw unreachable(url, cause);
  }
}

async function fromStdin({ io }: Session): Promise<string> {
  const apiKey = (await readAll(io.stdin)).trim();
  if (apiKey !== "") return apiKey;
  throw usageError("Standard input held no key.", 'Try: printf %s "$KEY" | e2a login --api-key-stdin');
}

async function askForServer({ io, settings }: Session): Promise<string> {
  const known = settings.url.value ?? "";
  if (settings.url.source === "flag") return known;
  const check = (value: string) => (URL.canParse(value) ? undefined : "A whole URL, such as https://mail.example.com.");
  return serverUrl(await text(io, "Server", { initialValue: known, check }));
}

async function wantsBrowser(io: Io): Promise<boolean> {
  const way = await select(io, "How do you want to sign in?", [
    { value: "browser", label: "In the browser" },
    { value: "key", label: "With an API key" },
  ]);
  return way === "browser";
}

/** Waits for the browser to bring a key, and shows in the browser how it ended. */
async function fromBrowser(session: Session, url: string, flags: LoginFlags): Promise<void> {
  const { io } = session;
  const callback = listenForKey();
  let problem: string | null = "it was broken off.";
  try {
    const query = new URLSearchParams({ cli_callback: callback.url, cli_state: callback.state });
    const page = `${url}/api/auth/login?${query}`;
    const key = within(io, callback.key, flags.wait);
    // Awaited below, after the user has read what to do.
    key.catch(() => {});
    const opened = flags.browser && openBrowser(io, page);
    await write(
      io.stderr,
      `${opened ? "Your browser opens. If it does not, open" : "Open"} this page on this computer:\n  ${page}\nWaiting for you to sign in there …\n`,
    );
    await store(session, url, await key);
    problem = null;
  } catch (error) {
    problem = error instanceof Error ? error.message : String(error);
    throw error;
  } finally {
    await callback.close(problem);
  }
}

/** Waits for a promise. Throws if it takes longer than `seconds`, or if the user interrupts. */
async function within<T>(io: Io, promise: Promise<T>, seconds: number): Promise<T> {
  const { promise: broken, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => {
    const fix = "Run `e2a login` again, or give it a key: `e2a login --api-key-stdin`.";
    reject(new CliError(`No sign-in within ${seconds} seconds.`, { code: "timeout", fix }));
  }, seconds * 1000);
  const release = io.onInterrupt(() => reject(new CliError("Cancelled.", { code: "cancelled" })));
  try {
    return await Promise.race([promise, broken]);
  } finally {
    clearTimeout(timer);
    release();
  }
}

/** Checks the key at its server, and stores both. */
async function store(session: Session, url: string, apiKey: string): Promise<void> {
  const { io } = session;
  const email = await whoseKey(url, apiKey);
  await writeStored(io, { url, api_key: apiKey });
  await session.show({ url, email }, () => {
    const who = email === null ? "with a key for one agent" : `as ${plain(email)}`;
    return `${session.paint("green", "✓")} Logged in to ${url} ${who}. Stored in ${settingsPath(io)}.`;
  });
}

/** The account's address; null for a valid key that may not see the account (403: the key of one agent). */
async function whoseKey(url: string, apiKey: string): Promise<string | null> {
  try {
    return (await connect(url, apiKey).account.get()).email;
  } catch (error) {
    if (serverFailure(error)?.problem.status === 403) return null;
    throw error;
  }
}
