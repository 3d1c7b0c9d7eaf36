import { expect, test } from "bun:test";
import { mcpSuite } from "../../../test/mcp/suite.ts";
import { connectStdio, startMcpApp } from "../../../test/mcp/world.ts";
import { binaryPath, freePort, runBinary } from "../../../test/support/binary.ts";

mcpSuite("e2a mcp, compiled, stateless", startMcpApp, connectStdio, "auto");
mcpSuite("e2a mcp, compiled, for clients that begin with initialize", startMcpApp, connectStdio, "legacy");

const initialize = {
  ...{ jsonrpc: "2.0", id: 0, method: "initialize" },
  params: { protocolVersion: "2025-06-18", capabilities: {}, clientInfo: { name: "test", version: "1" } },
};
const call = (id: number, name: string, given: object = {}) => ({
  ...{ jsonrpc: "2.0", id, method: "tools/call", params: { name, arguments: given } },
});

/** Starts the compiled `e2a mcp`, with its lines of input and output. */
function start(env: Record<string, string>) {
  const child = Bun.spawn([binaryPath(), "mcp"], {
    env: { PATH: process.env.PATH ?? "", HOME: "/nonexistent", ...env },
    ...{ stdin: "pipe", stdout: "pipe", stderr: "pipe" },
  });
  const lines = (async function* () {
    let text = "";
    const decoder = new TextDecoder();
    for await (const chunk of child.stdout) {
      const parts = (text + decoder.decode(chunk, { stream: true })).split("\n");
      text = parts.pop() ?? "";
      yield* parts;
    }
  })();
  return {
    child,
    say(line: unknown) {
      child.stdin.write(`${typeof line === "string" ? line : JSON.stringify(line)}\n`);
      child.stdin.flush();
    },
    hear: async () => JSON.parse((await lines.next()).value ?? "null"),
  };
}

test("without a key it says at once what to do", async () => {
  const { code, stdout, stderr } = await runBinary(["mcp"], { E2A_URL: "http://127.0.0.1:1" });
  expect([code, stdout]).toEqual([4, ""]);
  expect(stderr).toContain("fix: Set E2A_API_KEY");
});

test("lines that are no JSON-RPC do not end it; the end of its input does", async () => {
  await using server = await startMcpApp();
  const { child, say, hear } = start({ E2A_URL: server.url, E2A_API_KEY: server.key });
  for (const line of ["{", "", "42", '{"jsonrpc":"2.0"}', "\x1b[31m"]) say(line);
  say(initialize);
  expect(await hear()).toMatchObject({ id: 0, result: { protocolVersion: "2025-06-18", serverInfo: { name: "e2a" } } });
  say({ jsonrpc: "2.0", method: "notifications/initialized" });
  say({ jsonrpc: "2.0", id: 1, method: "tools/fly" });
  expect(await hear()).toMatchObject({ id: 1, error: { code: -32601 } });
  say(call(2, "whoami"));
  expect(await hear()).toMatchObject({ id: 2, result: { structuredContent: { scope: "account" } } });
  child.stdin.end();
  expect(await child.exited).toBe(0);
});

test("a signal ends it, also while it waits for mail", async () => {
  await using server = await startMcpApp();
  const { child, say, hear } = start({
    E2A_URL: `${server.url}/api/v1/`,
    E2A_API_KEY: server.key,
    E2A_AGENT_EMAIL: "two",
  });
  for (const slug of ["one-bot", "two"])
    await fetch(`${server.url}/api/v1/agents`, {
      method: "POST",
      headers: { authorization: `Bearer ${server.key}`, "content-type": "application/json" },
      body: JSON.stringify({ slug, agent_mode: "local" }),
    });
  say(initialize);
  await hear();
  say(call(1, "list_messages"));
  // The default agent, by its local part.
  expect((await hear()).result.structuredContent.agent).toBe("two@e2a.localhost");
  const wait = server.nextWait?.();
  say(call(2, "wait_for_message", { timeout_seconds: 50 }));
  await wait?.begun;
  child.kill("SIGTERM");
  expect(await child.exited).toBe(0);
  expect((await wait?.ended)?.ms).toBeLessThan(30_000);
});

test("a wrong key, and a server that is not there, are told to the model", async () => {
  await using server = await startMcpApp();
  const wrong = start({ E2A_URL: server.url, E2A_API_KEY: `e2a_${"0".repeat(64)}` });
  wrong.say(initialize);
  await wrong.hear();
  wrong.say({ jsonrpc: "2.0", id: 1, method: "tools/list" });
  // The scope of the key is unknown, so these are the tools of every key.
  expect((await wrong.hear()).result.tools).toHaveLength(15);
  wrong.say(call(2, "list_messages"));
  const refused = (await wrong.hear()).result;
  expect([refused.isError, refused.content[0].text]).toEqual([true, expect.stringContaining("(unauthenticated)")]);
  expect(refused.content[0].text).toContain("tell the user");
  wrong.child.stdin.end();

  const port = await freePort();
  const alone = start({ E2A_URL: `http://127.0.0.1:${port}`, E2A_API_KEY: server.key });
  alone.say(initialize);
  await alone.hear();
  alone.say(call(1, "whoami"));
  const [{ text }] = (await alone.hear()).result.content;
  expect(text).toContain(`Cannot reach the e2a server at http://127.0.0.1:${port}`);
  expect(text).toContain("E2A_URL");
  alone.child.stdin.end();
  expect([await wrong.child.exited, await alone.child.exited]).toEqual([0, 0]);
});
