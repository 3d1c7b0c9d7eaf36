import { expect, test } from "bun:test";
import { systemClock } from "../clock.ts";
import { Failure } from "../errors.ts";
import { silentLog } from "../log.ts";
import type { UserRow } from "../store/schema.ts";
import { startTestApp } from "../testing/app.ts";
import { exportAccount } from "./export.ts";
import type { RouteDeps } from "./resource.ts";

test("an account has one export on its way at a time, and others have theirs", async () => {
  await using app = await startTestApp();
  const { store, config } = app.app;
  const deps = { store, config, clock: systemClock, log: silentLog } as unknown as RouteDeps;
  const user = (id: string) => ({ id, email: `${id}@example.net`, createdAt: new Date(0) }) as UserRow;
  const begin = (id: string, signal = new AbortController().signal) =>
    exportAccount(deps, user(id), { signal, turn: () => Promise.resolve() });
  const unread = begin("one");
  expect(() => begin("one")).toThrow(Failure);
  await begin("two").cancel();
  await unread.cancel();
  const gone = new AbortController();
  begin("one", gone.signal);
  gone.abort();
  await begin("one").cancel();
});
