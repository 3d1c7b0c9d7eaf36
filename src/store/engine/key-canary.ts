import { eq } from "drizzle-orm";
import { ask, type Scope, type Verb } from "./engine.ts";

/** The key of the canary in `meta`: a fixed text, sealed with the key that seals everything else in this database. */
const CANARY = "key_canary";

/** A sealed value, and the context it was sealed for. */
export interface SealedSample {
  sealed: Uint8Array;
  context: string;
}

/** The stored canary (base64); null until a first start has made one. */
export function* keyCanary(s: Scope): Verb<string | null> {
  const rows = yield* ask(s.db.select().from(s.t.meta).where(eq(s.t.meta.key, CANARY)));
  return rows[0]?.value ?? null;
}

/** Stores the canary unless there is one, and returns the stored one. The first of several nodes decides. */
export function* claimKeyCanary(s: Scope, value: string): Verb<string> {
  yield* ask(s.db.insert(s.t.meta).values({ key: CANARY, value }).onConflictDoNothing());
  return (yield* keyCanary(s)) ?? value;
}

/** A sealed secret of any account or domain; null if the database holds none. */
export function* sealedSample(s: Scope): Verb<SealedSample | null> {
  const { signingSecrets, dkimKeys } = s.t;
  const [secret] = yield* ask(
    s.db.select({ id: signingSecrets.id, sealed: signingSecrets.sealed }).from(signingSecrets).limit(1),
  );
  if (secret) return { sealed: secret.sealed, context: secret.id };
  const [key] = yield* ask(s.db.select({ id: dkimKeys.id, sealed: dkimKeys.sealedPrivateKey }).from(dkimKeys).limit(1));
  return key ? { sealed: key.sealed, context: key.id } : null;
}
