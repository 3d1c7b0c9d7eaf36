/** The listeners' certificate: the configured one, or a self-signed one in the data folder. */
import { createPrivateKey, randomUUID, X509Certificate } from "node:crypto";
import { type FSWatcher, watch } from "node:fs";
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Log } from "../util/log.ts";

/** PEM texts. */
export interface TlsPair {
  cert: string;
  key: string;
}

const DAY_MS = 24 * 60 * 60 * 1000;
/** Long enough that renewals are rare, short enough for every client (browsers reject more than 825 days). */
const VALID_FOR_MS = 730 * DAY_MS;
/** For clients whose clock is behind. */
const BACKDATED_MS = DAY_MS;
/** Within this time of expiry, a self-signed certificate is replaced; for a configured one the log warns. */
const RENEW_BEFORE_MS = 30 * DAY_MS;
/** Holds key and certificate, so that one rename installs both and no crash can separate them. */
const selfSignedFile = "tls-self-signed.pem";

/**
 * Loads the pair from `certPath` and `keyPath`. If neither is given, uses a self-signed pair (ECDSA P-256) for
 * `hostname` that is kept in `dataDir`, and replaced when it is about to expire, unreadable or for another name. Throws
 * an Error that says what is wrong with the configured files.
 */
export async function loadOrCreateTls(options: {
  certPath?: string;
  keyPath?: string;
  dataDir: string;
  hostname: string;
  log: Log;
}): Promise<TlsPair & { selfSigned: boolean }> {
  const { certPath, keyPath, log } = options;
  if (certPath && keyPath) return { ...(await loadPair(certPath, keyPath, log)), selfSigned: false };
  if (certPath || keyPath) throw new Error("The TLS certificate and its key go together: one of the two is missing");
  const path = join(options.dataDir, selfSignedFile);
  const kept = await readSelfSigned(path, options.hostname);
  if (kept) return { ...kept, selfSigned: true };
  const fresh = await selfSign(options.hostname);
  await mkdir(options.dataDir, { recursive: true });
  const unfinished = `${path}.${randomUUID()}`;
  await writeFile(unfinished, fresh.key + fresh.cert, { mode: 0o600 });
  await rename(unfinished, path);
  log.info("tls.self_signed", { hostname: options.hostname, file: path });
  return { ...fresh, selfSigned: true };
}

/** Wait after a change: certificate and key are two files, written one after the other. */
const QUIET_MS = 250;

/**
 * Calls `apply` with the new pair whenever the files have changed. If a pair does not load or match, the failure is
 * logged and the current pair stays. Watches the folders, because renewal tools swap symbolic links. `reload` checks
 * immediately (for SIGHUP, and for file systems that report no changes).
 */
export function watchTls(options: {
  certPath: string;
  keyPath: string;
  current: TlsPair;
  apply: (pair: TlsPair) => void;
  log: Log;
}): { reload(): Promise<void>; close(): void } {
  const { certPath, keyPath, apply, log } = options;
  let current = options.current;
  const reload = async () => {
    try {
      const { cert, key } = await loadPair(certPath, keyPath, log);
      if (cert === current.cert && key === current.key) return;
      apply({ cert, key });
      current = { cert, key };
      log.info("tls.reloaded", { file: certPath, expires: new X509Certificate(cert).validTo });
    } catch (error) {
      log.warn("tls.reload_failed", { file: certPath }, error);
    }
  };
  let timer: ReturnType<typeof setTimeout> | undefined;
  const changed = () => {
    clearTimeout(timer);
    timer = setTimeout(reload, QUIET_MS);
    timer.unref();
  };
  const watchers: FSWatcher[] = [...new Set([dirname(certPath), dirname(keyPath)])].map((folder) =>
    watch(folder, { persistent: false }, changed).on("error", (error) =>
      log.warn("tls.watch_failed", { folder }, error),
    ),
  );
  return {
    reload,
    close() {
      clearTimeout(timer);
      for (const watcher of watchers) watcher.close();
    },
  };
}

async function loadPair(certPath: string, keyPath: string, log: Log): Promise<TlsPair> {
  const cert = await readFile(certPath, "utf8").catch((cause) => {
    throw new Error(`The TLS certificate ${certPath} cannot be read`, { cause });
  });
  const key = await readFile(keyPath, "utf8").catch((cause) => {
    throw new Error(`The TLS key ${keyPath} cannot be read`, { cause });
  });
  const certificate = parsed(() => new X509Certificate(cert), `${certPath} is not a PEM certificate`);
  const privateKey = parsed(() => createPrivateKey(key), `${keyPath} is not a PEM private key without a passphrase`);
  if (!certificate.checkPrivateKey(privateKey)) throw new Error(`The key ${keyPath} does not belong to ${certPath}`);
  if (Date.parse(certificate.validTo) - Date.now() < RENEW_BEFORE_MS)
    log.warn("tls.expires_soon", { file: certPath, expires: certificate.validTo });
  return { cert, key };
}

function parsed<T>(parse: () => T, complaint: string): T {
  try {
    return parse();
  } catch (cause) {
    throw new Error(complaint, { cause });
  }
}

/** The stored pair, or null if it is missing, unreadable, for another name or about to expire. */
async function readSelfSigned(path: string, hostname: string): Promise<TlsPair | null> {
  const pem = await readFile(path, "utf8").catch(() => "");
  const cert = pemBlock(pem, "CERTIFICATE");
  const key = pemBlock(pem, "PRIVATE KEY");
  if (!cert || !key) return null;
  try {
    const certificate = new X509Certificate(cert);
    const fits = certificate.checkPrivateKey(createPrivateKey(key)) && certificate.subject === `CN=${hostname}`;
    return fits && Date.parse(certificate.validTo) - Date.now() >= RENEW_BEFORE_MS ? { cert, key } : null;
  } catch {
    return null;
  }
}

function pemBlock(pem: string, label: string): string | null {
  const block = new RegExp(`-----BEGIN ${label}-----[^-]+-----END ${label}-----`).exec(pem);
  return block ? `${block[0]}\n` : null;
}

async function selfSign(hostname: string): Promise<TlsPair> {
  // Loaded only when needed: on most starts the certificate exists.
  const { generate } = await import("selfsigned");
  const now = Date.now();
  const made = await generate([{ name: "commonName", value: hostname }], {
    keyType: "ec",
    curve: "P-256",
    algorithm: "sha256",
    notBeforeDate: new Date(now - BACKDATED_MS),
    notAfterDate: new Date(now + VALID_FOR_MS),
  });
  const key = pemBlock(made.private, "PRIVATE KEY");
  const cert = pemBlock(made.cert, "CERTIFICATE");
  if (!key || !cert) throw new Error("The self-signed certificate could not be made");
  return { cert, key };
}
