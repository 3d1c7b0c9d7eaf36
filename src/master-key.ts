import { join } from "node:path";
import type { Store } from "./store/store.ts";
import { StartRefused } from "./util/errors.ts";
import { createVault, loadKeyFile, loadOrCreateKeyFile, type Vault } from "./vault.ts";

const CONTEXT = "key canary";
const TEXT = "e2a";

export interface MasterKey {
  key: Uint8Array;
  vault: Vault;
}

/**
 * Loads the key that decrypts the database's sealed values: `encryptionKey` (64 hex digits) or the file
 * `encryption.key` in the data folder. Makes a new key only if the database has no sealed values.
 *
 * The database keeps a text sealed with the key, so that a wrong key stops the start instead of failing every webhook.
 * If several nodes start at once on an empty database, the first one determines the key.
 *
 * @throws StartRefused if the key is missing or wrong
 */
export async function openMasterKey(
  config: { encryptionKey: string | null; dataDir: string },
  store: Store,
): Promise<MasterKey> {
  const file = join(config.dataDir, "encryption.key");
  const source = config.encryptionKey ? "signing.encryption_key" : file;
  const canary = await store.keyCanary();
  const sample = canary === null ? await store.sealedSample() : null;
  const isSealed = canary !== null || sample !== null;

  const given = config.encryptionKey ? Buffer.from(config.encryptionKey, "hex") : await loadKeyFile(file);
  if (!given && isSealed)
    throw new StartRefused(
      `The key file ${file} is missing, and the database holds secrets that only its key opens.`,
      "key_missing",
      "Put the file back from a backup, or copy it from another node. docs/faults.md says how to start over without it.",
    );
  const key = given ?? (await loadOrCreateKeyFile(file));
  const vault = createVault(key);
  const standing =
    canary ??
    ((sample === null || opens(vault, sample.sealed, sample.context)) &&
      (await store.claimKeyCanary(Buffer.from(vault.seal(TEXT, CONTEXT)).toString("base64"))));
  if (standing === false || !opens(vault, Buffer.from(standing, "base64"), CONTEXT))
    throw new StartRefused(
      `The encryption key in ${source} is not the one that sealed the secrets in the database.`,
      "key_wrong",
      "Put the right key there, from a backup or from another node: all nodes of one database have the same. " +
        "docs/faults.md says how to start over without it.",
    );
  return { key, vault };
}

function opens(vault: Vault, sealed: Uint8Array, context: string): boolean {
  try {
    vault.open(sealed, context);
    return true;
  } catch {
    return false;
  }
}
