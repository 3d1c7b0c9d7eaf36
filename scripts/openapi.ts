/** Writes docs/openapi.json: the document that a server of this source answers with. `--check` fails when it differs. */
import { join } from "node:path";
import { describeApi } from "../src/http/describe.ts";

const path = join(import.meta.dir, "../docs/openapi.json");
const text = `${JSON.stringify(describeApi(), null, 2)}\n`;

if (process.argv.includes("--check")) {
  if (text !== (await Bun.file(path).text())) {
    console.error("docs/openapi.json differs from the routes; run: bun scripts/openapi.ts");
    process.exit(1);
  }
} else {
  await Bun.write(path, text);
}
