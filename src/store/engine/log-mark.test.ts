import { expect, test } from "bun:test";
import { copyFileSync, mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { sql } from "drizzle-orm";
import { tempDir } from "../../../test/support/temp.ts";
import { migrations } from "../../assets.ts";
import { StartRefused } from "../../util/errors.ts";
import { askRaw } from "./engine.ts";
import { openSqlite } from "./sqlite.ts";

const open = (folder: string) => openSqlite(join(folder, "e2a.db"), migrations("sqlite"), { role: "server" });

const put = (engine: ReturnType<typeof open>, key: string, value: string) =>
  engine.write(function* (s) {
    yield* askRaw(sql`insert into ${s.t.meta} (key, value) values (${key}, ${value})`);
  });

/** The rows of `put` in a folder's database, or the code of the refusal to open it. */
async function rowsIn(folder: string): Promise<number | string> {
  let engine: ReturnType<typeof open>;
  try {
    engine = open(folder);
  } catch (error) {
    if (error instanceof StartRefused) return error.code;
    throw error;
  }
  const rows = await engine.read(function* (s) {
    return yield* askRaw<{ n: number }>(sql`select count(*) as n from ${s.t.meta} where key like 'row-%'`);
  });
  await engine.close();
  return Number(rows[0]?.n);
}

test("a log is never copied into a database that it was not written for", async () => {
  await using dir = await tempDir();
  const folder = (name: string) => {
    mkdirSync(join(dir.path, name), { recursive: true });
    return join(dir.path, name);
  };
  /** Makes a folder as a crash leaves it: the database of one folder, log and mark of another. */
  const crashed = (name: string, database: string, log: string) => {
    copyFileSync(join(database, "e2a.db"), join(folder(name), "e2a.db"));
    for (const end of ["-wal", "-mark"]) copyFileSync(join(log, `e2a.db${end}`), join(folder(name), `e2a.db${end}`));
    return folder(name);
  };
  const live = folder("live");
  const first = open(live);
  await put(first, "row-0", "before");
  await first.close();
  const backup = folder("backup");
  copyFileSync(join(live, "e2a.db"), join(backup, "e2a.db"));

  const engine = open(live);
  const images: { folder: string; rows: number }[] = [];
  // Enough for the log to be copied and restarted several times.
  for (let n = 1; n <= 48; n++) {
    await put(engine, `row-${n}`, "x".repeat(300_000));
    if (n % 6 === 0) images.push({ folder: crashed(`image-${n}`, live, live), rows: n + 1 });
  }
  await engine.close();

  let refused = 0;
  for (const [i, { folder: log, rows }] of images.entries()) {
    expect(await rowsIn(crashed(`same-${i}`, log, log))).toBe(rows);
    const older = [backup, ...images.slice(0, i).map((image) => image.folder)];
    for (const [j, database] of older.entries()) {
      const found = await rowsIn(crashed(`mixed-${i}-${j}`, database, log));
      // A copy from the time of this log is made whole by it.
      if (found !== rows) expect([i, j, found]).toEqual([i, j, "database_replaced"]);
      if (found !== rows) refused++;
    }
  }
  expect(refused).toBeGreaterThan(images.length);

  const restored = crashed("restored", backup, images.at(-1)?.folder ?? "");
  expect(await rowsIn(restored)).toBe("database_replaced");
  for (const end of ["-wal", "-mark"]) rmSync(join(restored, `e2a.db${end}`));
  expect(await rowsIn(restored)).toBe(1);
});
