import { describe, expect, test } from "bun:test";
import { createPrivateKey, X509Certificate } from "node:crypto";
import { readFile, rename, stat, symlink, writeFile } from "node:fs/promises";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { connect, createServer } from "node:tls";
import { generate } from "selfsigned";
import { tempDir } from "../../test/support/temp.ts";
import { silentLog } from "../util/log.ts";
import { loadOrCreateTls, type TlsPair, watchTls } from "./tls.ts";

const dayMs = 24 * 60 * 60 * 1000;
const hostname = "mx.example.com";

async function pair(name = hostname, daysLeft = 365): Promise<TlsPair> {
  const notAfterDate = new Date(Date.now() + daysLeft * dayMs);
  const made = await generate([{ name: "commonName", value: name }], {
    keyType: "ec",
    algorithm: "sha256",
    notAfterDate,
  });
  return { cert: made.cert, key: made.private };
}

async function write(dir: string, { cert, key }: TlsPair): Promise<{ certPath: string; keyPath: string }> {
  const paths = { certPath: join(dir, "cert.pem"), keyPath: join(dir, "key.pem") };
  await writeFile(paths.certPath, cert);
  await writeFile(paths.keyPath, key);
  return paths;
}

describe("without configured files", () => {
  test("a pair is made once, kept for its owner's eyes only, and taken by TLS clients", async () => {
    await using dir = await tempDir();
    const dataDir = join(dir.path, "not", "there", "yet");
    const made = await loadOrCreateTls({ dataDir, hostname, log: silentLog });
    expect(made.selfSigned).toBe(true);
    expect(new X509Certificate(made.cert).checkHost(hostname)).toBe(hostname);
    expect((await stat(join(dataDir, "tls-self-signed.pem"))).mode & 0o777).toBe(0o600);
    expect(await loadOrCreateTls({ dataDir, hostname, log: silentLog })).toEqual(made);

    const server = createServer({ cert: made.cert, key: made.key }, (socket) => socket.end("hello"));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const client = connect({
      port: (server.address() as AddressInfo).port,
      host: "127.0.0.1",
      ca: made.cert,
      servername: hostname,
    });
    const greeting = await new Promise((resolve, reject) =>
      client.once("data", (data) => resolve(String(data))).once("error", reject),
    );
    expect(greeting).toBe("hello");
    client.destroy();
    server.close();
  });

  const replaced: [why: string, pem: () => Promise<string>][] = [
    ["it is for another name", async () => text(await pair("old.example.com"))],
    ["it ends within 30 days", async () => text(await pair(hostname, 29))],
    ["key and certificate differ", async () => text({ cert: (await pair()).cert, key: (await pair()).key })],
    ["the key is missing", async () => (await pair()).cert],
    ["it is not PEM", async () => "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"],
    ["it is empty", async () => ""],
  ];
  const text = ({ cert, key }: TlsPair) => `${key}\n${cert}\n`;

  test.each(replaced)("a kept pair is replaced when %s", async (_why, pem) => {
    await using dir = await tempDir();
    const before = await pem();
    await writeFile(join(dir.path, "tls-self-signed.pem"), before);
    const { cert, key } = await loadOrCreateTls({ dataDir: dir.path, hostname, log: silentLog });
    const certificate = new X509Certificate(cert);
    expect(before).not.toContain(cert.trim());
    expect(certificate.subject).toBe(`CN=${hostname}`);
    expect(certificate.checkPrivateKey(createPrivateKey(key))).toBe(true);
    expect(Date.parse(certificate.validTo)).toBeGreaterThan(Date.now() + 700 * dayMs);
    expect(await readFile(join(dir.path, "tls-self-signed.pem"), "utf8")).toContain(cert);
  });
});

describe("with configured files", () => {
  test("their pair is used and nothing is made", async () => {
    await using dir = await tempDir();
    const configured = await pair("other.example.com");
    const paths = await write(dir.path, configured);
    const loaded = await loadOrCreateTls({ ...paths, dataDir: join(dir.path, "data"), hostname, log: silentLog });
    expect(loaded).toEqual({ ...configured, selfSigned: false });
  });

  test.each([
    [31, 0],
    [29, 1],
    [-1, 1],
  ])("a certificate that ends in %d days is warned of %d times, and used", async (daysLeft, times) => {
    await using dir = await tempDir();
    const paths = await write(dir.path, await pair(hostname, daysLeft));
    const warned: string[] = [];
    const log = { ...silentLog, warn: (event: string) => void warned.push(event) };
    const { selfSigned } = await loadOrCreateTls({ ...paths, dataDir: join(dir.path, "data"), hostname, log });
    expect({ selfSigned, warned }).toEqual({ selfSigned: false, warned: Array(times).fill("tls.expires_soon") });
  });

  const complaints: [
    what: string,
    spoil: (dir: string) => Promise<{ certPath?: string; keyPath?: string }>,
    says: RegExp,
  ][] = [
    ["a certificate without a key", async (dir) => ({ certPath: join(dir, "cert.pem") }), /one of the two is missing/],
    [
      "a file that is not there",
      async (dir) => ({ certPath: join(dir, "no.pem"), keyPath: join(dir, "key.pem") }),
      /no\.pem cannot be read/,
    ],
    [
      "files swapped",
      async (dir) => ({ certPath: join(dir, "key.pem"), keyPath: join(dir, "cert.pem") }),
      /key\.pem is not a PEM certificate/,
    ],
    [
      "a key of another certificate",
      async (dir) => {
        await writeFile(join(dir, "key.pem"), (await pair()).key);
        return { certPath: join(dir, "cert.pem"), keyPath: join(dir, "key.pem") };
      },
      /key\.pem does not belong to/,
    ],
  ];

  test.each(complaints)("%s is named", async (_what, spoil, says) => {
    await using dir = await tempDir();
    await write(dir.path, await pair());
    const paths = await spoil(dir.path);
    await expect(loadOrCreateTls({ ...paths, dataDir: dir.path, hostname, log: silentLog })).rejects.toThrow(says);
  });
});

describe("watching", () => {
  /** Watches the files; `next()` resolves with the next pair that was applied. */
  function applied(paths: { certPath: string; keyPath: string }, current: TlsPair) {
    const pairs: TlsPair[] = [];
    let wake = () => {};
    const watcher = watchTls({
      ...paths,
      current,
      log: silentLog,
      apply: (pair) => {
        pairs.push(pair);
        wake();
      },
    });
    const next = async () => {
      if (pairs.length === 0) await new Promise<void>((resolve) => (wake = resolve));
      return pairs.shift()!;
    };
    return { pairs, next, ...watcher };
  }

  test("a renewed pair is applied when its files are written", async () => {
    await using dir = await tempDir();
    const [old, renewed] = [await pair(), await pair()];
    const watched = applied(await write(dir.path, old), old);
    await write(dir.path, renewed);
    expect(await watched.next()).toEqual(renewed);
    watched.close();
  });

  test("a renewed pair is applied when a symbolic link is swapped", async () => {
    await using dir = await tempDir();
    const [old, renewed] = [await pair(), await pair()];
    const paths = { certPath: join(dir.path, "live-cert.pem"), keyPath: join(dir.path, "key.pem") };
    await writeFile(join(dir.path, "cert1.pem"), old.cert);
    await writeFile(paths.keyPath, old.key);
    await symlink("cert1.pem", paths.certPath);
    const watched = applied(paths, old);
    await writeFile(join(dir.path, "cert2.pem"), renewed.cert);
    await writeFile(paths.keyPath, renewed.key);
    await symlink("cert2.pem", `${paths.certPath}.new`);
    await rename(`${paths.certPath}.new`, paths.certPath);
    expect(await watched.next()).toEqual(renewed);
    watched.close();
  });

  test("reload skips a pair that does not fit and an unchanged one, and takes the next good one", async () => {
    await using dir = await tempDir();
    const [old, renewed] = [await pair(), await pair()];
    const paths = await write(dir.path, old);
    const watched = applied(paths, old);
    await watched.reload();
    await writeFile(paths.certPath, renewed.cert);
    await watched.reload();
    expect(watched.pairs).toEqual([]);
    await writeFile(paths.keyPath, renewed.key);
    await watched.reload();
    expect(watched.pairs).toEqual([renewed]);
    await write(dir.path, old);
    await watched.reload();
    expect(watched.pairs).toEqual([renewed, old]);
    watched.close();
  });
});
