import { Database } from "bun:sqlite";
import { expect, test } from "bun:test";
import { join } from "node:path";
import { SQL } from "bun";
import { scriptedSmtp } from "../test/smtp/scripted-smtp.ts";
import { addMessage, claimRecipients, multiplyMessages } from "../test/store/rows.ts";
import { startTestApp } from "../test/support/app.ts";
import { type Clock, systemClock, TestClock } from "./util/clock.ts";

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

test("a node whose clock is wrong goes by the database's: what it has in hand is nobody else's", async () => {
  const reached = Promise.withResolvers<void>();
  const released = Promise.withResolvers<void>();
  await using smtp = await scriptedSmtp({
    async on(stage) {
      if (stage !== "message") return undefined;
      reached.resolve();
      await released.promise;
      return undefined;
    },
  });
  const late: Clock = { ...systemClock, now: () => Date.now() - 10 * 60_000 };
  await using it = await startTestApp({
    database: "postgres",
    set: { "outbound_smtp.host": smtp.host, "outbound_smtp.port": smtp.port, "outbound_smtp.tls": "off" },
    seams: { machineClock: late },
  });
  await it.api("POST", "/api/v1/agents", { slug: "bot", agent_mode: "local" });
  const mail = { to: ["ann@outside.example"], subject: "Once", body: "Hello" };
  await it.api("POST", "/api/v1/send", mail, { prefer: "respond-async" });
  await reached.promise;
  // The claim of another node, whose clock is right.
  const lanes = [{ lane: "upstream", free: 1 }];
  const lease = { leaseUntil: new Date(Date.now() + 60_000), leaseToken: "another node", lanes };
  expect(await claimRecipients(it.app.store, { now: new Date(), ...lease })).toEqual([]);
  released.resolve();
});

test("a server whose Postgres has a full disk is not ready, although what needs no room is still written", async () => {
  await using it = await startTestApp({ database: "postgres" });
  await it.api("POST", "/api/v1/agents", { slug: "bot", agent_mode: "local" });
  const { database } = it.app.config;
  await using owner = new SQL(database.kind === "postgres" ? database.url : "", { max: 1 });
  // The error of Postgres when a table cannot grow.
  await owner.unsafe(`
    CREATE FUNCTION no_room() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN RAISE EXCEPTION 'could not extend file' USING ERRCODE = '53100'; END $$;
    CREATE TRIGGER no_room BEFORE INSERT ON outbound_messages EXECUTE FUNCTION no_room()`);
  const mail = { to: ["bot@e2a.localhost"], subject: "No room", body: "Hello" };
  expect((await it.api("POST", "/api/v1/send", mail)).status).toBe(503);
  expect(await it.api("GET", "/api/ready")).toMatchObject({
    status: 503,
    body: { reasons: ["The store does not accept writes: the disk of its database is full."] },
  });
});

test("a readiness check counts for a second, even if the clock is set back meanwhile", async () => {
  const clock = new TestClock();
  await using it = await startTestApp({ seams: { clock } });
  const { store } = it.app;
  const { probeWrite } = store;
  store.probeWrite = () => Promise.reject(new Error("disk full"));
  expect((await it.api("GET", "/api/ready")).status).toBe(503);
  store.probeWrite = probeWrite;
  clock.step(-3_600_000);
  clock.advance(1_000);
  expect((await it.api("GET", "/api/ready")).status).toBe(200);
});
