/**
 * The configuration: one schema, from which come the types, the defaults, the validation and the list of keys.
 * config/values.ts defines the kinds of values, config/layers.ts reads flags, variables and YAML, and
 * config/rules.ts holds the rules between keys.
 */
import { accessSync, constants, existsSync } from "node:fs";
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import {
  KindGuard,
  type StaticDecode,
  type TObject,
  type TOptional,
  type TProperties,
  type TSchema,
  type TString,
  type TTransform,
  Type,
} from "@sinclair/typebox";
import { Value } from "@sinclair/typebox/value";
import { Document, isScalar, isSeq } from "yaml";
import {
  type Complain,
  type Complaint,
  type ConfigKey,
  type Environment,
  type Given,
  type Layer,
  readEnvironment,
  readFlags,
  readYaml,
} from "./config/layers.ts";
import { checkProduction, checkTogether, type Values } from "./config/rules.ts";
import { isLoopback, maskUpstreams, upstreamsByDomain } from "./config/upstreams.ts";
import * as kind from "./config/values.ts";

export type { Complaint, ConfigKey, Environment } from "./config/layers.ts";

interface Meta {
  /** Further environment variables: the original's shorter names. */
  aliases?: string[];
  secret?: true;
  /**
   * A path on disk. A relative path starts at the YAML file's folder if it comes from YAML, otherwise at the process's
   * working directory. A file must be readable.
   */
  path?: "folder" | "file";
}

interface MetaWithDefault extends Meta {
  /** As text; a function if it depends on the keys above it or on the machine. */
  default: string | ((above: Values, place: Place) => string);
}

/** The environment of the process. `root` is the folder that contains etc/ and var/: "/", except in tests. */
interface Place {
  env: Environment;
  cwd: string;
  root: string;
  platform: NodeJS.Platform;
}

/** A key with a default always has a value; a key without one is null until it is set. */
function key<T>(kind: kind.Kind<T>, meta: MetaWithDefault): TTransform<TString, T>;
function key<T>(kind: kind.Kind<T>, meta?: Meta): TOptional<TTransform<TString, T>>;
function key<T>(kind: kind.Kind<T>, meta: Meta | MetaWithDefault = {}): TTransform<TString, T> {
  const leaf = Type.Transform(Type.String({ leaf: { ...meta, expects: kind.expects, wrongEntry: kind.wrongEntry } }))
    .Decode((text): T => {
      const value = kind.parse(text);
      if (value === undefined) throw new Error(`not ${kind.expects}`);
      return value;
    })
    .Encode((value) => kind.print(value));
  return "default" in meta ? leaf : Type.Optional(leaf);
}

const inProduction = (production: string, development: string) => (above: Values) =>
  above.env === "production" ? production : development;

/** Port 465 is TLS only (RFC 8314 3.3); a server on this machine rarely has a certificate for 127.0.0.1. */
function defaultUpstreamTls(above: Values): string {
  if (above["outbound_smtp.port"] === 465) return "implicit";
  return isLoopback(String(above["outbound_smtp.host"])) ? "off" : "starttls";
}

/** A limit for which 0 means no limit. */
const countOrNoLimit = kind.count(0, 10_000_000);

/** The keys, in the order of config.yaml.example, which documents them. */
const schema = Type.Object({
  env: key(kind.choice("development", "production"), { default: "development" }),
  shared_domain: key(kind.domainName, { default: "e2a.localhost" }),
  data_dir: key(kind.line, { path: "folder", default: (_above, place) => defaultDataDir(place) }),
  smtp: Type.Object({
    listen_addr: key(kind.listenAddress, { default: inProduction(":2525", "127.0.0.1:2525") }),
    domain: key(kind.domainName, { default: (above) => String(above.shared_domain) }),
    tls_cert: key(kind.line, { path: "file" }),
    tls_key: key(kind.line, { path: "file" }),
    max_message_size: key(kind.size("64KiB", "256MiB"), { default: "25MiB" }),
    max_bytes_in_hand: key(kind.size("1MiB", "64GiB"), { default: "256MiB" }),
    max_recipients: key(kind.count(1, 10_000), { default: "100" }),
    max_connections: key(kind.count(1, 100_000), { default: "500" }),
    max_connections_per_ip: key(kind.count(1, 100_000), { default: "20" }),
    max_messages_per_connection: key(kind.count(1, 1_000_000), { default: "100" }),
    max_messages_per_minute_per_ip: key(kind.count(1, 1_000_000), { default: "300" }),
    idle_timeout: key(kind.duration("10ms", "1h"), { default: "5m" }),
    session_timeout: key(kind.duration("10ms", "1d"), { default: "15m" }),
    proxy_trusted: key(kind.networks, { default: "" }),
  }),
  http: Type.Object({
    listen_addr: key(kind.listenAddress, { default: inProduction(":8080", "127.0.0.1:8080") }),
    public_url: key(kind.httpUrl, { aliases: ["E2A_PUBLIC_URL"] }),
    tls_cert: key(kind.line, { path: "file" }),
    tls_key: key(kind.line, { path: "file" }),
    trusted_proxies: key(kind.networks, { default: "" }),
    max_body_size: key(kind.size("64KiB", "1GiB"), { default: "40MiB" }),
    max_bytes_in_hand: key(kind.size("1MiB", "64GiB"), { default: "256MiB" }),
  }),
  metrics: Type.Object({ listen_addr: key(kind.listenAddressOrOff, { default: "off" }) }),
  database: Type.Object({
    url: key(kind.database, { secret: true, default: "sqlite:e2a.db" }),
    pool_size: key(kind.count(1, 1000), { default: "10" }),
  }),
  oauth: Type.Object({
    google_client_id: key(kind.line, { aliases: ["E2A_GOOGLE_CLIENT_ID"] }),
    google_client_secret: key(kind.line, { secret: true, aliases: ["E2A_GOOGLE_CLIENT_SECRET"] }),
    redirect_url: key(kind.httpUrl),
    oidc_issuer: key(kind.issuer),
    oidc_client_id: key(kind.line),
    oidc_client_secret: key(kind.line, { secret: true }),
    oidc_name: key(kind.line, { default: "single sign-on" }),
    allowed_emails: key(kind.emails, { default: "" }),
    allowed_domains: key(kind.domainNames, { default: "" }),
  }),
  signing: Type.Object({
    hmac_secret: key(kind.longSecret, { secret: true, aliases: ["E2A_HMAC_SECRET"] }),
    encryption_key: key(kind.encryptionKey, { secret: true }),
  }),
  outbound_smtp: Type.Object({
    host: key(kind.host),
    port: key(kind.count(1, 65_535), { default: "587" }),
    username: key(kind.line),
    password: key(kind.line, { secret: true }),
    from_domain: key(kind.domainName),
    tls: key(kind.choice("starttls", "implicit", "off"), { default: defaultUpstreamTls }),
    ca_file: key(kind.line, { path: "file" }),
    timeout: key(kind.duration("10ms", "10m"), { default: "1m" }),
    connections: key(kind.count(1, 1000), { default: "10" }),
    by_domain: key(upstreamsByDomain, { secret: true, default: "" }),
    return_path_domain: key(kind.domainName, { default: (above) => String(above.shared_domain) }),
  }),
  dns: Type.Object({
    servers: key(kind.nameServers, { default: "" }),
    timeout: key(kind.duration("10ms", "1m"), { default: "5s" }),
    cache_entries: key(kind.count(0, 10_000_000), { default: "10000" }),
  }),
  inbound: Type.Object({
    dns_trouble: key(kind.choice("accept", "defer"), { default: "accept" }),
    dmarc_reject: key(kind.choice("accept", "refuse"), { default: "accept" }),
    max_hops: key(kind.count(1, 1000), { default: "100" }),
    max_parts: key(kind.count(1, 100_000), { default: "1000" }),
    max_depth: key(kind.count(1, 1000), { default: "50" }),
    max_header_bytes: key(kind.size("1KiB", "64MiB"), { default: "1MiB" }),
  }),
  webhook: Type.Object({
    timeout: key(kind.duration("10ms", "5m"), { default: "30s" }),
    allowed_networks: key(kind.networks, { default: "" }),
    concurrency: key(kind.count(1, 10_000), { default: "128" }),
    concurrency_per_endpoint: key(kind.count(1, 10_000), { default: "8" }),
    rate_per_endpoint: key(kind.count(0, 10_000), { default: "0" }),
  }),
  retention: Type.Object({
    messages: key(kind.duration("0", "36500d"), { default: "0" }),
    deliveries: key(kind.duration("0", "36500d"), { default: "30d" }),
  }),
  limits: Type.Object({
    api_requests_per_minute: key(kind.count(1, 10_000_000), { default: "600" }),
    auth_failures_per_minute: key(kind.count(1, 10_000_000), { default: "30" }),
    sign_ins_per_minute: key(kind.count(1, 10_000_000), { default: "20" }),
    agents_per_account: key(kind.count(1, 10_000_000), { default: "1000" }),
    domains_per_account: key(kind.count(1, 10_000_000), { default: "100" }),
    websockets_per_key: key(kind.count(1, 10_000_000), { default: "100" }),
    sends_per_minute_per_agent: key(countOrNoLimit, { default: "60" }),
    send_burst_per_agent: key(kind.count(0, 10_000_000), { default: "60" }),
    sends_per_minute_per_account: key(countOrNoLimit, { default: "600" }),
    sends_per_day_per_account: key(countOrNoLimit, { default: "10000" }),
    new_recipients_per_day_per_account: key(countOrNoLimit, { default: "500" }),
    loop_messages: key(countOrNoLimit, { default: "20" }),
    loop_window: key(kind.duration("1m", "1d"), { default: "10m" }),
    recipients_per_message: key(kind.count(1, 1000), { default: "50" }),
    outbound_message_size: key(kind.size("64KiB", "256MiB"), { default: "25MiB" }),
  }),
  log: Type.Object({
    level: key(kind.choice("debug", "info", "warn", "error"), { default: "info" }),
    format: key(kind.choice("auto", "human", "json"), { default: "auto" }),
  }),
});

type Camel<Name extends string> = Name extends `${infer Head}_${infer Tail}`
  ? `${Head}${Capitalize<Camel<Tail>>}`
  : Name;
type Shape<Keys extends TProperties> = {
  readonly [K in keyof Keys & string as Camel<K>]: Keys[K] extends TObject<infer Inner>
    ? Shape<Inner>
    : Keys[K] extends TOptional<TSchema>
      ? StaticDecode<Keys[K]> | null
      : StaticDecode<Keys[K]>;
};

/**
 * The effective configuration: complete and frozen. Members are the keys in camelCase (`smtp.listen_addr` is
 * `smtp.listenAddr`). Sizes are bytes, durations milliseconds, paths absolute, networks CIDR text; null is "not set".
 */
export interface Config extends Omit<Shape<typeof schema.properties>, "database"> {
  readonly database: kind.Database & { readonly poolSize: number };
  /** Key path → the source of its value: `E2A_…`, `config.yaml line 12`, `the command line` or `default`. */
  readonly sources: Readonly<Record<string, string>>;
  /** Settings that are valid but unwise; `serve` prints them at start. */
  readonly warnings: readonly Complaint[];
}

/** All complaints about a configuration; `message` is the whole text to print before exiting with status 2. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";

  constructor(readonly complaints: readonly Complaint[]) {
    const counted = complaints.length === 1 ? "one problem" : `${complaints.length} problems`;
    super([`The configuration has ${counted}:`, ...complaints.map(printComplaint)].join("\n\n"));
  }
}

/** Formats a complaint in three lines: the key and its source, what is wrong, what to do. */
export function printComplaint({ key, source, message, remedy }: Complaint): string {
  return `  ${key} (${source})\n    ${message}\n    → ${remedy}`;
}

interface Leaf extends ConfigKey, Pick<MetaWithDefault, "path">, Pick<kind.Kind<unknown>, "expects" | "wrongEntry"> {
  readonly schema: TSchema;
  readonly standard: MetaWithDefault["default"] | undefined;
}

const leaves = flatten(schema);

const secretKeys = leaves.filter((leaf) => leaf.secret).map((leaf) => leaf.key);

/** Every key: its path, variables, default, and whether it is secret. For documentation, tests and completion. */
export const configKeys: readonly ConfigKey[] = leaves;

export interface LoadOptions {
  /** Values by key path, such as `{"http.listen_addr": ":9000"}`. */
  flags?: Readonly<Record<string, unknown>>;
  /** Default: the environment of this process. */
  env?: Environment;
  /** The YAML file. Default: $E2A_CONFIG, else ./config.yaml, else /etc/e2a/config.yaml, else none. */
  file?: string | undefined;
  cwd?: string;
  root?: string;
  platform?: NodeJS.Platform;
}

/**
 * Builds the configuration: flags override E2A_* variables, which override YAML, which overrides defaults. The defaults
 * are a development setup on loopback. Throws a ConfigError that holds every complaint.
 */
export function loadConfig(options: LoadOptions = {}): Config {
  const { env = process.env, cwd = process.cwd(), root = "/", platform = process.platform } = options;
  const place: Place = { env, cwd, root, platform };
  const complaints: Complaint[] = [];
  const warnings: Complaint[] = [];
  const complain: Complain = (complaint) => complaints.push(complaint);

  const given: Layer = new Map([
    ...readFile(options.file ?? env.E2A_CONFIG, place, complain),
    ...readEnvironment(env, leaves, cwd, complain),
    ...readFlags(options.flags ?? {}, leaves, cwd, complain),
  ]);
  const values: Record<string, unknown> = {};
  const sources: Record<string, string> = {};
  for (const leaf of leaves) {
    values[leaf.key] = decode(leaf, given.get(leaf.key), values, place, complain);
    sources[leaf.key] = given.get(leaf.key)?.source ?? "default";
  }
  checkTogether(values, sources, complaints, complain);
  if (values.env === "production")
    checkProduction(values, sources, secretKeys, complain, (warning) => warnings.push(warning));
  if (complaints.length > 0) throw new ConfigError(complaints);
  return build(values, sources, warnings);
}

/** The effective configuration as YAML, with secrets masked; a comment names the source of each value that was set. */
export function printConfig(config: Config): string {
  // The failsafe schema prints text as it is, without quotes around numbers.
  const document = new Document({}, { schema: "failsafe" });
  document.commentBefore = " The effective configuration. Values without a source are defaults.";
  for (const leaf of leaves) {
    const value = leaf.key === "database.url" ? config.database : at(config, leaf.key);
    const text = value === null && !leaf.standard ? null : String(Value.Encode(leaf.schema, value));
    const node = document.createNode(text === null ? "null" : mask(leaf, text, value));
    const source = config.sources[leaf.key] ?? "default";
    if (source !== "default" && (isScalar(node) || isSeq(node))) node.comment = ` from ${source}`;
    if (isSeq(node)) node.flow = true;
    document.setIn(leaf.key.split("."), node);
  }
  return document.toString({ lineWidth: 0 });
}

function mask(leaf: Leaf, text: string, value: unknown): string | string[] {
  const shown = leaf.secret ? maskSecret(leaf.key, text) : text;
  return Array.isArray(value) ? shown.split(",").filter((item) => item !== "") : shown;
}

/** Masks a secret. In a URL that contains a password, only the password is masked. */
function maskSecret(key: string, text: string): string {
  if (key === "database.url") return maskPassword(text);
  return key === "outbound_smtp.by_domain" ? maskUpstreams(text) : "•••• (set)";
}

/** Masks the password of a Postgres URL, in its user information or in libpq's parameters. */
function maskPassword(text: string): string {
  const url = URL.parse(text);
  if (!url || url.protocol === "sqlite:") return text;
  if (url.password) url.password = "----";
  for (const name of [...url.searchParams.keys()]) if (/password/i.test(name)) url.searchParams.set(name, "----");
  return url.href.replace(/([:=])----(?=[@&]|$)/g, "$1••••");
}

function flatten(section: TObject, prefix = ""): Leaf[] {
  return Object.entries(section.properties).flatMap(([name, property]) => {
    const key = `${prefix}${name}`;
    if (KindGuard.IsObject(property)) return flatten(property, `${key}.`);
    const {
      aliases = [],
      secret,
      path,
      default: standard,
      expects,
      wrongEntry,
    } = property.leaf as Meta & Partial<MetaWithDefault> & Pick<Leaf, "expects" | "wrongEntry">;
    const derived = `E2A_${key.replaceAll(".", "_").toUpperCase()}`;
    const text = typeof standard === "string" ? standard : null;
    const row = { key, env: [derived, ...aliases], secret: secret ?? false, default: text };
    return [{ ...row, path, expects, wrongEntry, standard, schema: property }];
  });
}

function readFile(explicit: string | undefined, place: Place, complain: Complain): Layer {
  if (explicit) return readYaml(resolve(place.cwd, explicit), explicit, leaves, complain);
  const system = join(place.root, "etc/e2a/config.yaml");
  if (existsSync(join(place.cwd, "config.yaml")))
    return readYaml(join(place.cwd, "config.yaml"), "config.yaml", leaves, complain);
  return existsSync(system) ? readYaml(system, system, leaves, complain) : new Map();
}

/** Decodes one key's value, given or default. If it is not valid, complains and returns undefined. */
function decode(leaf: Leaf, given: Given | undefined, above: Values, place: Place, complain: Complain): unknown {
  const { key, standard, expects, path } = leaf;
  let text = given?.text ?? (typeof standard === "function" ? standard(above, place) : standard);
  if (text === undefined) return null;
  const source = given?.source ?? "default";
  if (path) text = resolve(given?.base ?? place.cwd, text.replace(/^~(?=\/|$)/, home(place.env)));
  if (path === "file" && !reachable(text, constants.R_OK))
    complain({
      key,
      source,
      message: `There is no readable file ${text}.`,
      remedy: `Correct the path, or let this user read the file.`,
    });
  try {
    return Value.Decode(leaf.schema, text);
  } catch {
    // An invalid secret may still be a secret: never show it, nor a password in a URL.
    const entry = leaf.wrongEntry ? ` (its entry ${leaf.wrongEntry(text)})` : "";
    const shown = leaf.secret ? `The value${entry}` : JSON.stringify(withoutLogin(text));
    const otherwise = leaf.default ? `, or remove it for the default, ${leaf.default}` : ", or remove it";
    const where = source === "default" ? key : source;
    complain({ key, source, message: `${shown} is not ${expects}.`, remedy: `Correct ${where}${otherwise}.` });
    return undefined;
  }
}

/** A URL without its user name and password. Works on malformed URLs too. */
function withoutLogin(text: string): string {
  const [begin, end] = [text.indexOf("://"), text.lastIndexOf("@")];
  return begin < 0 || end < begin ? text : `${text.slice(0, begin)}://••••${text.slice(end)}`;
}

/** The default data folder: the service's if it is writable, otherwise the user's own. */
function defaultDataDir({ env, root, platform }: Place): string {
  const service = env.STATE_DIRECTORY?.split(":")[0] || join(root, "var/lib/e2a");
  if (env.STATE_DIRECTORY || (platform !== "win32" && reachable(service, constants.W_OK))) return service;
  if (platform === "win32") return join(env.LOCALAPPDATA || join(home(env), "AppData", "Local"), "e2a");
  if (platform === "darwin") return join(home(env), "Library", "Application Support", "e2a");
  // A relative XDG_DATA_HOME must be ignored (XDG Base Directory Specification).
  return join(env.XDG_DATA_HOME?.startsWith("/") ? env.XDG_DATA_HOME : join(home(env), ".local", "share"), "e2a");
}

function reachable(path: string, mode: number): boolean {
  try {
    accessSync(path, mode);
    return true;
  } catch {
    return false;
  }
}

function home(env: Environment): string {
  return env.HOME || homedir();
}

/** Builds the frozen tree that the program reads from valid values. The schema decoded them, so the cast holds. */
function build(values: Values, sources: Record<string, string>, warnings: readonly Complaint[]): Config {
  const tree: Record<string, unknown> = { sources, warnings };
  for (const [key, value] of Object.entries(values)) {
    const [name, inner] = key.split(".").map(camelCase);
    if (name && inner) tree[name] = { ...(tree[name] as object | undefined), [inner]: value };
    else if (name) tree[name] = value;
  }
  tree.database = { ...resolveDatabase(values), poolSize: values["database.pool_size"] };
  return deepFreeze(tree) as unknown as Config;
}

function resolveDatabase(values: Values): kind.Database {
  const database = values["database.url"] as kind.Database;
  if (database.kind === "postgres" || database.path === ":memory:") return database;
  return { kind: "sqlite", path: resolve(String(values.data_dir), database.path) };
}

function at(config: Config, key: string): unknown {
  return key.split(".").reduce<unknown>((tree, name) => (tree as Record<string, unknown>)[camelCase(name)], config);
}

function camelCase(name: string): string {
  return name.replace(/_(.)/g, (_match, letter: string) => letter.toUpperCase());
}

function deepFreeze<T>(value: T): T {
  if (typeof value === "object" && value !== null) Object.values(value).forEach(deepFreeze);
  return Object.freeze(value);
}
