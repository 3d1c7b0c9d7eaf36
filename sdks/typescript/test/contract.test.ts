import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { contractVectors } from "../../../scripts/contract-vectors.ts";
import cases from "../../contract/cases.json" with { type: "json" };
import vectors from "../../contract/vectors.json" with { type: "json" };
import type * as Sdk from "../src/index.ts";
import { mismatch } from "./contract/match.ts";
import { type Case, playCase, type World } from "./contract/play.ts";
import { type InstalledPackage, installPackage } from "./package.ts";
import { startServer, type TestServer } from "./server.ts";

/** The contract of all SDKs (sdks/contract), tested with the installed package. */

let installed: InstalledPackage;
let sdk: typeof Sdk;
beforeAll(async () => {
  installed = await installPackage();
  sdk = await import(installed.module);
});
afterAll(() => installed[Symbol.asyncDispose]());

interface Vector {
  name: string;
  body: string;
  headers: Record<string, string> | null;
  secrets: (keyof typeof vectors.secrets)[];
  now?: string;
  valid: boolean;
  proven?: string;
  expect?: object;
  unreadable?: string[];
  reason?: string;
}

describe("the signature vectors", () => {
  test("are what the server signs (if not: bun scripts/contract-vectors.ts)", () => {
    expect(vectors).toEqual(JSON.parse(JSON.stringify(contractVectors())));
  });

  for (const vector of vectors.vectors as unknown as Vector[]) {
    const { name, body, headers, secrets, valid, reason } = vector;
    const parse = (options: Sdk.ParseOptions = {}) =>
      sdk.parseWebhook(
        new TextEncoder().encode(body),
        headers,
        secrets.map((one) => vectors.secrets[one]),
        { now: new Date(vector.now ?? vectors.now), ...options },
      );

    if (valid)
      test(`believed: ${name}`, async () => {
        const event = await parse();
        expect(mismatch({ ...vector.expect, proven: vector.proven }, event)).toBeNull();
        // Printing and copying leave out what cannot be read.
        expect(() => JSON.stringify({ ...event.data })).not.toThrow();
        for (const field of vector.unreadable ?? []) {
          expect(() => (event.data as unknown as Record<string, unknown>)[field]).toThrow(sdk.UnverifiedEmailError);
          const allowed = await parse({ allowUnsignedFields: true });
          expect((allowed.data as unknown as Record<string, unknown>)[field]).toEqual(JSON.parse(body)[field]);
        }
      });
    else
      test(`not believed (${reason}): ${name}`, async () => {
        const error = await parse().catch((caught) => caught);
        expect(error).toBeInstanceOf(sdk.UnverifiedEmailError);
        expect([error.reason, error.name]).toEqual([reason, "UnverifiedEmailError"]);
        expect(await parse({ allowUnsignedFields: true }).catch(({ reason }) => reason)).toBe(reason);
      });
  }
});

for (const database of ["sqlite", "postgres"] as const)
  describe(`the scenarios, on the binary with ${database}`, () => {
    let server: TestServer;
    beforeAll(async () => {
      server = await startServer(database);
    });
    afterAll(() => server[Symbol.asyncDispose]());

    for (const scenario of cases.cases as Case[]) test(scenario.name, () => playCase(sdk, server, scenario), 120_000);
  });

test.skipIf(!Bun.which("node") && !process.env.CI)(
  "the scenarios, in Node, by long polls where it has no WebSocket",
  async () => {
    const { folder } = installed;
    await using server = await startServer();
    await using control = controlOf(server);
    const built = await Bun.build({
      entrypoints: [join(import.meta.dir, "contract/in-node.ts")],
      outdir: folder,
      target: "node",
      external: ["e2a-sdk"],
    });
    expect(built.success).toBe(true);
    const script = join(folder, "in-node.js");
    const casesFile = join(import.meta.dir, "../../contract/cases.json");
    const child = Bun.spawn([process.env.E2A_TEST_NODE ?? "node", script, casesFile, control.url], {
      ...{ cwd: folder, stdin: "ignore", stdout: "pipe", stderr: "inherit" },
    });
    const results = (await child.stdout.text()).trimEnd().split("\n");
    expect(results.map((line) => JSON.parse(line))).toEqual(cases.cases.map(({ name }) => ({ name, error: null })));
    expect(await child.exited).toBe(0);
  },
  300_000,
);

type OneMail = Parameters<World["deliver"]>[0];

/** The control that a scenario has over the world, by HTTP for another process. */
function controlOf(world: World): { url: string } & AsyncDisposable {
  const { baseUrl, apiKey, secret } = world;
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    idleTimeout: 0,
    async fetch(request) {
      const asked = (await request.json()) as never as { how: "kill"; url: string; count: number } & OneMail;
      const verbs: Record<string, () => unknown> = {
        "/account": () => ({ baseUrl, apiKey, secret }),
        "/deliver": () => world.deliver(asked),
        "/restart": () => world.restart(asked.how),
        "/sink": () => world.sink(),
        "/requests": () => world.requests(asked.url, asked.count),
      };
      try {
        return Response.json((await verbs[new URL(request.url).pathname]?.()) ?? null);
      } catch (error) {
        return new Response(String(error), { status: 500 });
      }
    },
  });
  return { url: `http://127.0.0.1:${server.port}`, [Symbol.asyncDispose]: () => server.stop(true) };
}
