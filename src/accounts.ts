import { createHash, randomBytes } from "node:crypto";
import { keyRow, type NewSecret } from "./store/accounts/accounts.ts";
import type { KeptAnswer } from "./store/accounts/requests.ts";
import type { ApiKeyRow, KeyScope, UserRow } from "./store/schema.ts";
import type { Store } from "./store/store.ts";
import { newId } from "./util/id.ts";
import type { Vault } from "./vault.ts";

/** How many characters of a key or secret are stored in the clear, so that users can tell them apart. */
const PREFIX_CHARS = 8;

/** The syntax of an account's address; only mail to it proves that it exists. */
export const emailPattern = /^[^\s@<>",;:\\]{1,64}@[^\s@<>",;:\\]{1,189}$/;

/** Makes an account with its first signing secret. Failure `conflict` if the address already has an account. */
export function createOwner(
  store: Store,
  vault: Vault,
  owner: { email: string; name: string; now: Date },
): Promise<UserRow> {
  return store.createAccount({ ...owner, secret: newSigningSecret(vault, "default").row });
}

/** Makes the server's first account. Null if there already is one; of concurrent calls one succeeds. */
export function createFirstOwner(
  store: Store,
  vault: Vault,
  owner: { email: string; name: string; now: Date },
): Promise<UserRow | null> {
  return store.createFirstAccount({ ...owner, secret: newSigningSecret(vault, "default").row });
}

/** A new signing secret: 64 lower-case hex characters, and the row that keeps it sealed. */
export function newSigningSecret(vault: Vault, name: string): { secret: string; row: NewSecret } {
  const id = newId("wsec");
  const secret = randomBytes(32).toString("hex");
  return {
    secret,
    row: { id, name, sealed: Buffer.from(vault.seal(secret, id)), secretPrefix: secret.slice(0, PREFIX_CHARS) },
  };
}

/**
 * Makes an API key, `e2a_` and 64 hex digits. Returns it only this once: the database stores its hash.
 * The caller has checked that the agent, if any, belongs to the user. `keep` makes the answer that is stored for
 * repetitions of the request.
 */
export async function issueKey(
  store: Store,
  input: { userId: string; name: string; scope: KeyScope; agentId: string | null; expiresAt: Date | null; now: Date },
  keep: (issued: { key: string; row: ApiKeyRow }) => KeptAnswer | null = () => null,
): Promise<{ key: string; row: ApiKeyRow }> {
  const { userId, name, scope, agentId, expiresAt, now } = input;
  const key = `e2a_${randomBytes(32).toString("hex")}`;
  const keyPrefix = key.slice(0, "e2a_".length + PREFIX_CHARS);
  const row = keyRow(userId, { name, scope, agentId, expiresAt, keyHash: tokenHash(key), keyPrefix }, now);
  return { key, row: await store.createKey(userId, row, now, keep({ key, row })) };
}

/** SHA-256 of a key or token, in lower-case hex. Each has 256 random bits, so a plain hash protects it. */
export function tokenHash(token: string): string {
  return createHash("sha256").update(token).digest("hex");
}
