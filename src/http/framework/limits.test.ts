import { expect, test } from "bun:test";
import { openNode } from "../../../test/store/stores.ts";
import { TestClock } from "../../util/clock.ts";
import { createRateLimits } from "./limits.ts";

/** More than the number of counters kept for one minute. */
const CROWD = 100_001;

test("a crowd of client addresses leaves every valid key a counter of its own, and takes no more memory", async () => {
  const { store } = await openNode("sqlite", ":memory:");
  const limits = createRateLimits(store, new TestClock());
  for (let n = 0; n < CROWD; n++) await limits.take("address", `auth 10.0.${n}`, 1).catch(() => {});
  for (const key of ["key_a", "key_b", "key_c"]) await limits.take("proof", key, 1);
  await expect(limits.take("proof", "key_a", 1)).rejects.toThrow("More than 1 requests");
  // Beyond that number, new addresses in the minute share one counter, which has counted the last of the crowd.
  const newcomer = await limits.take("address", "auth 192.0.2.1", 1).catch((error) => error);
  expect(newcomer).toMatchObject({ code: "rate_limited" });
  await store.close();
});
