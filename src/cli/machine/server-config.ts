/**
 * The options by which `serve` and `bootstrap` find their configuration: flags override E2A_*, which overrides YAML,
 * which overrides defaults.
 */
import { type Command, InvalidArgumentError } from "commander";
import type { Config } from "../../config.ts";
import { CliError, exitCode } from "../connect/failure.ts";
import type { Io } from "../terminal/io.ts";

export interface ServerFlags {
  config?: string;
  set?: Record<string, string>;
  dataDir?: string;
}

/** Adds the options that select the server's configuration. */
export function serverOptions(command: Command): Command {
  return command
    .option("-c, --config <file>", "the YAML file (default: ./config.yaml, then /etc/e2a/config.yaml)")
    .option("--data-dir <folder>", "where the database, keys and certificate are kept")
    .option("--set <key=value>", "set any key of config.yaml.example; may be repeated", collect);
}

function collect(pair: string, before: Record<string, string> = {}): Record<string, string> {
  const at = pair.indexOf("=");
  if (at <= 0) throw new InvalidArgumentError("Write it as key=value, for example http.listen_addr=:9000.");
  return { ...before, [pair.slice(0, at)]: pair.slice(at + 1) };
}

/** Loads the configuration. Throws a CliError with exit code 2 that lists every complaint. */
export async function serverConfig(io: Io, flags: ServerFlags): Promise<Config> {
  // Loaded only here, so that other commands start without the schema.
  const { ConfigError, loadConfig } = await import("../../config.ts");
  const given = { ...flags.set, ...(flags.dataDir ? { data_dir: flags.dataDir } : {}) };
  try {
    return loadConfig({ env: io.env, flags: given, ...(flags.config ? { file: flags.config } : {}) });
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    throw new CliError(error.message, {
      exit: exitCode.usage,
      code: "config",
      fix: "config.yaml.example explains each key; `e2a serve --print-config` shows what is in force.",
      cause: error,
    });
  }
}
