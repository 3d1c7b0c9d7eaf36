/** `e2a bootstrap`: the first account and its API key, without a browser, on the server's own machine. */
import { Command } from "commander";
import { usageError } from "../connect/failure.ts";
import { example } from "../terminal/help.ts";
import { type Io, write } from "../terminal/io.ts";
import { painter } from "../terminal/output.ts";
import { type ServerFlags, serverConfig, serverOptions } from "./server-config.ts";

interface BootstrapFlags extends ServerFlags {
  email: string;
  name?: string;
}

/** The form of an account's address; only mail to it can prove more. */
const addressPattern = /^[^\s@<>",;:\\]{1,64}@[^\s@<>",;:\\]{1,255}$/;

export function bootstrapCommand(io: Io): Command {
  const command = new Command("bootstrap")
    .summary("make an account and show an API key once")
    .description(
      "Makes the account for an address, or finds it, and prints a new API key. Works on the server's own store, so it " +
        "needs the same configuration as `e2a serve`; the server may be running. `e2a -config FILE -bootstrap-email ADDRESS` " +
        "does the same.",
    )
    .requiredOption("--email <address>", "the account's address")
    .option("--name <name>", "the account's name")
    .action(async (flags: BootstrapFlags, command: Command) => {
      if (!addressPattern.test(flags.email))
        throw usageError(`"${flags.email}" is not an email address.`, "Try: e2a bootstrap --email you@example.com");
      const { user, key } = await makeAccount(io, flags);
      if (command.optsWithGlobals().json)
        return write(io.stdout, `${JSON.stringify({ user: { id: user.id, email: user.email }, api_key: key })}\n`);
      await write(io.stdout, `User:    ${user.email} (id=${user.id})\nAPI key: ${key}\n`);
      if (io.isTerminal) {
        const paint = painter(io.colour.stderr);
        await write(io.stderr, paint("dim", "The key is shown only now. Store it with: e2a login\n"));
      }
    });
  return example(serverOptions(command), ["e2a bootstrap --email you@example.com"]);
}

async function makeAccount(io: Io, flags: BootstrapFlags) {
  const config = await serverConfig(io, flags);
  const [{ openEngine }, { createStore }, { createOwner, issueKey }, { openMasterKey }, { silentLog }] =
    await Promise.all([
      import("../../app.ts"),
      import("../../store/store.ts"),
      import("../../accounts.ts"),
      import("../../master-key.ts"),
      import("../../util/log.ts"),
    ]);
  const store = createStore(await openEngine(config, silentLog, "command"));
  try {
    const { vault } = await openMasterKey(
      { encryptionKey: config.signing.encryptionKey, dataDir: config.dataDir },
      store,
    );
    const now = new Date();
    const user =
      (await store.findUserByEmail(flags.email)) ??
      (await createOwner(store, vault, { email: flags.email, name: flags.name ?? "", now }));
    const { key } = await issueKey(store, {
      userId: user.id,
      name: "bootstrap",
      scope: "account",
      agentId: null,
      expiresAt: null,
      now,
    });
    return { user, key };
  } finally {
    await store.close();
  }
}
