/** Client addresses: one spelling for each, which ones are proxies, and which count as one client. */
import { isIPv4 } from "node:net";
import ipaddr from "ipaddr.js";

const mappedPrefix = "::ffff:";

/** The address in one spelling, IPv4-mapped IPv6 as IPv4 (RFC 4291 2.5.5.2). "" when it is no address. */
export function plainAddress(address: string | undefined): string {
  // Nearly all come so, and ipaddr.js takes 50 µs for what this test takes one: it lets no leading zeros pass.
  const bare = address?.startsWith(mappedPrefix) ? address.slice(mappedPrefix.length) : address;
  if (bare && isIPv4(bare)) return bare;
  return address && ipaddr.isValid(address) ? ipaddr.process(address).toString() : "";
}

/** What limits count by: an IPv4 address, or the /64 an IPv6 client can pick its addresses from (RFC 6177). */
export function limitKey(address: string): string {
  if (!ipaddr.IPv6.isValid(address)) return address;
  return `${ipaddr.IPv6.parse(address)
    .parts.slice(0, 4)
    .map((part) => part.toString(16))
    .join(":")}::/64`;
}

/**
 * A test for membership in any of the networks: CIDRs or single addresses, IPv4 and IPv6.
 * Throws an Error that names the entry which is neither.
 */
export function networkTest(networks: readonly string[]): (address: string) => boolean {
  const parsed = networks.map(parseNetwork);
  return (address) => {
    const plain = plainAddress(address);
    if (plain === "") return false;
    const ip = ipaddr.parse(plain);
    return parsed.some(([base, bits]) => base.kind() === ip.kind() && ip.match(base, bits));
  };
}

function parseNetwork(network: string): [ipaddr.IPv4 | ipaddr.IPv6, number] {
  if (ipaddr.isValidCIDR(network)) return ipaddr.parseCIDR(network);
  const single = plainAddress(network);
  if (single === "") throw new Error(`"${network}" is neither an IP address nor a CIDR network`);
  const address = ipaddr.parse(single);
  return [address, address.kind() === "ipv4" ? 32 : 128];
}
