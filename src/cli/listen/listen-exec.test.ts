import { afterEach, beforeEach, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { agent, message } from "../testing/samples.ts";
import { WireServer } from "../testing/server.ts";
import { type Setup, Shell } from "../testing/shell.ts";

let shell: Shell;
let server: WireServer;
beforeEach(async () => {
  shell = await Shell.open();
  server = new WireServer();
  server.agents = [agent("bot@e2a.localhost")];
});
afterEach(async () => {
  await server.close();
  await shell.close();
});

const id = (n: number) => message(n).message_id;
const exec = (command: string, flags: string[] = [], setup: Setup = {}) =>
  shell.start(["listen", "--exec", command, ...flags], {
    ...setup,
    env: { ...server.env, PATH: process.env.PATH ?? "", OUT: shell.home, ...setup.env },
  });
const file = (name: string) => readFile(join(shell.home, name), "utf8");

test("the command gets the message on standard input and the facts in its environment; its outputs are ours", async () => {
  server.messages = [message(1, { verified: false })];
  const facts = 'echo "$E2A_MESSAGE_ID|$E2A_FROM|$E2A_SUBJECT|$E2A_AGENT|$E2A_VERIFIED|$E2A_AGENT_EMAIL|$E2A_URL"';
  const { code, out, err } = await exec(`cat > "$OUT/mail"; ${facts}; echo careful >&2`, ["--once"]).done;
  expect(code).toBe(0);
  expect(out).toBe(`${id(1)}|alice@example.com|Hello 1|bot@e2a.localhost|false|bot@e2a.localhost|${server.url}\n`);
  expect(err).toMatch(/careful\n\d\d:\d\d:\d\d {2}✗ {2}alice@example.com {2}Hello 1 {2}msg_0{31}1\n$/);
  expect(JSON.parse(await file("mail"))).toEqual({ ...server.messages[0], status: "unread" });
  expect(server.marked).toEqual([id(1)]);
});

test("nothing of a mail is ever a part of the command line", async () => {
  const subject = `"; touch $OUT/owned; $(touch $OUT/owned) \`touch $OUT/owned\`\n\0end`;
  server.messages = [message(1, { subject, from: "$(touch $OUT/owned)@evil.example" })];
  const { code, out } = await exec('printf %s "$E2A_SUBJECT"', ["--once"]).done;
  expect([code, out]).toEqual([0, subject.replace("\n\0", " ")]);
  expect(existsSync(join(shell.home, "owned"))).toBe(false);
});

test("a command that fails twice is run again, and the next message waits for it", async () => {
  server.messages = [message(1), message(2)];
  const running = exec('echo "$E2A_SUBJECT" >> "$OUT/log"; test $(wc -l < "$OUT/log") -gt 2');
  await server.read(2);
  running.interrupt();
  const { code, err } = await running.done;
  expect(code).toBe(0);
  expect(await file("log")).toBe("Hello 1\nHello 1\nHello 1\nHello 2\n");
  expect(err).toContain(`${id(1)}: the command ended with exit code 1; try 1 of 4, trying again in 0.`);
  expect(server.marked).toEqual([id(1), id(2)]);
});

test("one that does not end in time is killed with all that it started", async () => {
  server.messages = [message(1)];
  // The first would hold on to our output for an hour.
  const { code, err } = await exec("sleep 3600 & sleep 3600", ["--once", "--timeout", "0.1"]).done;
  expect([code, err]).toEqual([1, expect.stringContaining("the command did not end within 0.1 s")]);
});

test("--json prints each message that was taken, beside what the command says", async () => {
  server.messages = [message(1)];
  const { out } = await exec("true", ["--once", "--json"]).done;
  expect(JSON.parse(out).message_id).toBe(id(1));
});

test("a key given as a flag reaches the command, one from the environment is there anyway", async () => {
  server.messages = [message(1)];
  const { E2A_URL } = server.env;
  const env = { E2A_URL: E2A_URL ?? "", E2A_API_KEY: "" };
  const flags = ["--once", "--api-key", server.env.E2A_API_KEY ?? ""];
  expect((await exec('echo "$E2A_API_KEY"', flags, { env }).done).out).toBe(`${server.env.E2A_API_KEY}\n`);
});
