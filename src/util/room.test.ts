import { describe, expect, test } from "bun:test";
import { TestClock } from "./clock.ts";
import { createRoom } from "./room.ts";

/** A room of 80 bytes in which four messages may wait, a minute each. */
function smallRoom() {
  const clock = new TestClock();
  const failing = new Set<string>();
  const isFailing = ({ endpoint }: { endpoint: string }) => failing.has(endpoint);
  const room = createRoom<{ endpoint: string; userId: string }>(
    { bytes: 80, waiting: 4, waitMs: 60_000, isFailing },
    clock,
  );
  /** What has got room after a wait, and what went without, in order. */
  const ended: string[] = [];
  const leave = new Map<string, () => void>();
  return {
    ...{ room, clock, failing, ended },
    enter(endpoint: string, bytes: number, userId = "usr_1") {
      const left = room.enter({ endpoint, userId }, bytes);
      if (left) leave.set(endpoint, left);
      return left !== null;
    },
    async wait(endpoint: string, bytes: number, userId = "usr_1") {
      const left = await room.wait({ endpoint, userId }, bytes);
      if (left) leave.set(endpoint, left);
      ended.push(left ? endpoint : `-${endpoint}`);
    },
    async leave(endpoint: string) {
      leave.get(endpoint)?.();
      await Promise.resolve();
    },
  };
}

describe("room for large messages", () => {
  test("is counted in bytes, and one of any size has some", () => {
    const it = smallRoom();
    expect(it.enter("a", 1_000)).toBe(true);
    expect(it.enter("b", 1, "usr_2")).toBe(false);
    void it.leave("a");
    expect(it.enter("b", 60)).toBe(true);
    expect(it.enter("c", 21, "usr_2")).toBe(false);
    expect(it.enter("c", 20, "usr_2")).toBe(true);
  });

  test("an account has three quarters of it, failing endpoints half, each at least one message", () => {
    const it = smallRoom();
    expect([it.enter("a", 40), it.enter("b", 21), it.enter("c", 21, "usr_2")]).toEqual([true, false, true]);
    const other = smallRoom();
    for (const endpoint of ["a", "b", "c"]) other.failing.add(endpoint);
    expect([other.enter("a", 30), other.enter("b", 11, "usr_2"), other.enter("c", 10, "usr_3")]).toEqual([
      ...[true, false, true],
    ]);
    expect(other.enter("d", 40, "usr_4")).toBe(true);
  });

  test("goes to accounts in turn, to each in its order", async () => {
    const it = smallRoom();
    it.enter("full", 1_000, "usr_3");
    const all = ["a1", "a2"].map((endpoint) => it.wait(endpoint, 30));
    all.push(...["b1", "b2"].map((endpoint) => it.wait(endpoint, 30, "usr_2")));
    for (const [endpoint, ended] of [
      ["full", ["a1", "b1"]],
      ["b1", ["a1", "b1", "a2"]],
      ["a1", ["a1", "b1", "a2", "b2"]],
    ] as const) {
      await it.leave(endpoint);
      expect(it.ended).toEqual([...ended]);
    }
    await Promise.all(all);
  });

  test("the largest is not passed over while there is too little room for it", async () => {
    const it = smallRoom();
    expect([it.enter("a", 40), it.enter("b", 40, "usr_2")]).toEqual([true, true]);
    const all = [it.wait("a1", 60), it.wait("a2", 10), it.wait("b1", 15, "usr_2")];
    await it.leave("b");
    expect(it.ended).toEqual(["a2", "b1"]);
    expect(it.enter("c", 15, "usr_3")).toBe(true);
    await it.leave("a");
    expect([it.ended, it.enter("d", 1, "usr_3")]).toEqual([["a2", "b1"], true]);
    await it.leave("a2");
    // It would fit, but another one came first.
    expect([it.ended, it.enter("e", 1, "usr_3")]).toEqual([["a2", "b1"], false]);
    await it.leave("c");
    await Promise.all(all);
    expect(it.ended).toEqual(["a2", "b1", "a1"]);
  });

  test("few may wait, of one account three quarters of those; the others come again later", async () => {
    const it = smallRoom();
    it.enter("full", 1_000);
    const all = ["a", "b", "c"].map((endpoint) => it.wait(endpoint, 10));
    await it.wait("d", 10);
    all.push(it.wait("e", 10, "usr_2"));
    await it.wait("f", 10, "usr_2");
    // An account of which nothing waits has a place, whatever the others do.
    all.push(it.wait("g", 10, "usr_3"));
    expect(it.ended).toEqual(["-d", "-f"]);
    await it.leave("full");
    await Promise.all(all);
    expect(it.ended.slice(2).toSorted()).toEqual(["a", "b", "c", "e", "g"]);
  });

  test("a wait has an end, and the next one takes its turn; nobody waits once the server stops", async () => {
    const it = smallRoom();
    it.enter("full", 40, "usr_2");
    const [long] = [it.wait("long", 70), it.clock.advance(30_000)];
    const short = it.wait("short", 30, "usr_3");
    expect(it.ended).toEqual([]);
    it.clock.advance(30_000);
    await Promise.all([long, short]);
    expect(it.ended).toEqual(["-long", "short"]);
    const last = it.wait("last", 70);
    it.room.close();
    await last;
    await it.wait("late", 1);
    expect(it.ended.slice(2)).toEqual(["-last", "-late"]);
  });
});
