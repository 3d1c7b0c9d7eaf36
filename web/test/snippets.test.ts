import { expect, test } from "bun:test";
import { join } from "node:path";
import { deliver } from "../../test/smtp/smtp-client.ts";
import { startTestApp, type TestApp } from "../../test/support/app.ts";
import { tempDir } from "../../test/support/temp.ts";
import { type Snippet, snippets } from "../src/agents/snippets.ts";

const agent = "my-bot@e2a.localhost";
const to = "owner@example.net";

/** Makes an agent and a key as its page does; returns the programs that the page offers. */
async function offered(it: TestApp): Promise<Record<Snippet["id"], Snippet>> {
  await it.api("POST", "/api/v1/agents", { slug: "my-bot", agent_mode: "local" });
  const { body } = await it.api("POST", "/api/v1/keys", { name: "first steps", scope: "agent", agent });
  const all = snippets({ url: it.app.httpUrl, agent, key: body.key, to });
  return Object.fromEntries(all.map((one) => [one.id, one])) as Record<Snippet["id"], Snippet>;
}

function mail(it: TestApp) {
  const message = `From: ann@example.com\r\nTo: ${agent}\r\nSubject: A question\r\n\r\nAre you there?\r\n`;
  return deliver(it.app.smtp.port, { from: "ann@example.com", to: agent, message });
}

/** The agent's sent mail. */
async function sentBy(it: TestApp): Promise<{ subject: string; to: string[]; status: string }[]> {
  return (await it.api("GET", `/api/v1/agents/${agent}/messages?direction=outbound`)).body.messages;
}

/** Runs a program that waits for mail until it has replied to one; returns its output. */
async function untilAnswered(it: TestApp, command: string[]): Promise<string> {
  const child = Bun.spawn(command, { stdout: "pipe", stderr: "inherit" });
  let printed = "";
  let isMailed = false;
  try {
    for await (const chunk of child.stdout.pipeThrough(new TextDecoderStream())) {
      printed += chunk;
      if (printed.includes("Waiting") && !isMailed) {
        isMailed = true;
        await mail(it);
      }
      if (printed.includes("A question")) break;
    }
    // The program prints the sender before it replies.
    const events = `/api/v1/events?types=message.sent&wait=20`;
    expect((await it.api("GET", events)).body.events).toHaveLength(1);
  } finally {
    child.kill();
    await child.exited;
  }
  return printed;
}

const has = (program: string) => Bun.which(program) !== null;

test.skipIf(!has("curl"))("the curl lines send a mail and show the next one", async () => {
  await using it = await startTestApp();
  const { curl } = await offered(it);
  await mail(it);
  const child = Bun.spawn(["sh", "-e"], { stdin: new TextEncoder().encode(curl.code), stdout: "pipe" });
  const printed = await child.stdout.text();
  expect(printed).toContain('"status":"sent"');
  expect(printed).toContain('"subject":"A question"');
  expect(await sentBy(it)).toMatchObject([{ subject: "Hello", to: [to] }]);
});

test("the TypeScript program answers the mail that it waits for", async () => {
  await using it = await startTestApp();
  await using dir = await tempDir();
  const { typescript } = await offered(it);
  await Bun.write(join(dir.path, "agent.ts"), typescript.code);
  expect(await untilAnswered(it, [process.execPath, join(dir.path, "agent.ts")])).toContain(
    "NOT verified ann@example.com A question",
  );
  expect(await sentBy(it)).toMatchObject([{ subject: "Re: A question", to: ["ann@example.com"] }]);
});

test.skipIf(!has("python3"))("the Python program answers the mail that it waits for", async () => {
  await using it = await startTestApp();
  await using dir = await tempDir();
  const { python } = await offered(it);
  await Bun.write(join(dir.path, "agent.py"), python.code);
  expect(await untilAnswered(it, ["python3", join(dir.path, "agent.py")])).toContain(
    "NOT verified ann@example.com A question",
  );
  expect(await sentBy(it)).toMatchObject([{ subject: "Re: A question", to: ["ann@example.com"] }]);
});

test("the lines for the command line send, list and listen", async () => {
  await using it = await startTestApp();
  await using dir = await tempDir();
  const { cli } = await offered(it);
  await mail(it);
  // `e2a` runs this source. `--once` makes the endless `listen` stop after the first message.
  const script = `e2a() { "${process.execPath}" "${join(import.meta.dir, "../../src/main.ts")}" "$@"; }\n${cli.code.replace("e2a listen", "e2a listen --once")}`;
  const child = Bun.spawn(["sh", "-e"], {
    stdin: new TextEncoder().encode(script),
    stdout: "pipe",
    stderr: "pipe",
    env: { ...process.env, HOME: dir.path, XDG_CONFIG_HOME: dir.path },
  });
  const printed = await child.stdout.text();
  expect(await child.exited).toBe(0);
  expect(printed).toContain("A question");
  expect(await sentBy(it)).toMatchObject([{ subject: "Hello", to: [to] }]);
});
