import { version as packageVersion } from "../../package.json" with { type: "json" };

/** The short git hash, written in by scripts/build.ts when it builds from a git checkout. */
declare const E2A_BUILD: string | undefined;

/** `0.1.0`; in a binary built from a git checkout `0.1.0+5cc746f` (semver.org, section 10). */
export const version = typeof E2A_BUILD === "string" ? `${packageVersion}+${E2A_BUILD}` : packageVersion;
