/** The server as commands reach it: through the SDK, without retries, so that errors are reported at once. */
import { E2AClient } from "../../../sdks/typescript/src/index.ts";
import { version } from "../../util/version.ts";
import { CliError, exitCode } from "./failure.ts";
import type { Settings } from "./settings.ts";

/** A message or an attachment may be 25 MiB, over a slow connection. */
export const DOWNLOAD_TIMEOUT_MS = 300_000;

/** Makes the client for one server and one key. `asCliError` explains the errors it throws. */
export function connect(url: string, apiKey: string): E2AClient {
  return new E2AClient({
    baseUrl: url,
    apiKey,
    retries: 0,
    headers: { accept: "application/json", "user-agent": `e2a/${version}` },
  });
}

/** The failure of a command that needs a key but has none: exit code 4. */
export function noKey({ url, api_key: { keptFor } }: Settings, fix: string): CliError {
  return new CliError(`No API key for ${url.value}.`, {
    exit: exitCode.auth,
    code: "unauthenticated",
    fix: keptFor === undefined ? fix : `The stored key is for ${keptFor} and goes nowhere else. ${fix}`,
  });
}
