import { Database } from "bun:sqlite";
import { expect, test } from "bun:test";
import { join } from "node:path";
import { TestClock } from "./clock.ts";
import { startTestApp } from "./testing/app.ts";
import { addMessage, multiplyMessages } from "./testing/store-rows.ts";

test("a server that is told to stop does not wait for all that a sweep has to delete", async () => {
  const clock = new TestClock();
  await using it = await startTestApp({ set: { "retention.messages": "1h" }, seams: { clock } });
  const { body: agent } = await it.api("POST", "/api/v1/agents", { slug: "bot", agent_mode: "local" });
  await addMessage(it.app.store, agent.id, { receivedAt: new Date(clock.now() - 2 * 3_600_000) });
  const path = join(it.dataDir, "e2a.db");
  multiplyMessages(path, 60_000);
  clock.advance(15 * 60_000);
  await it.app.close();
  using database = new Database(path, { readonly: true });
  const { left } = database.query("SELECT count(*) AS left FROM messages").get() as { left: number };
  expect(left).toBeGreaterThan(0);
});
