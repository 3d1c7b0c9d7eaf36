import { expect, test } from "bun:test";
import { chmod, readdir, watch } from "node:fs/promises";
import { SQL } from "bun";
import { testPostgres } from "./postgres.ts";
import { tempDir } from "./temp.ts";

test("every test gets its own empty database on one real server", async () => {
  await using first = await testPostgres();
  await using second = await testPostgres();
  const [one, two] = [new SQL(first.url), new SQL(second.url)];
  await one`CREATE TABLE mine (n int)`;
  expect(await two`SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'`).toHaveLength(0);
  expect(new URL(first.url).host).toBe(new URL(second.url).host);
  await Promise.all([one.close(), two.close()]);
});

test("drop removes the database, also under an open connection", async () => {
  await using kept = await testPostgres();
  const dropped = await testPostgres();
  const [onlooker, client] = [new SQL(kept.url), new SQL(dropped.url, { max: 1 })];
  await client`SELECT 1`;
  await dropped.drop();
  const name = new URL(dropped.url).pathname.slice(1);
  expect(await onlooker`SELECT datname FROM pg_database WHERE datname = ${name}`).toHaveLength(0);
  await Promise.all([onlooker.close(), client.close()]);
});

test.skipIf(Boolean(process.env.E2A_TEST_POSTGRES_URL))("a killed process leaves no server and no file", async () => {
  await using dir = await tempDir();
  // Root's tests run the server as another user, who needs the same permissions as in /tmp.
  await chmod(dir.path, 0o777);
  const module = JSON.stringify(new URL("./postgres.ts", import.meta.url).href);
  const code = `const { testPostgres } = await import(${module}); await testPostgres(); console.log("up"); setInterval(() => {}, 1e6);`;
  const child = Bun.spawn([process.execPath, "-e", code], {
    stdout: "pipe",
    env: { ...process.env, TMPDIR: dir.path },
  });
  await child.stdout.getReader().read();
  expect(await readdir(dir.path)).toHaveLength(1);

  const changes = watch(dir.path);
  child.kill("SIGKILL");
  // The keeper deletes the folder after the server has ended.
  for await (const _ of changes) if ((await readdir(dir.path)).length === 0) break;
});
