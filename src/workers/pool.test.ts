import { afterAll, describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { within } from "../../test/support/until.ts";
import { DnsError } from "../net/dns.ts";
import { Failure } from "../util/errors.ts";
import { createLog, silentLog } from "../util/log.ts";
import { createPool, type Pool, type PoolOptions, TaskLost, type TaskOptions } from "./pool.ts";

const command = [process.execPath, join(import.meta.dir, "../../test/support/hostile-child.ts")];
const pools: Pool[] = [];
/** Low limits: the tests check that limits apply, not how large they are. */
const limits = { stallMs: 2_000, rssBytesMax: 300e6 };

function pool(options: Partial<PoolOptions> = {}): Pool {
  const made = createPool({ command, log: silentLog, size: 1, ...options, limits: { ...limits, ...options.limits } });
  pools.push(made);
  return made;
}

afterAll(async () => {
  await Promise.all(pools.map((one) => one.close()));
});

const lives = (pid: number) => existsSync(`/proc/${pid}`);
async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await Bun.sleep(5);
}

/** The error of a task that has failed by now; "waits" if it has not. */
function outcomeNow(run: Promise<unknown>): Promise<unknown> {
  return Promise.race([run.catch((error) => error), new Promise((resolve) => setImmediate(resolve, "waits"))]);
}

describe("tasks in child processes", () => {
  test("start no process before the first one", async () => {
    const idle = pool();
    expect(idle.pids()).toEqual([]);
    await idle.run("echo", 1);
    expect(idle.pids()).toHaveLength(1);
  });

  test("get and give data and bytes as they are, of any length, whole or in pieces", async () => {
    const children = pool();
    const when = new Date(0);
    const bytes = Buffer.alloc(3_000_001, "abc");
    const input = { when, nothing: null, list: [1, { a: "ü\ud800" }] };
    const pieces = [bytes.subarray(0, 7), bytes.subarray(7, 7), bytes.subarray(7)];
    const { output, blobs } = await children.run("echo", input, [new Uint8Array(), pieces, bytes]);
    expect(output).toEqual(input);
    expect(blobs.map((blob) => Buffer.compare(Buffer.from(blob), bytes))).toEqual([-1, 0, 0]);
    expect(blobs[0]).toHaveLength(0);
  });

  test("run at the same time in one child, and answer in any order", async () => {
    const children = pool();
    const never = children.run("sleep", null);
    never.catch(() => {});
    const all = await Promise.all(Array.from({ length: 40 }, (_, i) => children.run("echo", i)));
    expect(all.map(({ output }) => output)).toEqual(Array.from({ length: 40 }, (_, i) => i));
    expect(children.pids()).toHaveLength(1);
  });

  test("that throw what nobody foresaw are lost, with a line in the log", async () => {
    const lines: string[] = [];
    const log = createLog({ level: "info", format: "json", stream: { write: (line) => lines.push(line) } });
    const children = pool({ log });
    const failed = await children.run("no such task", null).catch((error: Error) => error);
    expect(failed).toBeInstanceOf(TaskLost);
    expect(failed).toMatchObject({ loss: "error" });
    expect(lines.map((line) => JSON.parse(line))).toMatchObject([
      { event: "worker.task_failed", task: "no such task", error: expect.stringContaining("there is no task") },
    ]);
  });

  test("ask the server, whose errors stay what they are, and may stop asking", async () => {
    const children = pool();
    let aborted = false;
    const host = {
      add: async ([a, b]: unknown[]) => Number(a) + Number(b),
      refuse: async () => Promise.reject(new Failure("rate_limited", "Too often.", { retryAfterSeconds: 3 })),
      look: async () => Promise.reject(new DnsError("ESERVFAIL", "TXT", "a.test")),
      wait: (_: unknown[], signal: AbortSignal) =>
        new Promise((_resolve, reject) =>
          signal.addEventListener("abort", () => {
            aborted = true;
            reject(signal.reason);
          }),
        ),
    };
    const ask = (name: string, ...args: unknown[]) => children.run("ask", { name, args }, [], { host });
    expect((await ask("add", 2, 3)).output).toBe(5);
    const refused = (await ask("refuse").catch((error) => error)) as Failure;
    expect(refused).toBeInstanceOf(Failure);
    expect([refused.code, refused.details.retryAfterSeconds]).toEqual(["rate_limited", 3]);
    const looked = (await ask("look").catch((error) => error)) as DnsError;
    expect(looked).toBeInstanceOf(DnsError);
    expect([looked.code, looked.hostname, looked.temporary]).toEqual(["ESERVFAIL", "a.test", true]);
    expect((await children.run("giveUp", { name: "wait" }, [], { host })).output).toBe("no longer needed");
    await until(() => aborted);
    expect(String(await ask("unknown").catch((error) => error))).toContain("the server has no unknown");
  });

  test("know nothing of the server's environment", async () => {
    process.env.E2A_POOL_TEST_SECRET = "hush";
    try {
      const { output } = await pool().run("environment", null);
      expect(JSON.stringify(output)).not.toContain("hush");
      expect(JSON.stringify(output)).not.toContain("E2A_");
    } finally {
      delete process.env.E2A_POOL_TEST_SECRET;
    }
  });
});

describe("owners", () => {
  const start = (children: Pool, name: string, owner: string, input: unknown = null, blobs: Uint8Array[] = []) => {
    const run = children.run(name, input, blobs, { owner });
    run.catch(() => {});
    return run;
  };

  test("one that has many tasks at work does not keep out the task of another", async () => {
    const children = pool();
    for (let i = 0; i < 40; i++) start(children, "sleep", "busy");
    expect((await start(children, "echo", "other", 1)).output).toBe(1);
  });

  test("one with large tasks has one at work, and little of the room of those that wait", async () => {
    const children = pool();
    const large = new Uint8Array(15 * 1024 * 1024);
    for (let i = 0; i < 3; i++) start(children, "sleep", "large", null, [large]);
    expect((await start(children, "echo", "other", 1, [new Uint8Array(1024)])).output).toBe(1);
    const waiting = pool();
    for (let i = 0; i < 6; i++) start(waiting, "listen", "waiting", null, [large]);
    expect((await start(waiting, "echo", "other", 2, [large])).output).toBe(2);
  });

  test("take turns when tasks wait, each in its own order", async () => {
    const children = pool();
    const order: unknown[] = [];
    // Two of these are more than a child has at once.
    const large = new Uint8Array(10 * 1024 * 1024);
    const done = ["a 1", "a 2", "a 3", "a 4", "b 1", "c 1"].map(async (name) =>
      order.push((await start(children, "echo", name.slice(0, 1), name, [large])).output),
    );
    await Promise.all(done);
    expect(order).toEqual(["a 1", "a 2", "b 1", "c 1", "a 3", "a 4"]);
  });
});

describe("urgent tasks", () => {
  const never = (run: Promise<unknown>) => run.catch(() => {});

  test("run one at a time: their owners take turns, and in each owner its parts", async () => {
    const children = pool();
    const order: unknown[] = [];
    const names = ["a x 1", "a x 2", "a x 3", "a y 1", "a y 2", "b z 1", "b z 2", "c z 1"];
    await Promise.all(
      names.map(async (name) => {
        const [owner, part] = name.split(" ");
        order.push((await children.run("echo", name, [], { isUrgent: true, owner, part })).output);
      }),
    );
    expect(order).toEqual(["a x 1", "a x 2", "b z 1", "c z 1", "a y 1", "b z 2", "a x 3", "a y 2"]);
    expect(children.pids()).toHaveLength(1);
  });

  test("never share a child with other tasks, so that neither kind waits for the other", async () => {
    const children = pool();
    const pidOf = async (isUrgent: boolean) => (await children.run("pid", null, [], { isUrgent })).output;
    const first = await pidOf(false);
    const other = await pidOf(true);
    expect(other).not.toBe(first);
    for (let i = 0; i < 20; i++) never(children.run("sleep", null, [], { isUrgent: true, owner: "busy" }));
    expect(await pidOf(false)).toBe(first);
    expect(children.pids()).toHaveLength(2);
    const mails = pool();
    for (let i = 0; i < 40; i++) never(mails.run("sleep", null, [], { owner: "busy" }));
    expect((await mails.run("echo", 1, [], { isUrgent: true })).output).toBe(1);
  });

  test.each([1, 2])(
    "of rounds with mail that waits for DNS use the children that there are: %d of each kind",
    async (size) => {
      const children = pool({ size });
      const seen: number[] = [];
      for (let round = 1; round <= 8; round++) {
        const waiting = Array.from({ length: 6 * round }, () => Promise.withResolvers<void>());
        for (const { resolve } of waiting) {
          const look = () => {
            resolve();
            return new Promise(() => {});
          };
          never(children.run("ask", { name: "look", args: [] }, [], { host: { look } }));
        }
        await Promise.all(waiting.map(({ promise }) => promise));
        await Promise.all([1, 2, 3].map((i) => children.run("echo", i, [], { isUrgent: true })));
        seen.push(children.pids().length);
      }
      expect(Math.max(...seen)).toBe(2 * size);
    },
  );

  test("of which there are no more lose their child, however much mail arrives", async () => {
    const children = pool({ limits: { idleMs: 500 } });
    await children.run("echo", 0);
    const { output } = await children.run("pid", null, [], { isUrgent: true });
    while (lives(output as number)) await children.run("echo", 1);
    expect((await children.run("echo", 2, [], { isUrgent: true })).output).toBe(2);
  });

  test("that do not end delay the next ones for a while, and their owner for longer", async () => {
    const children = pool({ limits: { patienceMs: 50 } });
    for (let i = 0; i < 20; i++) never(children.run("sleep", null, [], { isUrgent: true, owner: "busy" }));
    expect((await children.run("echo", 1, [], { isUrgent: true, owner: "other" })).output).toBe(1);
  });

  test("that do not end are left alone while another child may start", async () => {
    const children = pool({ size: 2, limits: { patienceMs: 50 } });
    const pidOf = async () => (await children.run("pid", null, [], { isUrgent: true, owner: "other" })).output;
    for (const owner of ["a", "b"]) never(children.run("sleep", null, [], { isUrgent: true, owner }));
    const stuck = children.pids();
    const joined = await pidOf();
    expect(stuck).toContain(joined as number);
    const gone = stuck.find((pid) => pid !== joined) as number;
    process.kill(gone, "SIGKILL");
    await until(() => !children.pids().includes(gone));
    const other = await pidOf();
    expect(other).not.toBe(joined);
    expect(await pidOf()).toBe(other);
  });

  test("of one owner take at most half of the queue", async () => {
    const children = pool({ limits: { queueMax: 8 } });
    const busy = { isUrgent: true, owner: "busy" };
    never(children.run("sleep", null, [], busy));
    for (let i = 0; i < 4; i++) never(children.run("sleep", null, [], { ...busy, part: String(i) }));
    expect(await children.run("sleep", null, [], busy).catch(({ code }) => code)).toBe("overloaded");
    for (let i = 0; i < 4; i++) never(children.run("sleep", null, [], { isUrgent: true, owner: String(i) }));
    expect(await children.run("sleep", null, [], { isUrgent: true }).catch(({ code }) => code)).toBe("overloaded");
  });

  test("are refused if they wait for long, and run no more", async () => {
    const children = pool({ limits: { urgentWaitMs: 200, patienceMs: 60_000, stallMs: 60_000, urgentBytesMax: 30 } });
    never(children.run("sleep", null, [], { isUrgent: true, owner: "a" }));
    const done: string[] = [];
    const note = (owner: string) =>
      children.run("ask", { name: "look", args: [] }, [new Uint8Array(10)], {
        ...{ isUrgent: true, owner },
        host: { look: async () => void done.push(owner) },
      });
    // The second time, they have the room that the first ones had.
    for (const owners of [
      ["a", "b", "c"],
      ["a", "b", "c"],
    ])
      for (const outcome of await Promise.allSettled(owners.map(note)))
        expect(outcome).toMatchObject({
          status: "rejected",
          reason: {
            code: "overloaded",
            message: "The server was busy with other requests and did not get to this one.",
            details: { retryAfterSeconds: 5 },
          },
        });
    const [stuck] = children.pids();
    process.kill(stuck as number, "SIGKILL");
    await until(() => !children.pids().includes(stuck as number));
    await note("d");
    expect(done).toEqual(["d"]);
  });

  test("have room for some bytes, and one owner's for half of them", async () => {
    const children = pool({ limits: { urgentBytesMax: 100 } });
    const ask = (owner: string, bytes: number) =>
      children.run("echo", null, [new Uint8Array(bytes)], { isUrgent: true, owner }).then(
        () => "done",
        ({ code }) => code,
      );
    // The first one does not wait.
    const all = [ask("a", 500), ask("a", 40), ask("a", 10), ask("a", 1), ask("b", 50), ask("b", 1), ask("c", 1)];
    const refused = ["done", "done", "done", "overloaded", "done", "overloaded", "overloaded"];
    expect(await Promise.all(all)).toEqual(refused);
    // One that is larger than all of the room waits if nothing else does.
    expect(await Promise.all([ask("a", 500), ask("a", 500), ask("b", 1)])).toEqual(["done", "done", "overloaded"]);
    expect(await Promise.all([ask("a", 50), ask("a", 50)])).toEqual(["done", "done"]);
  });
});

test("tasks that run again alone take turns, too", async () => {
  const children = pool();
  const order: unknown[] = [];
  const names = ["a 1", "a 2", "a 3", "b 1"];
  const run = (name: string) => children.run("echo", name, [], { alone: true, owner: name.slice(0, 1) });
  await Promise.all(names.map(async (name) => order.push((await run(name)).output)));
  expect(order).toEqual(["a 1", "a 2", "b 1", "a 3"]);
});

describe("a task that its child does not survive", () => {
  test.each([
    ["spin", "time"],
    ["grow", "memory"],
    ["exit", "crash"],
  ] as const)("%s is lost for its %s, after a second try alone; its neighbours are done", async (name, loss) => {
    const children = pool();
    // Two neighbours in the same child: one that is running, and is answered only on its second try, and one queued
    // after the hostile task.
    const asked = Promise.withResolvers<void>();
    let asks = 0;
    const slow = async () => {
      asked.resolve();
      return asks++ === 0 ? new Promise(() => {}) : "slow";
    };
    const neighbours = [children.run("ask", { name: "slow", args: [] }, [], { host: { slow } })];
    await asked.promise;
    const lost = children.run(name, { word: "last words" }).catch((error) => error);
    neighbours.push(children.run("echo", "next"));
    expect(await lost).toBeInstanceOf(TaskLost);
    expect((await lost).loss).toBe(loss);
    expect((await Promise.all(neighbours)).map(({ output }) => output)).toEqual(["slow", "next"]);
    expect((await children.run("echo", "after")).output).toBe("after");
  });

  test("is logged in one line, with what the child said last", async () => {
    const lines: string[] = [];
    const log = createLog({ level: "info", format: "json", stream: { write: (line) => lines.push(line) } });
    const children = pool({ log });
    await children.run("exit", { word: "first\nsecond" }).catch(() => {});
    const lost = lines.map((line) => JSON.parse(line)).filter(({ event }) => event === "worker.lost");
    expect(lost).toHaveLength(2);
    expect(lost[0]).toMatchObject({ reason: "crash", tasks: "exit", said: "first second" });
  });

  test("takes too long even if it only waits", async () => {
    const children = pool({ limits: { taskMs: 300 } });
    expect((await children.run("sleep", null).catch((error) => error)).loss).toBe("time");
  });

  test("is given up when no process can be started", async () => {
    const children = pool({ command: ["/nonexistent/program"] });
    const all = await Promise.all([1, 2].map(() => children.run("echo", 1).catch((error) => error)));
    expect(all.map((error) => error.loss)).toEqual(["crash", "crash"]);
  });
});

test("a killed child costs its tasks a second try, not more, and what it asked is no longer needed", async () => {
  const children = pool();
  const asked: AbortSignal[] = [];
  const host = {
    ping: async (_: unknown[], signal: AbortSignal) => {
      asked.push(signal);
      if (asked.length === 1) process.kill(children.pids()[0] as number, "SIGKILL");
      return asked.length === 1 ? new Promise(() => {}) : "pong";
    },
  };
  expect((await children.run("ask", { name: "ping", args: [] }, [], { host })).output).toBe("pong");
  expect(asked.map(({ aborted }) => aborted)).toEqual([true, false]);
});

test.each([
  ["tasks that wait for the server take no places", "ask", 40, false],
  ["tasks that wait for the network take no places", "listen", 40, false],
  ["an urgent task is done, however many others wait", "ask", 800, true],
])("%s", async (_, task, count, isUrgent) => {
  const children = pool();
  const host = { look: () => new Promise(() => {}) };
  const many = Array.from({ length: count }, () => children.run(task, { name: "look", args: [] }, [], { host }));
  for (const one of many) one.catch(() => {});
  expect((await children.run("echo", "done", [], { isUrgent })).output).toBe("done");
});

test.each<[string, TaskOptions, number]>([
  ["for a child", {}, 9 * 1024 * 1024],
  ["for a child of urgent ones", { isUrgent: true }, 0],
  ["to run alone", { alone: true }, 0],
])(
  "what waits %s is bounded: the next task is refused at once, with a time to come back",
  async (_, options, bytes) => {
    const children = pool({ limits: { queueMax: 3 } });
    const start = () => outcomeNow(children.run("sleep", null, [new Uint8Array(bytes)], options));
    // One that runs and three that wait.
    for (let i = 0; i < 4; i++) expect(await start()).toBe("waits");
    const refused = (await start()) as Failure;
    expect(refused).toBeInstanceOf(Failure);
    expect(refused.code).toBe("overloaded");
    expect(refused.details.retryAfterSeconds).toBeGreaterThan(0);
  },
);

test("a child that has grown is replaced, and counts until it has exited", async () => {
  const children = pool({ limits: { rssBytesMax: 900e6 } });
  const seen = new Set<unknown>();
  while (seen.size < 3) {
    const run = children.run("pid", null);
    expect(children.pids().length).toBeLessThanOrEqual(1);
    seen.add((await run).output);
    await children.run("swell", null);
    // The pool looks at the child once the task's caller has its result.
    await new Promise(setImmediate);
  }
});

test("children that have had nothing to do for a while end, and come back with the next task", async () => {
  const children = pool({ limits: { idleMs: 50 } });
  await children.run("echo", 1);
  const [pid = 0] = children.pids();
  await until(() => children.pids().length === 0 && !lives(pid));
  expect((await children.run("echo", 2)).output).toBe(2);
});

test("closing ends the children, also those that are busy, and refuses what was not done", async () => {
  const children = pool();
  await children.run("echo", 1);
  const unfinished = [children.run("spin", null), children.run("echo", 2)];
  // The second one of each kind waits for the first one.
  for (const options of [{ isUrgent: true }, { alone: true }])
    unfinished.push(children.run("spin", null, [], options), children.run("echo", 3, [], options));
  // It has no room next to the others.
  unfinished.push(children.run("echo", 4, [new Uint8Array(17 * 1024 * 1024)]));
  for (const one of unfinished) one.catch(() => {});
  const pids = children.pids();
  expect(pids.filter(lives)).toHaveLength(3);
  await children.close();
  expect(pids.filter(lives)).toEqual([]);
  const outcomes = (await Promise.all(unfinished.map(outcomeNow))) as Failure[];
  expect(outcomes.map(({ code }) => code)).toEqual(unfinished.map(() => "unavailable"));
  expect((await children.run("echo", 5).catch((error) => error)).code).toBe("unavailable");
});

test("closing ends a child that has nothing to do and does not end by itself", async () => {
  const children = pool();
  const pid = (await children.run("pid", null)).output as number;
  process.kill(pid, "SIGSTOP");
  try {
    await within(children.close(), () => "the pool has closed");
  } finally {
    if (lives(pid)) process.kill(pid, "SIGKILL");
  }
  expect(lives(pid)).toBe(false);
});
