import { expect, test } from "bun:test";
import { createPublicKey, sign, verify } from "node:crypto";
import { createVault } from "../vault.ts";
import { newDkimKeys } from "./dkim-keys.ts";

test("makes a pair of each kind: what the vault opens signs for what is published", async () => {
  const vault = createVault(crypto.getRandomValues(new Uint8Array(32)));
  const [rsa, ed25519] = await newDkimKeys(vault);
  if (!rsa || !ed25519) return expect.unreachable();
  expect([rsa.algorithm, ed25519.algorithm]).toEqual(["rsa-sha256", "ed25519-sha256"]);
  expect(new Set([rsa.selector, ed25519.selector]).size).toBe(2);
  const message = Buffer.from("signed");

  const published = createPublicKey({ key: Buffer.from(rsa.publicKey, "base64"), format: "der", type: "spki" });
  expect(published.asymmetricKeyDetails?.modulusLength).toBe(2048);
  const rsaPrivate = vault.openText(rsa.sealedPrivateKey, rsa.id);
  expect(verify("sha256", message, published, sign("sha256", message, rsaPrivate))).toBe(true);

  const x = Buffer.from(ed25519.publicKey, "base64").toString("base64url");
  const edPublic = createPublicKey({ key: { kty: "OKP", crv: "Ed25519", x }, format: "jwk" });
  const edPrivate = vault.openText(ed25519.sealedPrivateKey, ed25519.id);
  expect(verify(null, message, edPublic, sign(null, message, edPrivate))).toBe(true);
});

test("never makes the same selector twice", async () => {
  const vault = createVault(crypto.getRandomValues(new Uint8Array(32)));
  const made = [...(await newDkimKeys(vault)), ...(await newDkimKeys(vault))];
  expect(new Set(made.map((key) => key.selector)).size).toBe(4);
});
