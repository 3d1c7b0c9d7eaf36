import { describe, expect, test } from "bun:test";
import { chmod, mkdir, readdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { tempDir } from "../test/support/temp.ts";
import { Failure } from "./util/errors.ts";
import { createVault, deriveKey, loadOrCreateKeyFile } from "./vault.ts";

const key = new Uint8Array(32).fill(7);
const vault = createVault(key);

describe("createVault", () => {
  test.each(["", "a secret", "Grüße 😀", "x".repeat(100_000)])("text comes back (case %#)", (text) => {
    expect(vault.openText(vault.seal(text, "wsec_1"), "wsec_1")).toBe(text);
  });

  test("bytes come back, and another vault under the same key opens them", () => {
    const bytes = Uint8Array.from({ length: 256 }, (_, i) => i);
    expect(Uint8Array.from(createVault(key.slice()).open(vault.seal(bytes, "c"), "c"))).toEqual(bytes);
  });

  test("nothing of the plain text shows, and no two sealed values are alike", () => {
    const [one, two] = [vault.seal("a secret", "c"), vault.seal("a secret", "c")];
    expect(Buffer.from(one).includes("secret")).toBe(false);
    expect(Buffer.from(one).equals(two)).toBe(false);
  });

  test("what an earlier version sealed is still opened", () => {
    const sealed = Buffer.from("AbuYKcBqoaAAFvHI/D71t+1jaMCzgZ/w5Mn9SPeBJeR9HgnaYA==", "base64");
    expect(vault.openText(sealed, "wsec_1")).toBe("a secret");
  });

  test("a change of any byte is noticed", () => {
    const sealed = vault.seal("a secret", "c");
    for (let i = 0; i < sealed.length; i++) {
      const changed = Uint8Array.from(sealed);
      changed[i] = (changed[i] ?? 0) ^ 1;
      expect(() => vault.open(changed, "c")).toThrow("cannot be opened");
    }
    for (const length of [0, 1, 28, sealed.length - 1])
      expect(() => vault.open(sealed.subarray(0, length), "c")).toThrow("cannot be opened");
  });

  test("another context or another key does not open it", () => {
    const sealed = vault.seal("a secret", "wsec_1");
    expect(() => vault.open(sealed, "wsec_2")).toThrow("cannot be opened");
    expect(() => createVault(new Uint8Array(32).fill(8)).open(sealed, "wsec_1")).toThrow("another key");
  });

  test("a key of another length is refused", () => {
    expect(() => createVault(new Uint8Array(16))).toThrow("32 bytes");
  });
});

test("deriveKey gives one key for each purpose, none of them the master, and the same in every version", () => {
  const old = "b7bd9b0ee116b2dabe16822859fb0248b3b182aec9b93730dc33569e7c3bba78";
  expect(Buffer.from(deriveKey(key, "sessions")).toString("hex")).toBe(old);
  expect(deriveKey(key, "sessions")).toEqual(deriveKey(key, "sessions"));
  expect(deriveKey(key, "sessions")).toHaveLength(32);
  expect(deriveKey(key, "sessions")).not.toEqual(deriveKey(key, "approvals"));
  expect(deriveKey(key, "sessions")).not.toEqual(key);
});

describe("loadOrCreateKeyFile", () => {
  test("makes the folder and the file for their owner only, and finds the same key again", async () => {
    await using dir = await tempDir();
    const path = join(dir.path, "data", "encryption.key");
    const made = await loadOrCreateKeyFile(path);
    expect(made).toHaveLength(32);
    expect(await loadOrCreateKeyFile(path)).toEqual(made);
    expect(await readFile(path, "utf8")).toBe(`${Buffer.from(made).toString("hex")}\n`);
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect((await stat(join(dir.path, "data"))).mode & 0o777).toBe(0o700);
  });

  test("many at once agree on one key and leave nothing else behind", async () => {
    await using dir = await tempDir();
    const path = join(dir.path, "encryption.key");
    const keys = await Promise.all(Array.from({ length: 50 }, () => loadOrCreateKeyFile(path)));
    expect(new Set(keys.map((k) => Buffer.from(k).toString("hex"))).size).toBe(1);
    expect(await readdir(dir.path)).toEqual(["encryption.key"]);
  });

  test("two processes that start at once agree", async () => {
    await using dir = await tempDir();
    const script = `import { loadOrCreateKeyFile } from ${JSON.stringify(join(import.meta.dir, "vault.ts"))};
      process.stdout.write(Buffer.from(await loadOrCreateKeyFile(process.argv[1])).toString("hex"));`;
    const run = () =>
      new Response(
        Bun.spawn([process.execPath, "-e", script, join(dir.path, "encryption.key")], { stdin: "ignore" }).stdout,
      ).text();
    const [one, two] = await Promise.all([run(), run()]);
    expect(one).toMatch(/^[0-9a-f]{64}$/);
    expect(two).toBe(one);
  });

  test("on a file system without hard links a key is made all the same, and the key of a faster process is kept", async () => {
    await using dir = await tempDir();
    const script = `
      const files = require("node:fs/promises");
      const [faster, slower] = ["faster.key", "slower.key"].map((name) => process.argv[1] + "/" + name);
      files.link = async (from, to) => {
        if (to === slower) await files.writeFile(to, "ab".repeat(32), { mode: 0o600 });
        throw Object.assign(new Error("no hard links"), { code: "EPERM" });
      };
      const { loadOrCreateKeyFile } = await import(${JSON.stringify(join(import.meta.dir, "vault.ts"))});
      for (const path of [faster, slower])
        console.log(Buffer.from(await loadOrCreateKeyFile(path)).toString("hex"));`;
    const { stdout } = Bun.spawn([process.execPath, "-e", script, dir.path], { stdin: "ignore" });
    const [made, found] = (await new Response(stdout).text()).split("\n");
    expect(await readFile(join(dir.path, "faster.key"), "utf8")).toBe(`${made}\n`);
    expect(made).toMatch(/^[0-9a-f]{64}$/);
    expect(found).toBe("ab".repeat(32));
    expect((await stat(join(dir.path, "faster.key"))).mode & 0o777).toBe(0o600);
    expect((await readdir(dir.path)).sort()).toEqual(["faster.key", "slower.key"]);
  });

  test("refuses a file that others may read, and says what to do", async () => {
    await using dir = await tempDir();
    const path = join(dir.path, "encryption.key");
    await loadOrCreateKeyFile(path);
    for (const mode of [0o644, 0o640, 0o604]) {
      await chmod(path, mode);
      const failure = await failureOf(loadOrCreateKeyFile(path));
      expect(failure.message).toContain("Other users can read");
      expect(failure.details.fix).toContain(`chmod 600 ${path}`);
    }
    await chmod(path, 0o600);
    expect(await loadOrCreateKeyFile(path)).toHaveLength(32);
  });

  test("never replaces a file that holds no key", async () => {
    await using dir = await tempDir();
    for (const text of ["", "not a key", "ab".repeat(31), "ab".repeat(33)]) {
      const path = join(dir.path, "encryption.key");
      await writeFile(path, text, { mode: 0o600 });
      expect((await failureOf(loadOrCreateKeyFile(path))).message).toContain("64 hex digits");
      expect(await readFile(path, "utf8")).toBe(text);
    }
  });

  test("takes a key that a person wrote, in capitals and with space around it", async () => {
    await using dir = await tempDir();
    const path = join(dir.path, "encryption.key");
    await writeFile(path, ` ${"AB".repeat(32)} \r\n`, { mode: 0o600 });
    expect(await loadOrCreateKeyFile(path)).toEqual(new Uint8Array(32).fill(0xab));
  });

  test("a folder in the file's place is a clear failure", async () => {
    await using dir = await tempDir();
    const path = join(dir.path, "encryption.key");
    await mkdir(path, { mode: 0o700 });
    expect((await failureOf(loadOrCreateKeyFile(path))).message).toContain("is not a file");
  });

  test("a place where no file can be made is a clear failure", async () => {
    await using dir = await tempDir();
    await writeFile(join(dir.path, "data"), "in the way");
    const failure = await failureOf(loadOrCreateKeyFile(join(dir.path, "data", "encryption.key")));
    expect(failure.details.fix).toContain(join(dir.path, "data"));
  });
});

async function failureOf(promise: Promise<unknown>): Promise<Failure> {
  const error = await promise.then(
    () => new Error("it was accepted"),
    (e: unknown) => e,
  );
  if (error instanceof Failure) return error;
  throw error;
}
