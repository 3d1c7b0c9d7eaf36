import { expect, test } from "bun:test";
import { join } from "node:path";
import { startBinary } from "../../../test/support/binary.ts";
import { tempDir } from "../../../test/support/temp.ts";

test("SIGTERM ends the server even if something hangs that nobody waits for, such as a look-up", async () => {
  await using dir = await tempDir();
  const hanging = join(dir.path, "hanging.ts");
  await Bun.write(hanging, "setInterval(() => {}, 1_000_000_000);");
  const main = join(import.meta.dir, "../../main.ts");
  const env = {
    E2A_DATA_DIR: join(dir.path, "data"),
    E2A_HTTP_LISTEN_ADDR: "127.0.0.1:0",
    E2A_SMTP_LISTEN_ADDR: "127.0.0.1:0",
    E2A_LOG_FORMAT: "json",
  };
  await using server = await startBinary(env, [process.execPath, "--preload", hanging, main]);
  expect(await server.stop()).toBe(0);
}, 60_000);
