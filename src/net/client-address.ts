/** Client addresses: one spelling for each, which ones are proxies, and which count as one client. */
import { isIPv4 } from "node:net";
import ipaddr from "ipaddr.js";

const mappedPrefix = "::ffff:";

/** The address in canonical form, IPv4-mapped IPv6 as IPv4 (RFC 4291 2.5.5.2). "" if the text is not an address. */
export function plainAddress(address: string | undefined): string {
  // Nearly all addresses take this path: `isIPv4` takes 1 µs where ipaddr.js takes 50, and rejects leading zeros.
  const bare = address?.startsWith(mappedPrefix) ? address.slice(mappedPrefix.length) : address;
  if (bare && isIPv4(bare)) return bare;
  return address && ipaddr.isValid(address) ? ipaddr.process(address).toString() : "";
}

/** The key that limits count by: an IPv4 address, or the /64 from which an IPv6 client picks addresses (RFC 6177). */
export function limitKey(address: string): string {
  if (!ipaddr.IPv6.isValid(address)) return address;
  return `${ipaddr.IPv6.parse(address)
    .parts.slice(0, 4)
    .map((part) => part.toString(16))
    .join(":")}::/64`;
}

/**
 * Makes a test for membership in any of the networks: CIDRs or single addresses, IPv4 and IPv6.
 * Throws an Error that names an entry that is neither.
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
