import { lookup as osLookup } from "node:dns/promises";
import { readFileSync, statSync } from "node:fs";
import { isIP } from "node:net";
import { DnsError, type Resolver } from "./dns.ts";

/**
 * Finds the addresses of a host name, in the order in which they are tried. Rejects with a `code` of `node:dns`.
 * `signal` ends the wait for a turn, not a question that was asked.
 */
export type Lookup = (host: string, signal?: AbortSignal) => Promise<readonly { address: string }[]>;

/** Names that may wait for the operating system; each may take ten seconds. */
const WAITING_MAX = 20;
/** A list that blocks advertisements has some 5 MB. */
const HOSTS_BYTES_MAX = 16 * 1024 * 1024;
const HOSTS_FILE = process.platform === "win32" ? "C:\\Windows\\System32\\drivers\\etc\\hosts" : "/etc/hosts";

/**
 * Looks hosts up in the hosts file, then in DNS, and last, if `system` is given, in the operating system, which knows
 * search lists and the names of the local network.
 *
 * The operating system asks on the few threads that also sign mail and write files, and blocks one until it has an
 * answer. Strangers choose these names, and the name servers behind them, so a name gets that far only if DNS knows it
 * does not exist, and only one at a time. A name without a dot has no stranger's name server, and is for the search
 * list: systemd-resolved answers SERVFAIL for it.
 */
export function createLookup(options: {
  resolver: Pick<Resolver, "resolve">;
  system: Lookup | null;
  hostsFile?: string;
}): Lookup {
  const { resolver } = options;
  const system = options.system && inTurn(options.system);
  const hosts = readHosts(options.hostsFile ?? HOSTS_FILE);
  return async (host, signal) => {
    const known = hosts().get(host.toLowerCase().replace(/\.$/, ""));
    if (known) return known;
    const [a, aaaa] = await Promise.allSettled([resolver.resolve(host, "A"), resolver.resolve(host, "AAAA")]);
    const found = [a, aaaa].flatMap((answer) => (answer.status === "fulfilled" ? answer.value : []));
    if (found.length > 0) return found.map((address) => ({ address }));
    const failed = [a, aaaa].flatMap((answer) => (answer.status === "rejected" ? [answer.reason] : []));
    const temporary = failed.find((error) => !(error instanceof DnsError) || error.temporary);
    if (system && !(temporary && host.includes("."))) return system(host, signal);
    throw temporary ?? failed[0];
  };
}

/** The operating system's own look-up; see `createLookup` for what it blocks. */
export const systemLookup: Lookup = (host) => osLookup(host, { all: true });

/** Runs one look-up at a time. Rejects with EAI_AGAIN if too many wait. */
function inTurn(lookup: Lookup): Lookup {
  let last: Promise<unknown> = Promise.resolve();
  let waiting = 0;
  return (host, signal) => {
    if (waiting >= WAITING_MAX)
      return Promise.reject(
        Object.assign(new Error(`Too many names wait for the system: ${host}`), { code: "EAI_AGAIN" }),
      );
    waiting++;
    const run = last.then(() => {
      signal?.throwIfAborted();
      return lookup(host);
    });
    last = run.catch(() => {}).finally(() => waiting--);
    return run;
  };
}

type Hosts = ReadonlyMap<string, { address: string }[]>;

/** Reads the hosts file (hosts(5)), again after each change. One that cannot be read or is too large counts as empty. */
function readHosts(file: string): () => Hosts {
  let hosts: Hosts = new Map();
  let version = "";
  return () => {
    try {
      const { mtimeMs, size } = statSync(file);
      const now = `${mtimeMs} ${size}`;
      if (now === version) return hosts;
      hosts = size > HOSTS_BYTES_MAX ? new Map() : parseHosts(readFileSync(file, "utf8"));
      version = now;
    } catch {
      hosts = new Map();
      version = "";
    }
    return hosts;
  };
}

function parseHosts(text: string): Hosts {
  const hosts = new Map<string, { address: string }[]>();
  for (const line of text.split("\n")) {
    const comment = line.indexOf("#");
    const [address = "", ...names] = (comment < 0 ? line : line.slice(0, comment)).split(/\s/).filter(Boolean);
    if (isIP(address) === 0) continue;
    for (const name of new Set(names.map((each) => each.toLowerCase()))) {
      const known = hosts.get(name);
      if (known) known.push({ address });
      else hosts.set(name, [{ address }]);
    }
  }
  return hosts;
}
