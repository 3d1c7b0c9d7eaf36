import { join } from "node:path";
import { apiTypes } from "./api-types.ts";

/**
 * Writes web/src/api/schema.d.ts: the API's types for the dashboard, from docs/openapi.json. `bun run check` fails when
 * they differ. `bun scripts/openapi.ts` does both.
 *
 *   bun scripts/web-api.ts
 */

const project = join(import.meta.dir, "..");
const target = join(project, "web/src/api/schema.d.ts");

/** What the file should be. */
async function schemaText(): Promise<string> {
  return apiTypes(await Bun.file(join(project, "docs/openapi.json")).json(), "scripts/web-api.ts");
}

/** Writes it anew. */
export async function writeWebApi(): Promise<void> {
  await Bun.write(target, await schemaText());
}

/** A complaint when it is not what docs/openapi.json says, else "". */
export async function checkWebApi(): Promise<string> {
  const found = Bun.file(target);
  if ((await found.exists()) && (await found.text()) === (await schemaText())) return "";
  return "web/src/api/schema.d.ts is not what docs/openapi.json says. Run `bun scripts/web-api.ts`.\n";
}

if (import.meta.main) await writeWebApi();
