import { join } from "node:path";

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
  // The generator builds its output with the compiler's JavaScript API, which TypeScript 7 no longer has.
  Bun.plugin({
    name: "typescript-for-generators",
    setup(build) {
      build.module("typescript", async () => {
        const compiler = await import("typescript-for-generators");
        return { exports: { default: compiler.default }, loader: "object" };
      });
    },
  });
  const { default: generate, astToString } = await import("openapi-typescript");
  const document = await Bun.file(join(project, "docs/openapi.json")).json();
  return `/** Generated from docs/openapi.json by scripts/web-api.ts. */\n\n${astToString(await generate(document))}`;
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
