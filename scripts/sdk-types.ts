import { join } from "node:path";
import { apiTypes } from "./api-types.ts";

/**
 * Writes sdks/typescript/src/schema.ts: the API's types for the SDK, from docs/openapi.json. `bun run check` fails when
 * they differ. `bun scripts/openapi.ts` does both.
 *
 *   bun scripts/sdk-types.ts
 */

const project = join(import.meta.dir, "..");
const target = join(project, "sdks/typescript/src/schema.ts");

interface Document {
  paths: Record<string, Record<string, { responses: Record<string, unknown> }>>;
}

/** What the file should be. */
async function schemaText(): Promise<string> {
  const document: Document = await Bun.file(join(project, "docs/openapi.json")).json();
  // Failures are errors that are thrown, the same for all calls: without them the file is a third as long.
  for (const operation of Object.values(document.paths).flatMap((methods) => Object.values(methods)))
    operation.responses = Object.fromEntries(
      Object.entries(operation.responses).filter(([status]) => status.startsWith("2")),
    );
  return apiTypes(document, "scripts/sdk-types.ts");
}

/** Writes it anew. */
export async function writeSdkTypes(): Promise<void> {
  await Bun.write(target, await schemaText());
}

/** A complaint when it is not what docs/openapi.json says, else "". */
export async function checkSdkTypes(): Promise<string> {
  const found = Bun.file(target);
  if ((await found.exists()) && (await found.text()) === (await schemaText())) return "";
  return "sdks/typescript/src/schema.ts is not what docs/openapi.json says. Run `bun scripts/sdk-types.ts`.\n";
}

if (import.meta.main) await writeSdkTypes();
