import { expect, test } from "bun:test";
import { copyFileSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { deliver } from "../../../test/smtp/smtp-client.ts";
import { startTestApp } from "../../../test/support/app.ts";
import { until } from "../../../test/support/until.ts";

const ways: [name: string, missing: string, replace: (database: string) => () => void][] = [
  [
    "a backup in its place",
    "e2a.db",
    (database) => {
      renameSync(database, `${database}.old`);
      copyFileSync(`${database}.old`, database);
      return () => renameSync(`${database}.old`, database);
    },
  ],
  [
    "its log removed",
    "e2a.db-wal",
    (database) => {
      renameSync(`${database}-wal`, `${database}.log`);
      return () => renameSync(`${database}.log`, `${database}-wal`);
    },
  ],
];

test.each(ways)(
  "a database with %s under a running server: nothing more is promised until it is back",
  async (_name, missing, replace) => {
    await using it = await startTestApp();
    await it.api("POST", "/api/v1/agents", { slug: "bot", agent_mode: "local" });
    const mail = async (id: string) => {
      const message = `From: a@client.example\r\nMessage-ID: <${id}@client.example>\r\nSubject: ${id}\r\n\r\nHi\r\n`;
      return (await deliver(it.app.smtp.port, { to: "bot@e2a.localhost", message })).code;
    };
    const ready = () => it.api("GET", "/api/ready");
    expect(await mail("first")).toBe(250);
    const putBack = replace(join(it.dataDir, "e2a.db"));
    expect(await mail("second")).toBe(451);
    expect(await mail("second")).toBe(451);
    // Once the store knows, it writes nothing: what was refused must not be there later.
    expect((await it.api("POST", "/api/v1/agents", { slug: "refused", agent_mode: "local" })).status).toBe(503);
    expect(await ready()).toMatchObject({
      status: 503,
      body: {
        reasons: [
          `The store does not accept writes: ${missing} was removed or replaced while the server runs. Restart it.`,
        ],
      },
    });
    putBack();
    await until("it is ready again", async () => (await ready()).status === 200);
    expect(await mail("third")).toBe(250);
    await it.restart();
    const { messages } = (await it.api("GET", "/api/v1/agents/bot@e2a.localhost/messages")).body;
    const subjects = messages.map(({ subject }: { subject: string }) => subject);
    expect(subjects).toEqual(expect.arrayContaining(["first", "third"]));
    expect((await it.api("GET", "/api/v1/agents/refused@e2a.localhost")).status).toBe(404);
  },
);

test("the data folder removed under a running server: it says so, and takes no mail", async () => {
  await using it = await startTestApp();
  await it.api("POST", "/api/v1/agents", { slug: "bot", agent_mode: "local" });
  rmSync(it.dataDir, { recursive: true });
  const message = "From: a@client.example\r\n\r\nHi\r\n";
  expect((await deliver(it.app.smtp.port, { to: "bot@e2a.localhost", message })).code).toBe(451);
  expect(await it.api("GET", "/api/ready")).toMatchObject({
    status: 503,
    body: { reasons: [expect.stringContaining("removed or replaced"), "The data folder cannot be read."] },
  });
});
