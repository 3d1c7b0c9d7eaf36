import { join } from "node:path";
import { schemaComponents } from "../src/http/framework/openapi.ts";
import { MessageFrame, WebhookMessage } from "../src/wire/message.ts";
import { pythonModels, type Schema } from "./python-models.ts";

/**
 * Writes the API's types for the SDKs and the dashboard from docs/openapi.json, with the data of webhooks and sockets
 * from src/wire. `bun run check` fails if a file is outdated. `bun scripts/openapi.ts` writes the document and then
 * these files.
 *
 *   bun scripts/api-types.ts
 */

interface Document {
  paths: Record<string, Record<string, { responses: Record<string, unknown> }>>;
  components: { schemas: Record<string, Schema> };
}

const project = join(import.meta.dir, "..");

/** Removes failures, which clients throw as the same errors for all calls. This makes the file a third as long. */
function withoutFailures(document: Document): Document {
  for (const operation of Object.values(document.paths).flatMap((methods) => Object.values(methods)))
    operation.responses = Object.fromEntries(
      Object.entries(operation.responses).filter(([status]) => status.startsWith("2")),
    );
  return document;
}

/** Adds the shapes that are not answers of any operation: a webhook's body and a frame of an agent's WebSocket. */
function withPushed(document: Document): Document {
  const pushed = schemaComponents([WebhookMessage, MessageFrame]) as Record<string, Schema>;
  return {
    ...document,
    components: { ...document.components, schemas: { ...document.components.schemas, ...pushed } },
  };
}

/** The expected text of each file, by its path. */
async function texts(): Promise<[path: string, text: string][]> {
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
  const source = await Bun.file(join(project, "docs/openapi.json")).text();
  const models = pythonModels(withPushed(JSON.parse(source)).components.schemas);
  const ast = await generate(withPushed(withoutFailures(JSON.parse(source))) as never);
  const types = `/** Generated from docs/openapi.json by scripts/api-types.ts. */\n\n${astToString(ast)}`;
  return [
    ["sdks/typescript/src/schema.ts", types],
    ["sdks/python/src/e2a/v1/_messages.py", models],
  ];
}

/** Writes all files. */
export async function writeApiTypes(): Promise<void> {
  for (const [path, text] of await texts()) await Bun.write(join(project, path), text);
}

/** A complaint for each file that does not match docs/openapi.json; "" if all match. */
export async function checkApiTypes(): Promise<string> {
  const complaints: string[] = [];
  for (const [path, text] of await texts()) {
    const found = Bun.file(join(project, path));
    if ((await found.exists()) && (await found.text()) === text) continue;
    complaints.push(`${path} is not what docs/openapi.json says. Run \`bun scripts/api-types.ts\`.\n`);
  }
  return complaints.join("");
}

if (import.meta.main) await writeApiTypes();
