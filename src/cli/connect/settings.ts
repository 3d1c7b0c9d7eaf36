/**
 * The server, the key and the agent that commands use: from flags, then `E2A_*` variables, then the user's config file,
 * then the default.
 */
import { randomBytes } from "node:crypto";
import { chmod, mkdir, open, readFile, rename, rm } from "node:fs/promises";
import { homedir } from "node:os";
import { dirname, isAbsolute, join } from "node:path";
import type { Io } from "../terminal/io.ts";
import { CliError, usageError } from "./failure.ts";

export const settingNames = ["url", "api_key", "agent"] as const;
export type SettingName = (typeof settingNames)[number];
export type Source = "flag" | "environment" | "file" | "default" | "unset";

export interface Setting {
  value: string | null;
  source: Source;
  /** The server that the stored key belongs to, if that is not the one in effect; the key is then not used. */
  keptFor?: string;
}
export type Settings = Record<SettingName, Setting>;

/** Members of `config.json`. Unknown members are kept when it is written. */
export type StoredSettings = { [member: string]: unknown } & Partial<Record<SettingName, string>>;

const defaultUrl = "http://127.0.0.1:8080";
const variables: Record<SettingName, string> = { url: "E2A_URL", api_key: "E2A_API_KEY", agent: "E2A_AGENT_EMAIL" };

type Place = Pick<Io, "env" | "platform">;

/**
 * The user's `config.json`: `%APPDATA%\e2a` on Windows, `~/Library/Application Support/e2a` on macOS, else
 * `$XDG_CONFIG_HOME/e2a` or `~/.config/e2a` (XDG Base Directory 0.8: a relative value is ignored).
 * An absolute XDG_CONFIG_HOME also counts on macOS.
 */
export function settingsPath({ env, platform }: Place): string {
  const home = env.HOME || env.USERPROFILE || homedir();
  const file = "config.json";
  if (platform === "win32") return join(env.APPDATA || join(home, "AppData", "Roaming"), "e2a", file);
  const xdg = env.XDG_CONFIG_HOME;
  if (xdg && isAbsolute(xdg)) return join(xdg, "e2a", file);
  if (platform === "darwin") return join(home, "Library", "Application Support", "e2a", file);
  return join(home, ".config", "e2a", file);
}

/**
 * The effective settings, each with its source. A stored key belongs to the server stored with it, and is not sent to
 * another server named by a flag or a variable. Throws CliError if the file or the URL is unusable.
 */
export async function loadSettings(place: Place, flags: Partial<Record<SettingName, string>>): Promise<Settings> {
  const stored = await readStored(place);
  const pick = (name: SettingName): Setting => {
    if (flags[name]) return { value: flags[name], source: "flag" };
    const fromEnv = place.env[variables[name]];
    if (fromEnv) return { value: fromEnv, source: "environment" };
    if (stored[name]) return { value: stored[name], source: "file" };
    return name === "url" ? { value: defaultUrl, source: "default" } : { value: null, source: "unset" };
  };
  const { value: wanted, source } = pick("url");
  const url = serverUrl(wanted ?? defaultUrl);
  const key = pick("api_key");
  const isElsewhere = key.source === "file" && stored.url !== undefined && normalUrl(stored.url) !== url;
  return {
    url: { value: url, source },
    api_key: isElsewhere ? { value: null, source: "unset", keptFor: stored.url ?? "" } : key,
    agent: pick("agent"),
  };
}

/** The server's base URL without a trailing slash or `/api/v1`, as users paste it. Usage error if not http(s). */
export function serverUrl(text: string): string {
  const url = normalUrl(text);
  if (url === null) throw usageError(`"${text}" is not a server URL.`, `Give it whole, for example ${defaultUrl}`);
  return url;
}

function normalUrl(text: string): string | null {
  const url = URL.parse(text);
  if (url === null || !["http:", "https:"].includes(url.protocol)) return null;
  const path = url.pathname.replace(/\/+$/, "").replace(/\/api(\/v1)?$/, "");
  return `${url.origin}${path}`;
}

/** The file's content; {} if there is none. */
async function readStored(place: Place): Promise<StoredSettings> {
  const path = settingsPath(place);
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return {};
    throw new CliError(`${path} cannot be read: ${(error as Error).message}`, { cause: error });
  }
  const content = parseObject(text);
  if (content === null) throw usageError(`${path} is not a JSON object.`, "Mend or delete it, then run `e2a login`.");
  for (const name of settingNames) {
    if (content[name] !== undefined && typeof content[name] !== "string") {
      throw usageError(`"${name}" in ${path} is not a string.`, `Run \`e2a config set ${name} …\`.`);
    }
  }
  return content as StoredSettings;
}

function parseObject(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : null;
  } catch {
    return null;
  }
}

/**
 * Merges `change` into the file; null removes a member. The new file replaces the old one in one step and is readable
 * by its owner only (0600, its folder 0700), since it holds an API key.
 */
export async function writeStored(place: Place, change: Partial<Record<SettingName, string | null>>): Promise<void> {
  const path = settingsPath(place);
  const content: Record<string, unknown> = { ...(await readStored(place)), ...change };
  for (const [member, value] of Object.entries(content)) if (value === null) delete content[member];
  const folder = dirname(path);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await chmod(folder, 0o700);
  const draft = `${path}.${randomBytes(6).toString("hex")}`;
  try {
    const file = await open(draft, "wx", 0o600);
    try {
      await file.writeFile(`${JSON.stringify(content, null, 2)}\n`);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(draft, path);
  } catch (error) {
    await rm(draft, { force: true });
    throw new CliError(`${path} cannot be written: ${(error as Error).message}`, { cause: error });
  }
}
