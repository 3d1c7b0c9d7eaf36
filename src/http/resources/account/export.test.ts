import { expect, test } from "bun:test";
import { join } from "node:path";
import { deliver } from "../../../../test/smtp/smtp-client.ts";
import { addMessage, addOutbound, noon } from "../../../../test/store/rows.ts";
import { startTestApp } from "../../../../test/support/app.ts";
import { createOwner, issueKey } from "../../../accounts.ts";
import { systemClock, TestClock } from "../../../util/clock.ts";
import { Failure } from "../../../util/errors.ts";
import { silentLog } from "../../../util/log.ts";
import { createVault, loadOrCreateKeyFile } from "../../../vault.ts";
import type { Identity } from "../../framework/identity.ts";
import type { RouteDeps } from "../../framework/resource.ts";
import { exportAccount } from "./export.ts";

test("an account has one export on its way at a time, and others have theirs", async () => {
  await using app = await startTestApp();
  const { store, config } = app.app;
  const deps = { store, config, clock: systemClock, log: silentLog } as unknown as RouteDeps;
  const caller = (id: string) =>
    ({ user: { id, email: `${id}@example.net`, createdAt: new Date(0) }, proofId: "", expiresAt: null }) as Identity;
  const begin = (id: string, signal = new AbortController().signal) =>
    exportAccount(deps, caller(id), { signal, turn: () => Promise.resolve() });
  const unread = begin("one");
  expect(() => begin("one")).toThrow(Failure);
  await begin("two").cancel();
  await unread.cancel();
  const gone = new AbortController();
  begin("one", gone.signal);
  gone.abort();
  await begin("one").cancel();
});

test("breaks off when its key is revoked while it is read", async () => {
  const clock = new TestClock();
  await using it = await startTestApp({ seams: { clock } });
  const { store, config } = it.app;
  const { body: key } = await it.api("POST", "/api/v1/keys", { name: "stolen", scope: "account" });
  const caller = { user: await store.getUser(it.userId), proofId: key.id, expiresAt: null } as Identity;
  const deps = { store, config, clock, log: silentLog } as unknown as RouteDeps;
  const turn = () => Promise.resolve();
  const reader = exportAccount(deps, caller, { signal: new AbortController().signal, turn }).getReader();
  await reader.read();
  await it.api("DELETE", `/api/v1/keys/${key.id}`);
  clock.advance(1_000);
  const readOn = async () => {
    while (!(await reader.read()).done);
  };
  await expect(readOn()).rejects.toMatchObject({ code: "unauthenticated" });
});

test("has the mail of the shared domain's own mailbox for its owner, and no other account", async () => {
  await using it = await startTestApp();
  const { store, config, smtp } = it.app;
  const role = `postmaster@${config.sharedDomain}`;
  await deliver(smtp.port, { from: "ann@people.example", to: role, message: "Subject: Abuse\r\n\r\nHello\r\n" });
  const vault = createVault(await loadOrCreateKeyFile(join(it.dataDir, "encryption.key")));
  const now = new Date();
  const { id } = await createOwner(store, vault, { email: "neighbour@example.org", name: "", now });
  const issued = { userId: id, name: "test", scope: "account" as const, agentId: null, expiresAt: null, now };
  const authorization = `Bearer ${(await issueKey(store, issued)).key}`;
  const path = "/api/v1/users/me/export";
  expect((await it.api("GET", path)).body.messages).toMatchObject([{ agent: role, subject: "Abuse" }]);
  expect((await it.api("GET", path, undefined, { authorization })).body.messages).toEqual([]);
});

test("has all of every list, also of those that are longer than a page", async () => {
  await using it = await startTestApp();
  const { store } = it.app;
  const { body: agent } = await it.api("POST", "/api/v1/agents", { slug: "bot", agent_mode: "local" });
  const numbers = Array.from({ length: 101 }, (_, n) => `${n}`);
  for (const subject of numbers) {
    await addMessage(store, agent.email, { subject });
    await addOutbound(store, agent.email, { message: { subject } });
    // All have the same time, so the pages continue by address.
    const address = `bob${subject}@people.example`;
    await store.suppress({ userId: it.userId, address, reason: "manual", detail: "", messageId: null, now: noon });
  }
  const { body } = await it.api("GET", "/api/v1/users/me/export");
  const sorted = (texts: string[]) => texts.sort((a, b) => Number(a) - Number(b));
  const subjects = (list: { subject: string }[]) => sorted(list.map(({ subject }) => subject));
  expect(subjects(body.messages)).toEqual(numbers);
  expect(subjects(body.outbound_messages)).toEqual(numbers);
  expect(sorted(body.suppressions.map(({ address }: { address: string }) => /\d+/.exec(address)?.[0] ?? ""))).toEqual(
    numbers,
  );
  const received = body.events.filter(({ type }: { type: string }) => type === "message.received");
  expect(received.map(({ data }: { data: { subject: string } }) => data.subject)).toEqual(numbers);
});
