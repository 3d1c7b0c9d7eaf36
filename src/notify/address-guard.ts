import ipaddr from "ipaddr.js";
import { Failure } from "../util/errors.ts";

/** The addresses beyond the public Internet that our own POSTs may reach. */
export interface AddressPolicy {
  /** Permits 127.0.0.0/8 and ::1, for development. */
  readonly allowLoopback: boolean;
  /** Networks in CIDR notation that are permitted although they are not public. A lone address is a network of one. */
  readonly allowedNetworks: readonly string[];
}

export interface UrlPolicy extends AddressPolicy {
  /** Permits http: as well as https:. */
  readonly allowHttp: boolean;
}

type Address = ipaddr.IPv4 | ipaddr.IPv6;

/**
 * Addresses at which clouds hand credentials to any caller. A permitted network covers one of these only if it names
 * that address alone: permitting 10.0.0.0/8 or fd00::/8 is about machines, not about these.
 */
const metadataAddresses = new Set([
  "169.254.169.254", // AWS, Google Cloud, Azure, OpenStack, DigitalOcean, Hetzner
  "169.254.170.2", // AWS ECS task credentials
  "169.254.170.23", // AWS EKS pod identity
  "fd00:ec2::254", // AWS, IPv6
  "fd00:ec2::23", // AWS EKS pod identity, IPv6
  "fd20:ce::254", // Google Cloud, IPv6
  "100.100.100.200", // Alibaba Cloud
  "192.0.0.192", // Oracle Cloud
  "168.63.129.16", // Azure platform; lies in public space
]);

/** The only IPv6 space in which public hosts live (RFC 4291 2.4, IANA IPv6 address space registry). */
const globalUnicast = ipaddr.parseCIDR("2000::/3");
/** The well-known NAT64 prefix: its last 32 bits are the IPv4 address that is reached (RFC 6052 2.1). */
const nat64 = ipaddr.parseCIDR("64:ff9b::/96");

/** Our names for the ranges of ipaddr.js. A range without a name here is "not a public address". */
const rangeNames: Record<string, string> = {
  private: "a private address (RFC 1918)",
  loopback: "a loopback address",
  linkLocal: "a link-local address",
  uniqueLocal: "a unique local address (RFC 4193)",
  deprecatedSiteLocal: "a site-local address (RFC 3879)",
  carrierGradeNat: "a carrier-grade NAT address (RFC 6598)",
  multicast: "a multicast address",
  broadcast: "the broadcast address",
  unspecified: "an unspecified address",
  reserved: "a reserved address",
  benchmarking: "a benchmarking address (RFC 5180)",
  discard: "a discard-only address (RFC 6666)",
  "6to4": "a 6to4 address (RFC 3056)",
  teredo: "a Teredo address (RFC 4380)",
};

/**
 * Returns why we must not connect to `address`, or null if we may.
 *
 * Only public unicast space and what the policy names is permitted; anything unknown is forbidden. Addresses that carry
 * an IPv4 address (IPv4-mapped, NAT64) are judged by that address. The tunnels 6to4 and Teredo are forbidden altogether
 * (RFC 7526), and so is text that is not the usual form of an address.
 */
export function forbiddenReason(address: string, policy: AddressPolicy): string | null {
  const parsed = parseAddress(address);
  if (!parsed) return "not an IP address";
  const target = unmapped(parsed);
  const name = target.toString();
  const metadata = metadataAddresses.has(name);
  if (policy.allowedNetworks.some((network) => covers(network, target, metadata))) return null;
  if (metadata) return "a cloud metadata address";
  const range = target.range() as string;
  if (range === "loopback" && policy.allowLoopback) return null;
  if (target.kind() === "ipv4") return range === "unicast" ? null : nameOf(range);
  const ipv6 = target as ipaddr.IPv6;
  if (inNetwork(ipv6, nat64)) {
    const embedded = ipaddr.fromByteArray(ipv6.toByteArray().slice(12)).toString();
    const reason = forbiddenReason(embedded, { allowLoopback: false, allowedNetworks: [] });
    return reason && `NAT64 to ${reason}`;
  }
  return range === "unicast" && inNetwork(ipv6, globalUnicast) ? null : nameOf(range);
}

/** Longest URL that is stored and shown; clients and proxies are known to carry it (RFC 9110 4.1 asks for 8,000). */
const URL_CHARS_MAX = 2_048;

/**
 * Ports of line protocols that would read the body of a POST as their own commands (the mail, chat and printer
 * ports among the "bad ports" of the Fetch standard 2.9).
 */
const foreignPorts = new Set([
  21, 22, 23, 25, 110, 119, 143, 465, 515, 563, 587, 993, 995, 6665, 6666, 6667, 6668, 6669, 6697,
]);

/**
 * Checks a webhook URL before it is stored, and again before each POST, and returns it normalised. The addresses that a
 * host name resolves to are checked on connecting, not here.
 *
 * @param field the name of the request's field that the URL came in
 * @throws Failure `invalid_request` with every complaint about the URL
 */
export function checkWebhookUrl(text: string, policy: UrlPolicy, field = "webhook_url"): string {
  const url = text.length <= URL_CHARS_MAX ? URL.parse(text) : null;
  const complaints = url ? urlComplaints(url, policy) : [unreadable(text)];
  if (url && complaints.length === 0) {
    url.hash = "";
    // A host name's final dot is for resolvers; certificates are issued for the name without it (RFC 6066 3).
    if (url.hostname.endsWith(".")) url.hostname = url.hostname.slice(0, -1);
    return url.href;
  }
  throw new Failure("invalid_request", "The webhook URL cannot be used.", {
    errors: complaints.map((message) => ({ field, message })),
    fix: policy.allowHttp
      ? "Give an http or https URL of a host that this server may reach."
      : "Give an https URL of a host on the public Internet, such as https://example.com/hook.",
  });
}

function unreadable(text: string): string {
  return text.length > URL_CHARS_MAX ? `It is longer than ${URL_CHARS_MAX} characters.` : "It is not a URL.";
}

function urlComplaints(url: URL, policy: UrlPolicy): string[] {
  const complaints: string[] = [];
  const web = url.protocol === "https:" || url.protocol === "http:";
  if (!web || (url.protocol === "http:" && !policy.allowHttp))
    complaints.push(policy.allowHttp ? "Its scheme must be https or http." : "Its scheme must be https.");
  if (url.username !== "" || url.password !== "")
    complaints.push("It must not hold a user name or password; every request is signed instead.");
  if (url.hash !== "") complaints.push("It must not have a fragment, which is never sent.");
  if (!web) return complaints;
  const port = url.port === "" ? null : Number(url.port);
  if (port === 0 || (port !== null && foreignPorts.has(port))) complaints.push(`Port ${port} is not a web server's.`);
  const host = url.hostname.replace(/\.$/, "");
  const literal = literalAddress(host);
  if (literal !== null) {
    const reason = forbiddenReason(literal, policy);
    if (reason) complaints.push(`Its host is ${reason}.`);
  } else if (host === "" || host.includes("..")) {
    complaints.push("Its host is not a host name.");
  } else if (isLocalhost(host) && !policy.allowLoopback) {
    complaints.push("Its host is this machine itself.");
  }
  return complaints;
}

/**
 * The address if a URL's host is one (IPv6 in brackets), in its shortest form; null if the host is a name. The URL
 * parser has already resolved decimal, octal and hex forms.
 */
export function literalAddress(host: string): string | null {
  const bare = host.startsWith("[") && host.endsWith("]") ? host.slice(1, -1) : host;
  return parseAddress(bare)?.toString() ?? null;
}

/** `localhost` and the names below it, which always mean this machine (RFC 6761 6.3). */
export function isLocalhost(host: string): boolean {
  return /(^|\.)localhost$/i.test(host);
}

/** Accepts only the usual forms: four decimal numbers, or IPv6 without a zone. Parsers disagree about the others. */
function parseAddress(text: string): Address | null {
  if (ipaddr.IPv4.isValidFourPartDecimal(text)) return ipaddr.IPv4.parse(text);
  // ipaddr.js reads "::8.8.8.8" as "::ffff:8.8.8.8"; the URL parser rewrites it as the kernel reads it.
  const host = /^[0-9a-f:.]+$/i.test(text) ? URL.parse(`http://[${text}]/`)?.hostname : undefined;
  return host ? ipaddr.IPv6.parse(host.slice(1, -1)) : null;
}

/** The IPv4 address in an IPv4-mapped one, because the kernel connects to that host (RFC 4291 2.5.5.2). */
function unmapped(address: Address): Address {
  return address instanceof ipaddr.IPv6 && address.isIPv4MappedAddress() ? address.toIPv4Address() : address;
}

function covers(network: string, address: Address, wholly: boolean): boolean {
  const [base, bits] = parseNetwork(network);
  if (wholly && bits < (base.kind() === "ipv4" ? 32 : 128)) return false;
  return inNetwork(address, [base, bits]);
}

function inNetwork(address: Address, network: [Address, number]): boolean {
  return address.kind() === network[0].kind() && address.match(network);
}

/** @throws Error if the text is not a network: the configuration is checked before it gets here. */
function parseNetwork(network: string): [Address, number] {
  if (network.includes("/")) return ipaddr.parseCIDR(network);
  const base = ipaddr.parse(network);
  return [base, base.kind() === "ipv4" ? 32 : 128];
}

function nameOf(range: string): string {
  return rangeNames[range] ?? "not a public address";
}
