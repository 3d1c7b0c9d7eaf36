import { createPrivateKey } from "node:crypto";
import type { DkimSigningKey } from "../message/dkim.ts";
import type { Store } from "../store/store.ts";
import type { Clock } from "../util/clock.ts";
import type { Vault } from "../vault.ts";
import { domainWithKeys } from "./dkim-keys.ts";

/** Opening and parsing a key costs as much as signing with it. A replaced key still signs for at most this long. */
const KEPT_MS = 60_000;
/** The most domains whose keys are kept at once. */
const DOMAINS_MAX = 1_000;

export interface DomainKeys {
  keys: DkimSigningKey[];
  /** Public keys by selector, as DNS must publish them. */
  published: { host: string; publicKey: string }[];
}

/** The signing keys of a hosted domain; empty if it has none. */
export type SigningKeys = (domain: string) => Promise<DomainKeys>;

export function createSigningKeys(deps: { store: Store; vault: Vault; clock: Clock }): SigningKeys {
  const { store, vault, clock } = deps;
  const kept = new Map<string, { at: number; keys: Promise<DomainKeys> }>();

  async function load(domain: string): Promise<DomainKeys> {
    const rows = (await domainWithKeys(domain, { store, vault, now: new Date(clock.now()) }))?.dkimKeys ?? [];
    return {
      keys: rows.map(({ id, selector, algorithm, sealedPrivateKey }) => ({
        domain,
        selector,
        algorithm,
        privateKey: createPrivateKey(vault.openText(sealedPrivateKey, id)),
      })),
      published: rows.map(({ selector, publicKey }) => ({ host: `${selector}._domainkey.${domain}`, publicKey })),
    };
  }

  return (domain) => {
    const known = kept.get(domain);
    if (known && clock.elapsed() - known.at < KEPT_MS) return known.keys;
    if (kept.size >= DOMAINS_MAX) kept.clear();
    const keys = load(domain);
    kept.set(domain, { at: clock.elapsed(), keys });
    keys.catch(() => kept.delete(domain));
    return keys;
  };
}
