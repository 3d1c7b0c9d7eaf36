/** Rules that single keys cannot express: which keys belong together, and what production requires. */
import type { Complain, Complaint } from "./layers.ts";
import { type DomainUpstream, isLoopback } from "./upstreams.ts";
import type { Database } from "./values.ts";

/** Decoded values by key path: undefined is invalid (and already reported), null is not set. */
export type Values = Readonly<Record<string, unknown>>;
type Sources = Readonly<Record<string, string>>;

/** Each key is useless, and most likely a mistake, without the other. */
const pairs = [
  ["smtp.tls_cert", "smtp.tls_key"],
  ["http.tls_cert", "http.tls_key"],
  ["oauth.google_client_id", "oauth.google_client_secret"],
  ["oauth.oidc_issuer", "oauth.oidc_client_id"],
  ["outbound_smtp.username", "outbound_smtp.password"],
] as const;

/** Reports keys that contradict each other. A key that already has a complaint is skipped. */
export function checkTogether(values: Values, sources: Sources, complaints: readonly Complaint[], complain: Complain) {
  const troubled = new Set(complaints.map((complaint) => complaint.key));
  for (const pair of pairs)
    for (const [set, missing] of [pair, [pair[1], pair[0]] as const])
      if (values[set] != null && values[missing] === null && !troubled.has(missing))
        complain({
          key: missing,
          source: "not set",
          message: `${set} is set (${sources[set]}), but ${missing} is not.`,
          remedy: `Set both or neither.`,
        });
  if (values["outbound_smtp.username"] != null && values["outbound_smtp.host"] === null)
    if (!troubled.has("outbound_smtp.host"))
      complain({
        key: "outbound_smtp.host",
        source: "not set",
        message: "A user name is set for an upstream server, but no server.",
        remedy: "Set outbound_smtp.host, or remove outbound_smtp.username and outbound_smtp.password.",
      });
  checkSignIn(values, sources, complain);
  checkUpstreams(values, sources, complain);
}

/**
 * Reports identity providers that an attacker on the network path could impersonate, and a redirect URL that this
 * server does not serve.
 */
function checkSignIn(values: Values, sources: Sources, complain: Complain) {
  const about = (key: string) => ({ key, source: sources[key] ?? "" });
  const issuer = URL.parse(String(values["oauth.oidc_issuer"] ?? ""));
  if (issuer?.protocol === "http:" && !isLoopback(issuer.hostname.replace(/^\[|\]$/g, "")))
    complain({
      ...about("oauth.oidc_issuer"),
      message: `Anyone on the network path to ${issuer.host} could sign in as any user.`,
      remedy:
        "Use its https:// address; http:// is only for a provider on this machine, such as http://127.0.0.1:8090.",
    });
  const redirect = values["oauth.redirect_url"];
  if (typeof redirect === "string" && !URL.parse(redirect)?.pathname.endsWith("/api/auth/callback"))
    complain({
      ...about("oauth.redirect_url"),
      message: `Google would send people to ${redirect}, where this server has nothing.`,
      remedy:
        "Let it end in /api/auth/callback, or remove it: it is made from http.public_url then. Register the same address with Google.",
    });
}

/** Reports mail that would leave this machine unencrypted, and a domain with two upstreams. */
function checkUpstreams(values: Values, sources: Sources, complain: Complain) {
  const about = (key: string) => ({ key, source: sources[key] ?? "" });
  const host = values["outbound_smtp.host"];
  if (values["outbound_smtp.tls"] === "off" && typeof host === "string" && !isLoopback(host))
    complain({
      ...about("outbound_smtp.tls"),
      message: `This would send mail and password to ${host} in the clear.`,
      remedy: "Set it to starttls or implicit; off is only for a server on this machine, such as 127.0.0.1.",
    });
  const byDomain = (values["outbound_smtp.by_domain"] ?? []) as DomainUpstream[];
  for (const [i, { domain, host, tls }] of byDomain.entries()) {
    if (tls === "off" && !isLoopback(host))
      complain({
        ...about("outbound_smtp.by_domain"),
        message: `The entry for ${domain} would send mail and password to ${host} in the clear.`,
        remedy: "Remove ?tls=off from it; that is only for a server on this machine, such as 127.0.0.1.",
      });
    if (byDomain.findIndex((entry) => entry.domain === domain) < i)
      complain({
        ...about("outbound_smtp.by_domain"),
        message: `There is more than one entry for ${domain}.`,
        remedy: `Keep one entry for ${domain}.`,
      });
  }
}

/**
 * Reports values that production does not allow, and warns about risky ones. `secrets` are the paths of secret keys.
 */
export function checkProduction(
  values: Values,
  sources: Sources,
  secrets: readonly string[],
  complain: Complain,
  warn: Complain,
) {
  const domain = values.shared_domain;
  const about = (key: string) => ({ key, source: sources[key] === "default" ? "not set" : (sources[key] ?? "") });
  if (domain !== undefined && (sources.shared_domain === "default" || /(^|\.)localhost$/.test(String(domain))))
    complain({
      ...about("shared_domain"),
      message: `In production the shared domain must be one that mail can reach; ${domain} is not.`,
      remedy: "Set it to a domain whose MX record points to this server, such as agents.example.com.",
    });
  const publicUrl = values["http.public_url"];
  if (publicUrl === null)
    complain({
      ...about("http.public_url"),
      message: "In production the address of this server must be known: links in mail and webhooks begin with it.",
      remedy: "Set it to the address that people open, such as https://mail.example.com.",
    });
  else if (typeof publicUrl === "string" && !publicUrl.startsWith("https:"))
    warn({
      ...about("http.public_url"),
      message: `${publicUrl} is not encrypted: keys, cookies and approval links travel in the clear.`,
      remedy: "Use an https:// address: set http.tls_cert and http.tls_key, or put a TLS proxy in front.",
    });
  for (const key of secrets) {
    const weakness = secretWeakness(values[key]);
    if (weakness)
      complain({
        ...about(key),
        message: `In production this secret is refused: ${weakness}.`,
        remedy: key.startsWith("signing.")
          ? 'Set what "openssl rand -hex 32" prints, or remove it: a good one is then made in the data folder.'
          : "Have a new random one made where it was issued, and set that.",
      });
  }
}

/** The first weakness among the passwords in a value, as a clause such as "it repeats itself". */
function secretWeakness(value: unknown): string | null {
  for (const { subject, username, password } of passwordsIn(value)) {
    const weak = password === username ? "is the user name" : weakness(password);
    if (weak) return `${subject} ${weak}`;
  }
  return null;
}

function passwordsIn(value: unknown): { subject: string; username: string | null; password: string }[] {
  if (typeof value === "string") return [{ subject: "it", username: null, password: value }];
  if (Array.isArray(value))
    return (value as DomainUpstream[]).flatMap(({ domain, username, password }) =>
      password === null ? [] : [{ subject: `the password for ${domain}`, username, password }],
    );
  const database = value as Database | null | undefined;
  const url = database?.kind === "postgres" ? URL.parse(database.url) : null;
  // Without a password, the server authenticates by socket, certificate or network.
  if (!url?.password) return [];
  const [username = "", password = ""] = [url.username, url.password].map(decodeURIComponent);
  return [{ subject: "it", username, password }];
}

/** Why a person, a script or a copied example would use this secret; null if it may be random. */
function weakness(secret: string): string | null {
  const letters = secret
    .toLowerCase()
    .replaceAll("0", "o")
    .replace(/[^a-z]/g, "");
  const rest = letters.replace(placeholderWords, "");
  // A long random text has a six-letter word once in a million; a short password may be a sentence with such a word.
  if (rest !== letters && (secret.length >= 32 || rest.length <= letters.length / 2)) return "is a placeholder";
  if (/^(admin|guest|postgres|root|test|user|x+)$/.test(letters)) return "is a placeholder";
  const characters = [...secret];
  if (new Set(characters).size < Math.min(8, secret.length / 2)) return "repeats a few characters";
  const period = characters.findIndex((_, p) => p > 0 && p <= secret.length / 2 && secret.startsWith(secret.slice(p)));
  if (period > 0) return "repeats itself";
  const steps = characters.filter((c, i) => i > 0 && Math.abs(c.charCodeAt(0) - secret.charCodeAt(i - 1)) <= 1);
  return steps.length > secret.length / 2 ? "counts up or down" : null;
}

const placeholderWords =
  /changeme|changeit|changethis|default|dummy|example|insert|letmein|passwd|password|placeholder|replaceme|secret/g;
