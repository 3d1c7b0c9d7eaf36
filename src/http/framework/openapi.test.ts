import { expect, test } from "bun:test";
import { startTestApp } from "../../../test/support/app.ts";

test("docs/openapi.json is what the server says (if not: bun scripts/openapi.ts)", async () => {
  await using it = await startTestApp();
  const { body } = await it.api("GET", "/api/v1/openapi.json");
  expect(await Bun.file(`${import.meta.dir}/../../../docs/openapi.json`).json()).toEqual(body);
});

test("the reference page has every operation, schema and error code, and escapes what it shows", async () => {
  await using it = await startTestApp();
  const { body: document } = await it.api("GET", "/api/v1/openapi.json");
  const { body: page } = await it.api("GET", "/api/docs");
  for (const [path, methods] of Object.entries(
    document.paths as Record<string, Record<string, { operationId: string }>>,
  ))
    for (const [method, { operationId }] of Object.entries(methods)) {
      expect(page).toContain(`id="${operationId}"`);
      expect(page).toContain(`<span class="method ${method.toUpperCase()}">${method.toUpperCase()}</span> ${path}`);
    }
  for (const name of Object.keys(document.components.schemas)) expect(page).toContain(`id="schema-${name}"`);
  for (const code of ["unauthenticated", "not_found", "idempotency_key_reused", "internal"])
    expect(page).toContain(`<tr id="${code}">`);
  expect(page).toContain("&quot;agent_mode&quot;");
});
