import { expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { startBinary } from "../../../test/support/binary.ts";
import { tempDir } from "../../../test/support/temp.ts";
import { until } from "../../../test/support/until.ts";

const main = join(import.meta.dir, "../../main.ts");

const serverEnv = (folder: string) => ({
  E2A_DATA_DIR: join(folder, "data"),
  E2A_HTTP_LISTEN_ADDR: "127.0.0.1:0",
  E2A_SMTP_LISTEN_ADDR: "127.0.0.1:0",
  E2A_LOG_FORMAT: "json",
});

test("SIGTERM ends the server even if something unrelated, such as a look-up, hangs", async () => {
  await using dir = await tempDir();
  const hanging = join(dir.path, "hanging.ts");
  await Bun.write(hanging, "setInterval(() => {}, 1_000_000_000);");
  await using server = await startBinary(serverEnv(dir.path), [process.execPath, "--preload", hanging, main]);
  expect(await server.stop()).toBe(0);
}, 60_000);

test("the line of a server that is ready says where its database is", async () => {
  await using dir = await tempDir();
  await using server = await startBinary(serverEnv(dir.path), [process.execPath, main]);
  expect(server.ready).toMatchObject({ event: "ready", store: `SQLite, ${join(dir.path, "data", "e2a.db")}` });
}, 60_000);

test.skipIf(process.platform !== "linux")(
  "a server that is almost out of file descriptors is not ready",
  async () => {
    await using dir = await tempDir();
    const limited = ["sh", "-c", 'ulimit -n 300; exec "$0" "$@"', process.execPath, main];
    await using server = await startBinary(serverEnv(dir.path), limited);
    const ready = () => fetch(`${server.ready.http}/api/ready`);
    expect((await ready()).status).toBe(200);
    const open = () => readdirSync(`/proc/${server.process.pid}/fd`).length;
    const { port } = new URL(server.ready.http);
    const sockets = Array.from({ length: 280 - open() }, () =>
      connect(Number(port), "127.0.0.1").on("error", () => {}),
    );
    let reasons: string[] = [];
    await until("it is not ready", async () => {
      const answer = await ready();
      ({ reasons = [] } = (await answer.json()) as { reasons?: string[] });
      return answer.status === 503;
    });
    expect(reasons).toEqual([expect.stringContaining("ulimit -n")]);
    for (const socket of sockets) socket.destroy();
    await until("it is ready again", async () => (await ready()).status === 200);
  },
  60_000,
);
