/**
 * The sources of configuration: flags, environment variables and a YAML file, each read into a map of key path → text
 * and source. Errors in a layer are reported to `complain`; no function here throws.
 */
import { readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { isAlias, isMap, isScalar, isSeq, LineCounter, type Node, parseDocument } from "yaml";
import { nearest } from "../util/unknown-name.ts";

export type Environment = Readonly<Record<string, string | undefined>>;

/** One error in the configuration, and what to do about it. */
export interface Complaint {
  /** Key path such as `http.listen_addr`; for unknown variables and unreadable files, their name. */
  readonly key: string;
  readonly message: string;
  /** What to do, in one sentence. */
  readonly remedy: string;
  /** `E2A_…`, `config.yaml line 12`, `the command line` or `not set`. */
  readonly source: string;
}
export type Complain = (complaint: Complaint) => void;

/** One row of the table of keys. */
export interface ConfigKey {
  /** Path in YAML, such as `http.listen_addr`. */
  readonly key: string;
  /** Environment variables that set the key: the one derived from the path, then the original's shorter ones. */
  readonly env: readonly string[];
  /** Secrets are masked when printed, and each of their variables has a variant ending in _FILE that names a file. */
  readonly secret: boolean;
  /** The default as text; null if there is none, or if it depends on other keys or the machine. */
  readonly default: string | null;
}

/** The value of one key in one layer. */
export interface Given {
  readonly text: string;
  readonly source: string;
  /** The folder that relative paths start from. */
  readonly base: string;
}
export type Layer = Map<string, Given>;

/** Reads flags by key path. Undefined means not given; a list is joined with commas. */
export function readFlags(
  flags: Readonly<Record<string, unknown>>,
  keys: readonly ConfigKey[],
  cwd: string,
  complain: Complain,
): Layer {
  const layer: Layer = new Map();
  const source = "the command line";
  for (const [key, value] of Object.entries(flags)) {
    if (value === undefined || value === null) continue;
    if (keys.some((row) => row.key === key)) layer.set(key, { text: String(value).trim(), source, base: cwd });
    else complain(unknownKey(key, source, keys));
  }
  return layer;
}

/** Reads E2A_* variables and, for secrets, the files that they name. An empty variable counts as unset. */
export function readEnvironment(env: Environment, keys: readonly ConfigKey[], cwd: string, complain: Complain): Layer {
  const layer: Layer = new Map();
  for (const { key, env: names, secret } of keys) {
    const all = secret ? names.flatMap((name) => [name, `${name}_FILE`]) : names;
    const set = all.filter((name) => env[name]);
    const [name] = set;
    if (name === undefined) continue;
    if (set.length > 1)
      complain({
        key,
        message: `${set.join(" and ")} are both set.`,
        remedy: `Keep one of them and unset the other.`,
        source: set.join(", "),
      });
    const value = env[name] ?? "";
    if (names.includes(name)) layer.set(key, { text: secret ? value : value.trim(), source: name, base: cwd });
    else {
      const text = readSecretFile(key, resolve(cwd, value), name, complain);
      if (text !== null) layer.set(key, { text, source: `${name} (${value})`, base: cwd });
    }
  }
  complainAboutMisspelt(env, keys, complain);
  return layer;
}

function readSecretFile(key: string, path: string, variable: string, complain: Complain): string | null {
  const problem = (message: string, remedy: string) => complain({ key, message, remedy, source: variable });
  try {
    const text = readFileSync(path, "utf8").replace(/\r?\n$/, "");
    if (text === "") problem(`${path} is empty.`, `Write the secret into it, or unset ${variable}.`);
    return text === "" ? null : text;
  } catch (error) {
    problem(
      `${path} cannot be read (${reason(error)}).`,
      `Let ${variable} name a file that this user may read, or unset it.`,
    );
    return null;
  }
}

/**
 * Reports only near misses: other E2A_* variables belong to the command line client, or to Kubernetes, which sets
 * E2A_PORT and E2A_SERVICE_HOST for a service named e2a.
 */
function complainAboutMisspelt(env: Environment, keys: readonly ConfigKey[], complain: Complain): void {
  const known = new Map([["E2A_CONFIG", "E2A_CONFIG"]]);
  for (const { key, env: names, secret } of keys)
    for (const name of names.flatMap((n) => (secret ? [n, `${n}_FILE`] : [n]))) known.set(name, key);
  for (const name of Object.keys(env)) {
    if (!name.startsWith("E2A_") || !env[name] || known.has(name)) continue;
    const meant = nearest(name, [...known.keys()], 2) ?? nearest(name.replace(/_FILE$/, ""), [...known.keys()], 0);
    if (meant)
      complain({
        key: known.get(meant) ?? meant,
        message: `${name} is not a variable that e2a reads.`,
        remedy: `Did you mean ${meant}? Otherwise unset it.`,
        source: name,
      });
  }
}

/** Reads the YAML file at `path`, which messages call `label`. Empty values and `null` count as not set. */
export function readYaml(path: string, label: string, keys: readonly ConfigKey[], complain: Complain): Layer {
  const layer: Layer = new Map();
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    complain({
      key: label,
      message: `The configuration file ${label} cannot be read (${reason(error)}).`,
      remedy: "Name a file that exists and that this user may read, with --config or E2A_CONFIG.",
      source: label,
    });
    return layer;
  }
  // The failsafe schema has only text, so a password 0123 stays as it was written.
  const lines = new LineCounter();
  const document = parseDocument(text, { schema: "failsafe", lineCounter: lines, prettyErrors: false });
  const at = (offset: number | undefined) => `${label} line ${lines.linePos(offset ?? 0).line}`;
  for (const problem of [...document.errors, ...document.warnings])
    complain({
      key: label,
      // The parser quotes the offending text, which may be a secret, after a colon.
      message: `YAML: ${problem.message.replace(/:.*/s, "")}.`,
      remedy: 'Correct that line; quote values that hold ": " or " #", or begin with one of * & ! % @ ` [ {.',
      source: at(problem.pos[0]),
    });
  if (document.errors.length + document.warnings.length > 0) return layer;

  const inside = (prefix: string) => keys.some((row) => row.key.startsWith(`${prefix}.`));
  const visit = (node: unknown, key: string, offset: number | undefined): void => {
    const value = isAlias(node) ? node.resolve(document) : (node as Node | null);
    const source = at(offset ?? value?.range?.[0]);
    const isKey = keys.some((row) => row.key === key);
    const wrong = (message: string, remedy: string) => complain({ key: key || label, message, remedy, source });
    if (isAlias(node) && !value)
      wrong("YAML: there is no anchor for this alias.", "Put the value in quotes if its * is meant literally.");
    else if (key !== "" && !isKey && !inside(key)) complain(unknownKey(key, source, keys));
    else if (isMap(value) && !isKey)
      for (const pair of value.items) {
        const name = isScalar(pair.key) ? String(pair.key.value) : "?";
        visit(pair.value, key === "" ? name : `${key}.${name}`, (pair.key as Node | null)?.range?.[0]);
      }
    else if (isSeq(value) && isKey && value.items.every((item) => isScalar(item)))
      layer.set(key, { text: value.items.map((item) => item.value).join(","), source, base: dirname(path) });
    else if (isScalar(value) || !value) {
      const written = String(value?.value ?? "").trim();
      if (written === "" || (value?.type === "PLAIN" && /^(null|~)$/.test(written))) return;
      if (isKey) layer.set(key, { text: written, source, base: dirname(path) });
      else wrong(`${key || label} is a section, not a value.`, `Put its keys below it, indented by two spaces.`);
    } else if (isKey) wrong(`${key} takes a value, not keys of its own.`, "Write the value on the same line.");
    else wrong(`${key || label} is a section, not a list.`, "Put its keys below it, indented by two spaces.");
  };
  visit(document.contents, "", 0);
  return layer;
}

function unknownKey(key: string, source: string, keys: readonly ConfigKey[]): Complaint {
  const paths = keys.map((row) => row.key);
  const sections = [...new Set(paths.filter((path) => path.includes(".")).map((path) => path.replace(/\..*/, "")))];
  const elsewhere = paths.filter((path) => path.endsWith(`.${key}`));
  const near = nearest(key, [...paths, ...sections], Math.max(2, Math.floor(key.length / 3)));
  const meant = elsewhere.length > 0 ? elsewhere.join(" or ") : near;
  return {
    key,
    message: `There is no key ${key}.`,
    remedy: meant ? `Did you mean ${meant}?` : "Remove it; config.yaml.example lists every key.",
    source,
  };
}

function reason(error: unknown): string {
  return (error as { code?: string }).code ?? String(error);
}
