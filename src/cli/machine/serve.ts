/** `e2a serve`: runs the server until SIGINT or SIGTERM. */
import { Command } from "commander";
import type { App } from "../../app.ts";
import { CliError } from "../connect/failure.ts";
import { example } from "../terminal/help.ts";
import { type Io, write } from "../terminal/io.ts";
import { facts, painter } from "../terminal/output.ts";
import { type ServerFlags, serverConfig, serverOptions } from "./server-config.ts";

/** How long a user at a terminal waits for upstreams to answer. */
const UPSTREAM_WAIT_MS = 3_000;

interface ServeFlags extends ServerFlags {
  printConfig?: boolean;
}

export function serveCommand(io: Io): Command {
  const command = new Command("serve")
    .summary("run the server")
    .description(
      "Runs the SMTP relay, the HTTP API, the WebSocket hub and the dashboard. Without any configuration it is a " +
        "development server on this machine, with SQLite in the data folder.",
    )
    .option("--print-config", "show the effective configuration, secrets masked, and leave")
    .action(async (flags: ServeFlags) => {
      const config = await serverConfig(io, flags);
      const { printComplaint, printConfig } = await import("../../config.ts");
      if (flags.printConfig) return write(io.stdout, printConfig(config));
      for (const warning of config.warnings) await write(io.stderr, `warning:\n${printComplaint(warning)}\n`);
      // The server is loaded only here, so that other commands start fast.
      const { start } = await import("../../app.ts");
      // A signal means "stop" from the first moment, even while the server starts.
      const stopped = new Promise<void>((resolve) => io.onInterrupt(resolve));
      const app = await start(config).catch(explainStart);
      await announce(app, io);
      await stopped;
      if (io.isTerminal) await write(io.stderr, "Stopping: finishing what is in hand …\n");
      await app.close();
      // A look-up or a write that hangs would keep the process until it ends.
      await io.leave();
    });
  return example(serverOptions(command), [
    "e2a serve",
    "e2a serve --set http.listen_addr=:9000 --set shared_domain=agents.example.com",
    "e2a serve --config /etc/e2a/config.yaml --print-config",
  ]);
}

/** Says where everything is: as text on a terminal, as one line of JSON in a pipe. */
async function announce(app: App, io: Io): Promise<void> {
  const { config } = app;
  const url = config.http.publicUrl ?? app.httpUrl;
  const smtp = `${app.smtp.host.includes(":") ? `[${app.smtp.host}]` : app.smtp.host}:${app.smtp.port}`;
  const store = config.database.kind === "sqlite" ? `SQLite, ${config.database.path}` : "Postgres";
  const signIn = await app.signInLink();
  const mailOut = await describeMailOut(app);
  if (!io.isTerminal) {
    const line = { event: "ready", env: config.env, http: app.httpUrl, smtp, url, data_dir: config.dataDir };
    return write(
      io.stdout,
      `${JSON.stringify({ ...line, store, shared_domain: config.sharedDomain, mail_out: mailOut, sign_in: signIn })}\n`,
    );
  }
  const paint = painter(io.colour.stdout);
  const rows: [string, string][] = [
    ["HTTP", app.httpUrl + (config.http.publicUrl ? `  (public: ${config.http.publicUrl})` : "")],
    ["SMTP", `${smtp}  (STARTTLS${app.smtp.selfSigned ? ", self-signed" : ""})`],
    ["Addresses", `*@${config.sharedDomain}`],
    ...mailOut.map((line, i): [string, string] => [i === 0 ? "Mail out" : "", line]),
    ["Data", config.dataDir],
    ["Store", store],
  ];
  const first = (await app.store.firstUser()) === null;
  const text = [
    "",
    `${paint("bold", "e2a")} is running (${config.env}).`,
    "",
    facts(rows, paint),
    "",
    first
      ? "Open this link once, within 15 minutes, to make the owner's account:"
      : "Sign in once with this link, within 15 minutes:",
    `  ${paint("cyan", signIn)}`,
    ...(first ? ["Or, on the command line: e2a bootstrap --email you@example.com"] : []),
    "",
    paint("dim", "Ctrl-C stops it."),
    "",
  ];
  return write(io.stdout, `${text.join("\n")}\n`);
}

/** Where outbound mail goes, and whether signing in there works: one line for each upstream. */
async function describeMailOut(app: App): Promise<string[]> {
  const { config } = app;
  const later = new Promise<null>((resolve) => setTimeout(resolve, UPSTREAM_WAIT_MS, null).unref());
  const checks = await Promise.race([app.upstreams, later]);
  if (checks === null) return ["the upstream has not answered yet; the log says when it does"];
  const lines = checks.map(({ lane, name, result }) => {
    const whose = lane.includes(" ") ? `${lane.split(" ")[1]}: ` : "";
    if (!result.ok) return `${whose}${result.error} Mail waits until then.`;
    const how = [result.tls ?? "not encrypted", ...(result.signedIn ? ["signed in"] : [])].join(", ");
    return `${whose}${name}  (${how})`;
  });
  if (config.outboundSmtp.host !== null) return lines;
  const otherwise =
    config.env === "development"
      ? "kept here and not sent (set outbound_smtp.host to send)"
      : "refused: no upstream is configured (set outbound_smtp.host)";
  return [...lines, otherwise];
}

/** Says in one sentence why the server cannot start, with a remedy. */
function explainStart(error: unknown): never {
  const { code, address, port, message } = error as NodeJS.ErrnoException & { address?: string; port?: number };
  const where = port ? `${address ?? ""}:${port}` : "an address";
  if (code === "EADDRINUSE")
    throw new CliError(`${where} is already in use.`, {
      code: "address_in_use",
      fix: "Stop the program that uses it, or choose another address with --set http.listen_addr=:9000 or --set smtp.listen_addr=:2526.",
      cause: error,
    });
  if (code === "EACCES")
    throw new CliError(`This user may not open ${where} or the data folder: ${message}`, {
      code: "not_permitted",
      fix: "Ports below 1024 need a privilege (see docs/systemd); the data folder must be writable (--data-dir).",
      cause: error,
    });
  throw error;
}
