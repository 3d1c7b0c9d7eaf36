import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from "node:crypto";
import { constants, copyFile, type FileHandle, link, mkdir, open, unlink } from "node:fs/promises";
import { dirname } from "node:path";
import { Failure } from "./util/errors.ts";

/** Encrypts values that must stay secret even if the database is copied. */
export interface Vault {
  /**
   * Encrypts and authenticates `plain`. `context` names the place where the result is stored, such as the row's id.
   * Only the same context opens it, so a sealed value cannot be moved to another row.
   */
  seal(plain: string | Uint8Array, context: string): Uint8Array;
  /** @throws Error if the bytes were changed, or sealed with another key or for another context */
  open(sealed: Uint8Array, context: string): Uint8Array;
  /** The same, for a value that was sealed as text. */
  openText(sealed: Uint8Array, context: string): string;
}

const KEY_BYTES = 32;
/** First byte of every sealed value: the format of the rest, so that a later version can add another. */
const VERSION_AES_GCM = 1;
/** The length GCM is designed for (NIST SP 800-38D 5.2.1.1). Random nonces are safe for 2^32 values under one key. */
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/** Derives a key for one purpose from the master key (HKDF-SHA-256, RFC 5869). Keys for two purposes are unrelated. */
export function deriveKey(master: Uint8Array, purpose: string): Uint8Array {
  if (master.length !== KEY_BYTES) throw new RangeError(`A key has ${KEY_BYTES} bytes, not ${master.length}.`);
  return new Uint8Array(hkdfSync("sha256", master, new Uint8Array(), `e2a ${purpose}`, KEY_BYTES));
}

/**
 * Makes a vault with a master key of 32 bytes.
 * Sealed form: version (1 byte) · nonce (12) · ciphertext, as long as the plain text · tag (16); AES-256-GCM.
 */
export function createVault(master: Uint8Array): Vault {
  const key = deriveKey(master, "vault");
  const associated = (context: string) => Buffer.from(`e2a\0${VERSION_AES_GCM}\0${context}`, "utf8");

  function openBytes(sealed: Uint8Array, context: string): Buffer {
    if (sealed.length < 1 + NONCE_BYTES + TAG_BYTES || sealed[0] !== VERSION_AES_GCM)
      throw new Error("A stored secret cannot be opened: it is not in a form that this version knows.");
    const tagAt = sealed.length - TAG_BYTES;
    const nonce = sealed.subarray(1, 1 + NONCE_BYTES);
    const decipher = createDecipheriv("aes-256-gcm", key, nonce, { authTagLength: TAG_BYTES });
    decipher.setAAD(associated(context));
    decipher.setAuthTag(sealed.subarray(tagAt));
    try {
      return Buffer.concat([decipher.update(sealed.subarray(1 + NONCE_BYTES, tagAt)), decipher.final()]);
    } catch (cause) {
      throw new Error("A stored secret cannot be opened: it was sealed with another key, or was changed.", { cause });
    }
  }

  return {
    seal(plain, context) {
      const nonce = randomBytes(NONCE_BYTES);
      const cipher = createCipheriv("aes-256-gcm", key, nonce, { authTagLength: TAG_BYTES });
      cipher.setAAD(associated(context));
      const bytes = typeof plain === "string" ? Buffer.from(plain, "utf8") : plain;
      const encrypted = [cipher.update(bytes), cipher.final()];
      return Buffer.concat([Buffer.of(VERSION_AES_GCM), nonce, ...encrypted, cipher.getAuthTag()]);
    },
    open: openBytes,
    openText: (sealed, context) => openBytes(sealed, context).toString("utf8"),
  };
}

/**
 * Reads the master key from the file at `path`: 64 hex digits and a line end, mode 0600. If the file does not exist,
 * makes a new key, and the folder (mode 0700) if needed. Processes that start at once all get the same key.
 *
 * @throws Failure `unavailable` if other users may read the file or it holds no key; `fix` says what to do
 */
export async function loadOrCreateKeyFile(path: string): Promise<Uint8Array> {
  const existing = await loadKeyFile(path);
  if (existing) return existing;
  try {
    await createKeyFile(path);
  } catch (cause) {
    throw new Failure("unavailable", `The key file ${path} cannot be created.`, {
      fix: `Let the user that runs e2a write to ${dirname(path)}.`,
      cause,
    });
  }
  const made = await loadKeyFile(path);
  if (!made) throw new Failure("unavailable", `The key file ${path} vanished while it was being created.`);
  return made;
}

/**
 * Reads the master key from the file at `path`; null if the file does not exist.
 *
 * @throws Failure `unavailable` if other users may read the file or it holds no key; `fix` says what to do
 */
export async function loadKeyFile(path: string): Promise<Uint8Array | null> {
  let file: FileHandle;
  try {
    file = await open(path, "r");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw new Failure("unavailable", `The key file ${path} cannot be read.`, {
      fix: `Let the user that runs e2a read it: chown it to that user and run "chmod 600 ${path}".`,
      cause: error,
    });
  }
  try {
    const found = await file.stat();
    if (!found.isFile())
      throw new Failure("unavailable", `${path} is not a file, so no key can be read from it.`, {
        fix: "Move it away; e2a creates a key file in its place.",
      });
    // Windows has no such mode bits and reports them as set.
    if (process.platform !== "win32" && (found.mode & 0o077) !== 0)
      throw new Failure("unavailable", `Other users can read the key file ${path}.`, {
        fix: `Run "chmod 600 ${path}"; if another user may have read it, replace the secrets it protects.`,
      });
    const text = (await file.readFile("utf8")).trim();
    if (!/^[0-9a-f]{64}$/i.test(text))
      throw new Failure("unavailable", `The key file ${path} does not hold a key of 64 hex digits.`, {
        fix: "Put the file back from a backup. Without that key the stored secrets are lost; to start over, delete the file.",
      });
    return new Uint8Array(Buffer.from(text, "hex"));
  } finally {
    await file.close();
  }
}

/** Writes the key to a draft and then links it to `path`, so that no process reads a partial file. */
async function createKeyFile(path: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const draft = `${path}.${randomBytes(8).toString("hex")}`;
  const file = await open(draft, "wx", 0o600);
  try {
    await file.writeFile(`${randomBytes(KEY_BYTES).toString("hex")}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
  try {
    await linkOrCopy(draft, path);
  } catch (error) {
    // Another process was faster; its key counts.
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  } finally {
    await unlink(draft);
  }
  await syncFolder(dirname(path));
}

/** Makes the file's name survive a power failure, or all sealed values are lost. Windows cannot sync folders. */
async function syncFolder(path: string): Promise<void> {
  if (process.platform === "win32") return;
  const folder = await open(path, "r");
  await folder.sync().finally(() => folder.close());
}

/** Falls back to a copy on file systems without hard links. Either way fails if `to` exists. */
async function linkOrCopy(from: string, to: string): Promise<void> {
  try {
    await link(from, to);
  } catch (error) {
    if (!["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS"].includes((error as NodeJS.ErrnoException).code ?? ""))
      throw error;
    await copyFile(from, to, constants.COPYFILE_EXCL);
  }
}
