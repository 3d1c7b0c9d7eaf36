import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { until } from "../../../test/support/until.ts";
import { TestClock } from "../../util/clock.ts";
import { connect } from "../connect/connect.ts";
import { CliError } from "../connect/failure.ts";
import type { MessageDetail } from "../connect/shapes.ts";
import { bot, idOf, startWorld, type World } from "../testing/world.ts";
import { Handover } from "./handover.ts";
import { NotTaken } from "./target.ts";

const id = idOf;
const minute = 60_000;

/** Messages 0 to n - 1; some were received before. */
async function receiveUpTo(count: number): Promise<number[]> {
  const all = Array.from({ length: count }, (_, n) => n);
  for (const n of all) if (n < 1 || n > 4) await world.receive(n);
  return all;
}

let world: World;
let clock: TestClock;
let end: AbortController;
/** The messages that the target was given, in order. */
let given: string[];
/** The target's answer to a message; by default it takes it. */
let answer: (message: MessageDetail) => string | undefined | Promise<string | undefined>;
/** The lines that the user was told. */
let told: string[];
let changed: () => void;
let failures: unknown[];

beforeEach(async () => {
  world = await startWorld();
  for (const n of [1, 2, 3, 4]) await world.receive(n);
  clock = new TestClock();
  end = new AbortController();
  [given, told, failures] = [[], [], []];
  answer = () => undefined;
  changed = () => {};
});
afterEach(async () => {
  end.abort();
  await world[Symbol.asyncDispose]();
});

function open(once = false): Handover {
  return new Handover({
    ...{ client: connect(world.proxy.url, world.app.key), agent: bot, clock, signal: end.signal, once },
    target: {
      name: "the target",
      async take(message) {
        given.push(message.message_id);
        return answer(message);
      },
    },
    say(line) {
      told.push(line);
      changed();
    },
    onTaken: async () => {},
    onFailure: (error) => void failures.push(error),
  });
}

/** Resolves when the user has been told `text` at least `times` times. */
async function said(text: string, times = 1): Promise<void> {
  while (told.filter((line) => line.includes(text)).length < times)
    await new Promise<void>((resolve) => {
      changed = resolve;
    });
}

const open1 = () => new AbortController().signal;
const take = (handover: Handover, n: number, connection = open1()) => handover.take({ message_id: id(n) }, connection);
const no = (text = "no") => {
  throw new NotTaken(text);
};

test("what is taken is marked read, in order", async () => {
  const handover = open();
  expect(await Promise.all([1, 2, 3].map((n) => take(handover, n)))).toEqual(Array(3).fill("dealt with"));
  expect([given, world.marked()]).toEqual([
    [id(1), id(2), id(3)],
    [id(1), id(2), id(3)],
  ]);
});

describe("a message that is not taken", () => {
  test("holds its place for a few tries, then steps aside, unread, and the ones behind go on", async () => {
    answer = ({ message_id }) => (message_id === id(1) ? no("it answered 500") : undefined);
    const handover = open();
    const taken = [1, 2, 3].map((n) => take(handover, n));
    for (const tries of [1, 2, 3]) {
      await said(`try ${tries} of 4`);
      expect(given).toEqual(Array(tries).fill(id(1)));
      clock.advance(5_000);
    }
    expect(await Promise.all(taken)).toEqual(Array(3).fill("dealt with"));
    expect(given).toEqual([id(1), id(1), id(1), id(1), id(2), id(3)]);
    expect(world.marked()).toEqual([id(2), id(3)]);
    expect(told.at(-1)).toMatch(/^msg_0{31}1: it answered 500; it stays unread while others go on, trying again in /);
  });

  test("is tried again after about a minute, then two, then four, until it is taken", async () => {
    answer = () => no();
    const handover = open();
    void take(handover, 1);
    for (const tries of [1, 2, 3]) {
      await said(`try ${tries} of 4`);
      clock.advance(5_000);
    }
    for (const [round, waitMs] of [1, 2, 4].map((minutes, n) => [n + 1, minutes * minute] as const)) {
      await said("stays unread", round);
      clock.advance(waitMs / 2 - 1);
      await handover.idle();
      expect(given).toHaveLength(3 + round);
      if (round === 3) answer = () => undefined;
      clock.advance(waitMs / 2 + 1);
    }
    await world.read(1);
    expect(world.marked()).toEqual([id(1)]);
    clock.advance(24 * 60 * minute);
    await handover.idle();
    expect(given).toHaveLength(7);
  });

  test("is left alone once somebody has read it, and once it is deleted", async () => {
    answer = () => no();
    const handover = open();
    for (const n of [1, 2]) {
      void take(handover, n);
      for (const tries of [1, 2, 3]) {
        await said(`try ${tries} of 4`, n);
        clock.advance(5_000);
      }
      await said("stays unread", n);
    }
    await world.api("PATCH", `/agents/${bot}/messages/${id(1)}`, { status: "read" });
    await world.api("DELETE", `/agents/${bot}/messages/${id(2)}`);
    clock.advance(minute);
    await said("has been read in the meantime");
    await take(handover, 2);
    clock.advance(24 * 60 * minute);
    await handover.idle();
    expect(given).toHaveLength(8);
  });
});

test("when a hundred have stepped aside the line waits instead, in order", async () => {
  const all = await receiveUpTo(103);
  answer = ({ message_id }) => {
    const tries = given.filter((one) => one === message_id).length;
    return message_id === id(100) && tries > 8 ? undefined : no();
  };
  const handover = open();
  // Longer than any pause of the line.
  const passes = () => clock.advance(minute);
  changed = () => setImmediate(passes);
  const taken = all.map((n) => take(handover, n));
  await taken[100];
  expect(new Set(given)).toEqual(new Set(Array.from({ length: 101 }, (_, n) => id(n))));
  expect(world.marked()).toEqual([id(100)]);
});

test("what stepped aside and is taken at last makes room for another", async () => {
  const all = await receiveUpTo(102);
  const stubborn = id(100);
  answer = ({ message_id }) => {
    const tries = given.filter((one) => one === message_id).length;
    if (message_id === stubborn && tries > 20) end.abort();
    return message_id === id(101) || (message_id !== stubborn && tries > 4) ? undefined : no();
  };
  const handover = open();
  changed = () => setImmediate(() => clock.advance(minute));
  await Promise.all(all.slice(0, 100).map((n) => take(handover, n)));
  clock.advance(minute);
  await handover.idle();
  await until("all are taken", () => world.marked().length === 100);
  expect(await Promise.all([take(handover, 100), take(handover, 101)])).toEqual(["dealt with", "dealt with"]);
});

describe("a target that takes nothing now", () => {
  test("is waited for as long as it takes, and no message steps aside", async () => {
    answer = () => {
      throw new NotTaken("the target cannot be reached", true);
    };
    const handover = open();
    const taken = [1, 2].map((n) => take(handover, n));
    for (let tries = 1; tries < 20; tries++) {
      await said("cannot be reached", tries);
      clock.advance(30_000);
    }
    await said("cannot be reached", 20);
    expect(given).toEqual(Array(20).fill(id(1)));
    answer = () => undefined;
    clock.advance(30_000);
    await Promise.all(taken);
    expect([given.slice(20), world.marked()]).toEqual([
      [id(1), id(2)],
      [id(1), id(2)],
    ]);
  });

  test("is asked again when it says so", async () => {
    answer = () => {
      throw new NotTaken("slow down", true, 17_000);
    };
    const handover = open();
    const taken = take(handover, 1);
    await said("slow down; trying again in 17.0 s");
    answer = () => undefined;
    clock.advance(16_999);
    await Promise.resolve();
    expect(given).toHaveLength(1);
    clock.advance(1);
    expect(await taken).toBe("dealt with");
  });
});

describe("when the connection ends", () => {
  test("what waits is left for the next one", async () => {
    answer = () => no();
    const connection = new AbortController();
    const handover = open();
    const taken = [1, 2].map((n) => take(handover, n, connection.signal));
    await said("try 1 of 4");
    connection.abort();
    expect(await Promise.all(taken)).toEqual(["left", "left"]);
    expect(given).toEqual([id(1)]);
    answer = () => undefined;
    expect(await take(handover, 1)).toBe("dealt with");
  });

  test("what the target has by then is dealt with, and marked read as soon as the server is back", async () => {
    const connection = new AbortController();
    answer = () => {
      world.refuses([503, { detail: "Shutting down." }]);
      connection.abort();
      return undefined;
    };
    const handover = open();
    expect(await take(handover, 1, connection.signal)).toBe("dealt with");
    expect(told.at(-1)).toContain("could not be marked read");
    world.refuses(null);
    clock.advance(1_000);
    await world.read(1);
    expect([given, world.marked()]).toEqual([[id(1)], [id(1)]]);
  });
});

describe("once", () => {
  test("a few tries, whatever the cause, then the cause is thrown", async () => {
    answer = () => {
      throw new NotTaken("the target cannot be reached", true);
    };
    const taken = take(open(true), 1);
    for (const tries of [1, 2, 3]) {
      await said(`try ${tries} of 4`);
      clock.advance(5_000);
    }
    const error = await taken.catch((error: unknown) => error);
    expect(error).toBeInstanceOf(CliError);
    expect((error as CliError).message).toBe(`${id(1)} was not taken: the target cannot be reached.`);
    expect([given.length, world.marked()]).toEqual([4, []]);
  });
});

test("a revoked key ends it, at once and for what stepped aside", async () => {
  answer = () => no();
  const handover = open();
  void take(handover, 1);
  for (const tries of [1, 2, 3]) {
    await said(`try ${tries} of 4`);
    clock.advance(5_000);
  }
  await said("stays unread");
  world.refuses([401, { detail: "The API key is not valid.", code: "unauthenticated" }]);
  expect(await take(handover, 2).catch((error: CliError) => error.exit)).toBe(4);
  clock.advance(minute);
  await handover.idle();
  expect((failures[0] as CliError).exit).toBe(4);
});

test("the end interrupts no try that is under way", async () => {
  const inHand = Promise.withResolvers<string>();
  const started = Promise.withResolvers<void>();
  answer = () => {
    started.resolve();
    return inHand.promise;
  };
  const handover = open();
  const taken = [1, 2].map((n) => take(handover, n));
  await started.promise;
  expect(handover.isBusy).toBe(true);
  end.abort();
  inHand.resolve("done");
  expect(await Promise.all(taken)).toEqual(["dealt with", "left"]);
  expect(world.marked()).toEqual([id(1)]);
});
