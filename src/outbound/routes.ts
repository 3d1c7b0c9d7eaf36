import type { Config } from "../config.ts";
import { splitAddress } from "../mail.ts";
import type { UpstreamSettings } from "./upstream-settings.ts";

/** Lanes of the queue: what is stuck in one holds up no other. Stored with each recipient. */
export const localLane = "relay";
export const captureLane = "capture";
/** The default upstream's lane, and the beginning of those for a sender domain. */
const upstreamLane = "upstream";

/** Which way mail to the outside goes. */
export interface Routes {
  /** Every lane that has a way out, with the settings of its upstream. */
  readonly upstreams: ReadonlyMap<string, UpstreamSettings>;
  /** Every lane there is. */
  readonly lanes: readonly string[];
  /** The lane for mail to the outside from this sender's domain; null when there is no way out. */
  laneFor(senderDomain: string): string | null;
  /** The lane for what waits in one that is configured no more; null when there is none. */
  readonly fallback: string | null;
}

/** Reads the routes from the configuration. `ca` has the certificates of `outbound_smtp.ca_file`. */
export function createRoutes(config: Config, ca: string | null): Routes {
  const smtp = config.outboundSmtp;
  const common = { ca, hostname: config.smtp.domain, timeoutMs: smtp.timeout, connections: smtp.connections };
  const upstreams = new Map<string, UpstreamSettings>();
  if (smtp.host !== null) {
    const { host, port, tls, username, password } = smtp;
    upstreams.set(upstreamLane, { ...common, name: `${host}:${port}`, host, port, tls, username, password });
  }
  for (const { domain, host, port, tls, username, password } of smtp.byDomain)
    upstreams.set(`${upstreamLane} ${domain}`, {
      ...common,
      name: `${host}:${port}`,
      host,
      port,
      tls,
      username,
      password,
    });
  const development = config.env === "development" ? captureLane : null;
  const fallback = upstreams.has(upstreamLane) ? upstreamLane : development;
  return {
    upstreams,
    lanes: [localLane, ...upstreams.keys(), ...(development ? [captureLane] : [])],
    laneFor: (domain) => (upstreams.has(`${upstreamLane} ${domain}`) ? `${upstreamLane} ${domain}` : fallback),
    fallback,
  };
}

/** The domain of an address that is known to be one. */
export function domainOf(address: string): string {
  return splitAddress(address)?.domain ?? "";
}
