/** Types for TypeScript from a description of the API. */

/** The text of a file with them. @param by the script that writes it */
export async function apiTypes(document: object, by: string): Promise<string> {
  const { default: generate, astToString } = await generator();
  return `/** Generated from docs/openapi.json by ${by}. */\n\n${astToString(await generate(document as never))}`;
}

/** The generator builds its output with the compiler's JavaScript API, which TypeScript 7 no longer has. */
function generator() {
  Bun.plugin({
    name: "typescript-for-generators",
    setup(build) {
      build.module("typescript", async () => {
        const compiler = await import("typescript-for-generators");
        return { exports: { default: compiler.default }, loader: "object" };
      });
    },
  });
  return import("openapi-typescript");
}
