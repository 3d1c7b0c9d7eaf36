import { afterAll, beforeAll, expect, test } from "bun:test";
import { cp } from "node:fs/promises";
import { join } from "node:path";
import { E2AClient } from "../src/index.ts";
import { type InstalledPackage, installPackage } from "./package.ts";
import { startServer, type TestServer } from "./server.ts";

/** What the README and the examples promise, in an empty project with the package installed. */

const source = join(import.meta.dir, "..");

let installed: InstalledPackage;
let folder: string;
let server: TestServer;
let client: E2AClient;
beforeAll(async () => {
  installed = await installPackage();
  folder = installed.folder;
  await cp(join(source, "examples"), join(folder, "examples"), { recursive: true });
  server = await startServer();
  client = new E2AClient({ baseUrl: server.baseUrl, apiKey: server.apiKey });
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await installed[Symbol.asyncDispose]();
});

/** A program of the project; `line` waits for the next line that contains this text. */
function run(command: string[], env: Record<string, string> = {}) {
  const child = Bun.spawn(command, {
    cwd: folder,
    env: { PATH: process.env.PATH ?? "", E2A_URL: server.baseUrl, E2A_API_KEY: server.apiKey, ...env },
    stdin: "pipe",
    stdout: "pipe",
    stderr: "pipe",
  });
  const errors = child.stderr.text();
  const decoder = new TextDecoder();
  const reader = child.stdout.getReader();
  let output = "";
  return {
    async line(part: string): Promise<string> {
      for (;;) {
        const lines = output.split("\n");
        const at = lines.findIndex((line) => line.includes(part));
        if (at >= 0) {
          output = lines.slice(at + 1).join("\n");
          return lines[at] ?? "";
        }
        const { value, done } = await reader.read();
        if (done) throw new Error(`It ended before it said "${part}":\n${output}${await errors}`);
        output += decoder.decode(value, { stream: true });
      }
    },
    say: (text: string) => void child.stdin.write(text),
    async [Symbol.asyncDispose]() {
      child.kill();
      await child.exited;
    },
  };
}

const example = (name: string, env: Record<string, string>) => run([process.execPath, `examples/${name}.ts`], env);

async function localAgent(slug: string): Promise<string> {
  return (await client.agents.create({ slug, agent_mode: "local" })).email;
}

async function write(to: string, subject: string, text: string): Promise<void> {
  const message = `From: Ann <ann@client.example>\r\nTo: ${to}\r\nSubject: ${subject}\r\n\r\n${text}\r\n`;
  await server.deliver({ from: "ann@client.example", to, message });
}

/** The agent's sent mail, newest first, once `count` messages have left. */
async function sent(agent: string, count: number) {
  for (;;) {
    const left = await client.outbox.list({ agent, status: "sent" }).all();
    if (left.length >= count) return Promise.all(left.map(({ id }) => client.outbox.get(id)));
  }
}

test("the README's first example, as it is written there", async () => {
  const readme = await Bun.file(join(source, "README.md")).text();
  const code = /```js\n\/\/ hello\.mjs\n([\s\S]*?)```/.exec(readme)?.[1] ?? "";
  await Bun.write(join(folder, "hello.mjs"), code);
  await using hello = run([Bun.which("node") ?? process.execPath, "hello.mjs"]);
  await hello.line("proven: ");
  await write("my-bot@e2a.localhost", "Hi", "Hello, bot");
  expect(await hello.line("ann@client.example")).toBe("ann@client.example, not proven: Hi");
  const [reply] = await sent("my-bot@e2a.localhost", 1);
  expect(reply).toMatchObject({ subject: "Re: Hi", to: ["ann@client.example"] });
  expect(reply?.body_text).toContain("You wrote:\n\nHello, bot");
});

test("the echo agent answers people once", async () => {
  const agent = await localAgent("echo");
  await using echo = example("echo", { E2A_AGENT_EMAIL: agent });
  await echo.line("Listening");
  await client.agents.test(agent);
  await write(agent, "Hi", "One");
  await write(agent, "Hi again", "Two");
  await echo.line("Hi again");
  const replies = await sent(agent, 2);
  expect(replies.map(({ subject }) => subject)).toEqual(["Re: Hi again", "Re: Hi"]);
});

test("the support agent's answers leave when the reviewer says so", async () => {
  const agent = await localAgent("answers");
  await using support = example("support", { E2A_AGENT_EMAIL: agent });
  await support.line("Listening");
  await write(agent, "Refund", "Where is my refund?");
  const first = await support.line("pending_approval");
  await using review = example("review", {});
  await review.line("thank you for writing about your payment");
  review.say("y\n");
  await review.line("Sent.");
  await write(agent, "Question", "How does it work?");
  const second = await support.line("pending_approval");
  await review.line("thank you for writing about your question");
  review.say("n\n");
  await review.line("Rejected.");
  const idIn = (line: string) => line.split(" ").at(-1) ?? "";
  expect(await client.outbox.get(idIn(first))).toMatchObject({ status: "sent", subject: "Re: Refund" });
  expect(await client.outbox.get(idIn(second))).toMatchObject({
    status: "rejected",
    rejection_reason: "Not like this.",
  });
  const { messages } = await client.messages.list({ agent, label: "waits", status: "all" });
  expect(messages.map(({ subject }) => subject)).toEqual(["Refund", "Question"]);
});

test("the endpoint with Node answers mail that comes by webhook", async () => {
  await using endpoint = example("webhook-node", { E2A_WEBHOOK_SECRET: server.secret, PORT: "0" });
  const port = /\d+$/.exec(await endpoint.line("Listening"))?.[0];
  const { email } = await client.agents.create({ slug: "cloud", webhook_url: `http://127.0.0.1:${port}/mail` });
  await write(email, "Hi", "Hello");
  expect(await endpoint.line("Hi")).toBe("ann@client.example: Hi");
  const [reply] = await sent(email, 1);
  expect(reply).toMatchObject({ subject: "Re: Hi", body_text: "Thank you." });
});

test("the endpoint with Bun hears of events", async () => {
  await using endpoint = example("webhook-bun", { E2A_WEBHOOK_SECRET: server.secret, PORT: "0" });
  const port = /\d+$/.exec(await endpoint.line("Listening"))?.[0];
  const agent = await localAgent("held");
  await client.agents.update(agent, { hitl_enabled: true });
  await client.webhooks.create({ url: `http://127.0.0.1:${port}/events`, agents: [agent] });
  await client.send({ from: agent, to: "ann@client.example", subject: "Offer", body: "A car." });
  expect(await endpoint.line("wants to")).toBe(`${agent} wants to write to ann@client.example: Offer`);
  const forged = await fetch(`http://127.0.0.1:${port}/events`, { method: "POST", body: '{"type":"message.held"}' });
  expect(forged.status).toBe(401);
});

/** What the code samples in the README and the docs assume. */
const around = `
declare const E2AClient: typeof import("e2a-sdk").E2AClient;
declare const client: import("e2a-sdk").E2AClient;
declare const request: Request;
declare const process: { env: Record<string, string | undefined> };
declare const app: { post(path: string, handler: (c: any, response: any) => unknown): void };
declare const Bun: { serve(options: object): void };
declare function createServer(listener: (request: any, response: any) => unknown): { listen(port: number): void };
`;

test("the installed types hold what test/types.ts says, and the code in README and docs, for the strictest of compilers", async () => {
  await cp(join(import.meta.dir, "types.ts"), join(folder, "types.ts"));
  const files = ["types.ts", "around.d.ts"];
  await Bun.write(join(folder, "around.d.ts"), around);
  for (const page of ["README.md", "../../docs/sdk-typescript.md"])
    for (const [, code] of (await Bun.file(join(source, page)).text()).matchAll(/```ts\n([\s\S]*?)```/g)) {
      files.push(`piece-${files.length}.ts`);
      await Bun.write(join(folder, files.at(-1) ?? ""), `${code}\nexport {};\n`);
    }
  expect(files.length).toBeGreaterThan(8);
  const compilerOptions = {
    ...{ target: "ES2022", module: "NodeNext", lib: ["ES2022", "DOM", "DOM.Iterable"], types: [] },
    ...{ strict: true, exactOptionalPropertyTypes: true, noUncheckedIndexedAccess: true, noEmit: true },
    skipLibCheck: false,
  };
  await Bun.write(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions, files }));
  const tsc = join(source, "../../node_modules/typescript/bin/tsc");
  const child = Bun.spawn([process.execPath, tsc, "-p", folder], { stdout: "pipe", stderr: "inherit" });
  expect(await child.stdout.text()).toBe("");
  expect(await child.exited).toBe(0);
});

test("it bundles for runtimes without Node's modules, and depends on nothing", async () => {
  const { success, outputs } = await Bun.build({ entrypoints: [installed.module], target: "browser" });
  expect(success).toBe(true);
  expect(await outputs[0]?.text()).not.toMatch(/from "|require\(/);
  const manifest = await Bun.file(join(folder, "node_modules/e2a-sdk/package.json")).json();
  expect([manifest.dependencies, manifest.version]).toEqual([
    undefined,
    (await Bun.file(join(source, "package.json")).json()).version,
  ]);
});
