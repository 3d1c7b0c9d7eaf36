import { generateKeyPair, type KeyObject, randomBytes } from "node:crypto";
import { promisify } from "node:util";
import type { DomainWithKeys, NewDkimKey } from "../store/accounts/domains.ts";
import type { Store } from "../store/store.ts";
import { newId } from "../util/id.ts";
import type { Vault } from "../vault.ts";

/** The key length that RFC 8301 3.2 asks of signers; some verifiers and DNS editors still refuse longer keys. */
const RSA_BITS = 2048;

const generate = promisify(generateKeyPair);

/**
 * Makes a domain's DKIM key pairs, RSA and Ed25519 (RFC 8463), with sealed private keys. Selectors are new each time,
 * so a domain that moves here, or back, never waits for an old record to leave the caches.
 */
export async function newDkimKeys(vault: Vault): Promise<NewDkimKey[]> {
  const tag = `e2a-${randomBytes(4).toString("hex")}`;
  const [rsa, ed25519] = await Promise.all([generate("rsa", { modulusLength: RSA_BITS }), generate("ed25519", {})]);
  return [
    sealed(vault, tag, "rsa-sha256", rsa.privateKey, rsaPublicKey(rsa.publicKey)),
    sealed(vault, `${tag}-ed`, "ed25519-sha256", ed25519.privateKey, ed25519PublicKey(ed25519.publicKey)),
  ];
}

/**
 * A hosted domain with its keys; null if it is not hosted here. An account's domain has keys from the start; the
 * server's own shared domain gets them when they are first needed.
 */
export async function domainWithKeys(
  domain: string,
  { store, vault, now }: { store: Store; vault: Vault; now: Date },
): Promise<DomainWithKeys | null> {
  const found = await store.signingDomain(domain);
  if (!found || found.dkimKeys.length > 0) return found;
  await store.ensureDkimKeys(found.id, await newDkimKeys(vault), now);
  return store.signingDomain(domain);
}

function sealed(
  vault: Vault,
  selector: string,
  algorithm: NewDkimKey["algorithm"],
  privateKey: KeyObject,
  publicKey: string,
): NewDkimKey {
  const id = newId("dkim");
  const pem = privateKey.export({ type: "pkcs8", format: "pem" }).toString();
  return { id, selector, algorithm, publicKey, sealedPrivateKey: Buffer.from(vault.seal(pem, id)) };
}

/** The SubjectPublicKeyInfo, as signers publish it and verifiers read it (RFC 6376, appendix C). */
function rsaPublicKey(key: KeyObject): string {
  return key.export({ type: "spki", format: "der" }).toString("base64");
}

/** The bare 32 bytes (RFC 8463 4.2). */
function ed25519PublicKey(key: KeyObject): string {
  return Buffer.from(String(key.export({ format: "jwk" }).x), "base64url").toString("base64");
}
