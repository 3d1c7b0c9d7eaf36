import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { start } from "../src/app.ts";
import { loadConfig } from "../src/config.ts";
import { silentLog } from "../src/util/log.ts";
import { writeApiTypes } from "./api-types.ts";

/**
 * Writes docs/openapi.json, the document that a server of this source serves at /api/v1/openapi.json. A test fails if
 * it is outdated. Then writes the types of the dashboard and the SDKs, which derive from it.
 *
 *   bun scripts/openapi.ts
 */

const project = join(import.meta.dir, "..");
const path = join(project, "docs/openapi.json");
const folder = await mkdtemp(join(tmpdir(), "e2a-openapi-"));
try {
  const flags = { data_dir: folder, "http.listen_addr": "127.0.0.1:0", "smtp.listen_addr": "127.0.0.1:0" };
  const app = await start(loadConfig({ env: {}, cwd: folder, root: folder, flags }), { log: silentLog });
  const response = await fetch(`${app.httpUrl}/api/v1/openapi.json`);
  await Bun.write(path, await response.text());
  await app.close();
} finally {
  await rm(folder, { recursive: true, force: true });
}

const biome = join(project, "node_modules/@biomejs/biome/bin/biome");
process.exitCode = await Bun.spawn([process.execPath, biome, "format", "--write", path], { cwd: project }).exited;
await writeApiTypes();
