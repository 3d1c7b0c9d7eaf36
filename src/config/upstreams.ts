/** Upstream servers by sender domain, as one line of text: `example.com=smtps://user:password@smtp.example.net:465`. */
import ipaddr from "ipaddr.js";
import { count, domainName, host, type Kind, line, listOf } from "./values.ts";

/**
 * How the connection to an upstream is encrypted: after STARTTLS (always required), from the first byte, or not at all.
 */
export type UpstreamTls = "starttls" | "implicit" | "off";

/** The server that accepts the mail of one sender domain. */
export interface DomainUpstream {
  readonly domain: string;
  /** A host name, or an IP address without brackets. */
  readonly host: string;
  readonly port: number;
  readonly tls: UpstreamTls;
  /** Percent-decoded; both null if the server requires no sign-in. */
  readonly username: string | null;
  readonly password: string | null;
}

/** smtp:// is the submission port (RFC 6409), smtps:// the one with TLS from the start (RFC 8314 3.3). */
const defaultPorts = { smtp: 587, smtps: 465 };

const port = count(1, 65_535);

const login = /(?:(?<user>[^\s:@/?#]+):(?<secret>[^\s@/?#]+)@)?/.source;
const server = /(?:\[(?<v6>[^\]]+)\]|(?<name>[^\s:@/?#[\]]+))(?::(?<digits>\d+))?/.source;
/** Stricter than URL.parse, which misreads a password with a raw "/" as a host, a port and a path. */
const upstreamUrl = new RegExp(String.raw`^(?<scheme>smtps?)://${login}${server}/?(?<off>\?tls=off)?$`);

/** Upstreams by domain. rules.ts checks whether `tls` may be off for a host, and whether a domain is listed twice. */
export const upstreamsByDomain: Kind<DomainUpstream[]> = listOf(
  "<domain>=smtps://user:password@host:465 or <domain>=smtp://user:password@host:587 " +
    "(percent-encode , / : @ # ? % in user and password)",
  parseUpstream,
  printUpstream,
);

/** Masks each password in a text that the kind has printed, in which every other : and @ is encoded. */
export function maskUpstreams(text: string): string {
  return text.replace(/(:\/\/[^:@,]+):[^@,]+@/g, "$1:••••@");
}

/** Whether a connection to this host stays on this machine: 127.0.0.0/8, ::1 (RFC 4291 2.5.3) or localhost. */
export function isLoopback(host: string): boolean {
  return host === "localhost" || (ipaddr.isValid(host) && ipaddr.process(host).range() === "loopback");
}

function parseUpstream(text: string): DomainUpstream | undefined {
  const [, name = "", url = ""] = /^([^=]*)=(.*)$/.exec(text) ?? [];
  const parts = upstreamUrl.exec(url)?.groups;
  if (!parts || (parts.scheme === "smtps" && parts.off)) return undefined;
  const scheme = parts.scheme === "smtps" ? "smtps" : "smtp";
  const domain = domainName.parse(name);
  const address = parts.v6 === undefined ? host.parse(parts.name ?? "") : ipv6(parts.v6);
  const number = port.parse(parts.digits ?? String(defaultPorts[scheme]));
  const username = parts.user === undefined ? null : percentDecoded(parts.user);
  const password = parts.secret === undefined ? null : percentDecoded(parts.secret);
  if (domain === undefined || address === undefined || number === undefined) return undefined;
  if (username === undefined || password === undefined) return undefined;
  const tls = scheme === "smtps" ? "implicit" : parts.off ? "off" : "starttls";
  return { domain, host: address, port: number, tls, username, password };
}

function printUpstream({ domain, host, port, tls, username, password }: DomainUpstream): string {
  const user = username && password ? `${encodeURIComponent(username)}:${encodeURIComponent(password)}@` : "";
  const address = `${host.includes(":") ? `[${host}]` : host}:${port}`;
  return `${domain}=${tls === "implicit" ? "smtps" : "smtp"}://${user}${address}${tls === "off" ? "?tls=off" : ""}`;
}

function ipv6(text: string): string | undefined {
  return ipaddr.IPv6.isValid(text) ? text : undefined;
}

/**
 * The decoded text. Undefined for a stray percent sign, and for control characters, which would end or split an SMTP
 * command.
 */
function percentDecoded(text: string): string | undefined {
  try {
    return line.parse(decodeURIComponent(text));
  } catch {
    return undefined;
  }
}
