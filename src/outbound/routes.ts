import type { Config } from "../config.ts";
import { splitAddress } from "../mail.ts";
import type { UpstreamSettings } from "./upstream-settings.ts";

/** Lanes of the queue: mail stuck in one does not delay the others. Stored with each recipient. */
export const localLane = "relay";
export const captureLane = "capture";
/** The default upstream's lane, and the prefix of the lanes for sender domains. */
const upstreamLane = "upstream";

/** RFC 5321 4.5.3.2.6. Many servers examine a message before they answer. */
const DONE_TIMEOUT_MS = 10 * 60_000;

/** The routes that mail to other servers takes. */
export interface Routes {
  /** Every lane with an upstream, and the settings of that upstream. */
  readonly upstreams: ReadonlyMap<string, UpstreamSettings>;
  /** Every lane there is. */
  readonly lanes: readonly string[];
  /** The lane for mail to other servers from this sender's domain; null if it has no upstream. */
  laneFor(senderDomain: string): string | null;
  /** The lane for mail that waits in a lane no longer configured; null if there is none. */
  readonly fallback: string | null;
}

/** Reads the routes from the configuration. `ca` has the certificates of `outbound_smtp.ca_file`. */
export function createRoutes(config: Config, ca: string | null): Routes {
  const smtp = config.outboundSmtp;
  const common = {
    ca,
    hostname: config.smtp.domain,
    timeoutMs: smtp.timeout,
    doneTimeoutMs: Math.max(smtp.timeout, DONE_TIMEOUT_MS),
    connections: smtp.connections,
  };
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

/** The domain of a valid address. */
export function domainOf(address: string): string {
  return splitAddress(address)?.domain ?? "";
}
