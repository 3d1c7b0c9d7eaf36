import { afterEach, beforeEach, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { message } from "../testing/answers.ts";
import { type Setup, Shell } from "../testing/shell.ts";
import { bot, idOf, startWorld, type World } from "../testing/world.ts";

let shell: Shell;
let world: World;
beforeEach(async () => {
  shell = await Shell.open();
  world = await startWorld();
});
afterEach(async () => {
  await world[Symbol.asyncDispose]();
  await shell.close();
});

const id = (n: number) => idOf(n);
const exec = (command: string, flags: string[] = [], setup: Setup = {}) =>
  shell.start(["listen", "--exec", command, ...flags], {
    ...setup,
    env: { ...world.env, PATH: process.env.PATH ?? "", OUT: shell.home, ...setup.env },
  });
const file = (name: string) => readFile(join(shell.home, name), "utf8");

test("the command gets the message on standard input and the facts in its environment; its outputs are ours", async () => {
  await world.receive(1, { verified: false });
  const facts = 'echo "$E2A_MESSAGE_ID|$E2A_FROM|$E2A_SUBJECT|$E2A_AGENT|$E2A_VERIFIED|$E2A_AGENT_EMAIL|$E2A_URL"';
  const { code, out, err } = await exec(`cat > "$OUT/mail"; ${facts}; echo careful >&2`, ["--once"]).done;
  expect(code).toBe(0);
  expect(out).toBe(`${id(1)}|alice@example.com|Hello 1|bot@e2a.localhost|false|bot@e2a.localhost|${world.proxy.url}\n`);
  expect(err).toMatch(/careful\n\d\d:\d\d:\d\d {2}✗ {2}alice@example.com {2}Hello 1 {2}msg_0{31}1\n$/);
  expect(JSON.parse(await file("mail"))).toMatchObject({
    ...{ message_id: id(1), subject: "Hello 1", text: "Text 1", status: "unread" },
    auth_headers: { "X-E2A-Auth-Verified": "false" },
  });
  expect(world.marked()).toEqual([id(1)]);
});

test("nothing of a mail is ever a part of the command line", async () => {
  const subject = `"; touch $OUT/owned; $(touch $OUT/owned) \`touch $OUT/owned\`\n\0end`;
  const from = "$(touch $OUT/owned)@evil.example";
  await world.receive(1, { from });
  world.shows(`/agents/${bot}/messages/${id(1)}`, message(1, { subject, from }));
  const { code, out } = await exec('printf %s "$E2A_SUBJECT"', ["--once"]).done;
  expect([code, out]).toEqual([0, subject.replace("\n\0", " ")]);
  expect(existsSync(join(shell.home, "owned"))).toBe(false);
});

test("on Windows, nothing of a mail is a command when cmd puts a variable into the command line", async () => {
  const folder = join(shell.home, "programs");
  await mkdir(folder);
  // Stands for the shell of Windows.
  await writeFile(join(folder, "cmd"), '#!/bin/sh\nprintf %s "$E2A_SUBJECT|$E2A_FROM"\n', { mode: 0o755 });
  const subject = 'Hi & calc | more > out < in ^ (x) "%PATH%" !y!';
  const from = "a&calc@evil.example";
  await world.receive(1, { from });
  world.shows(`/agents/${bot}/messages/${id(1)}`, message(1, { subject, from }));
  const env = { PATH: `${folder}:${process.env.PATH}` };
  const { out } = await exec("notify.exe %E2A_SUBJECT%", ["--once"], { platform: "win32", env }).done;
  expect(out).toBe("Hi _ calc _ more _ out _ in _ _x_ __PATH__ _y_|a_calc@evil.example");
});

test("a command that fails twice is run again, and the next message waits for it", async () => {
  await world.receive(1);
  await world.receive(2);
  const running = exec('echo "$E2A_SUBJECT" >> "$OUT/log"; test $(wc -l < "$OUT/log") -gt 2');
  await world.read(2);
  running.interrupt();
  const { code, err } = await running.done;
  expect(code).toBe(0);
  expect(await file("log")).toBe("Hello 1\nHello 1\nHello 1\nHello 2\n");
  expect(err).toContain(`${id(1)}: the command ended with exit code 1; try 1 of 4, trying again in 0.`);
  expect(world.marked()).toEqual([id(1), id(2)]);
});

test("one that does not end in time is killed with all that it started", async () => {
  await world.receive(1);
  // The first sleep would keep our output open for an hour.
  const { code, err } = await exec("sleep 3600 & sleep 3600", ["--once", "--timeout", "0.1"]).done;
  expect([code, err]).toEqual([1, expect.stringContaining("the command did not end within 0.1 s")]);
});

test("--json prints each message that was taken, beside what the command says", async () => {
  await world.receive(1);
  const { out } = await exec("true", ["--once", "--json"]).done;
  expect(JSON.parse(out).message_id).toBe(id(1));
});

test("a key given as a flag reaches the command, one from the environment is there anyway", async () => {
  await world.receive(1);
  const { E2A_URL } = world.env;
  const env = { E2A_URL: E2A_URL ?? "", E2A_API_KEY: "" };
  const flags = ["--once", "--api-key", world.env.E2A_API_KEY ?? ""];
  expect((await exec('echo "$E2A_API_KEY"', flags, { env }).done).out).toBe(`${world.env.E2A_API_KEY}\n`);
});
