/** The server as commands reach it: through the SDK, which asks once, so that a person hears at once what is wrong. */
import { E2AClient } from "../../../sdks/typescript/src/index.ts";
import { version } from "../../util/version.ts";
import { CliError, exitCode } from "./failure.ts";
import type { Settings } from "./settings.ts";

/** A message or an attachment may be 25 MiB over a slow line. */
export const DOWNLOAD_TIMEOUT_MS = 300_000;

/** The client for one server and one key. What it throws, `asCliError` puts into words. */
export function connect(url: string, apiKey: string): E2AClient {
  return new E2AClient({
    baseUrl: url,
    apiKey,
    retries: 0,
    headers: { accept: "application/json", "user-agent": `e2a/${version}` },
  });
}

/** The failure of a command that needs a key and has none: exit code 4. */
export function noKey({ url, api_key: { keptFor } }: Settings, fix: string): CliError {
  return new CliError(`No API key for ${url.value}.`, {
    exit: exitCode.auth,
    code: "unauthenticated",
    fix: keptFor === undefined ? fix : `The stored key is for ${keptFor} and goes nowhere else. ${fix}`,
  });
}
