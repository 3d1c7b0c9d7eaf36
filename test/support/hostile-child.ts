/** A child process with the product's tasks, some of which hang or crash on some messages, and with hostile tasks. */
import { tasks } from "../../src/tasks/tasks.ts";
import { serveTasks, type TaskTable } from "../../src/workers/serve.ts";

/** The header that makes the task of a message hang or crash. */
const poison = "X-Test-Poison: ";

const swollen: Uint8Array[] = [];

const hostile: TaskTable = {
  async spin() {
    for (;;);
  },
  async grow() {
    const kept: Uint8Array[] = [];
    for (;;) kept.push(new Uint8Array(16 * 1024 * 1024).fill(1));
  },
  /** Keeps 300 MB, and stays until the server has had time to see it. */
  async swell() {
    if (swollen.length === 0) swollen.push(new Uint8Array(300 * 1024 * 1024).fill(1));
    await Bun.sleep(250);
    return { output: null };
  },
  async exit({ word }: { word: string }) {
    process.stderr.write(`${word}\n`);
    process.exit(3);
  },
  async sleep() {
    await new Promise(() => {});
    return { output: null };
  },
  async echo(input: unknown, blobs) {
    return { output: input, blobs };
  },
  async environment() {
    return { output: { env: { ...process.env }, argv: process.argv } };
  },
  async pid() {
    return { output: process.pid };
  },
  async ask({ name, args }: { name: string; args: unknown[] }, _blobs, host) {
    return { output: await host.call(name, args) };
  },
  async listen(_input: null, _blobs, host) {
    return { output: await host.wait(new Promise(() => {})) };
  },
  async giveUp({ name }: { name: string }, _blobs, host) {
    const stop = new AbortController();
    const asked = host.call(name, [], stop.signal);
    stop.abort(new Error("no longer needed"));
    return { output: await asked.catch((error: Error) => error.message) };
  },
};

/** Hangs or crashes in the way that the message's header names. */
function poisoned(name: "examine"): TaskTable[string] {
  return async (input: { failure: unknown }, blobs, host) => {
    const head = Buffer.from(blobs[0] as Uint8Array).toString("latin1", 0, 4096);
    const at = head.indexOf(poison);
    const how = at < 0 ? "" : head.slice(at + poison.length, head.indexOf("\r\n", at));
    if (how === "whole" && input.failure === null) for (;;);
    if (how === "always" || (how === "crash" && input.failure === null)) process.exit(3);
    if (how === "error" && input.failure === null) throw new TypeError("undefined is not a function");
    if (how === "stays") await new Promise(() => {});
    return (tasks[name] as NonNullable<TaskTable[string]>)(input as never, blobs, host);
  };
}

const texts = ["heldReview", "reviewMail", "attachments", "readMessage", "quote", "htmlToText"] as const;

/** Crashes in a task that reads a message if the message names it: `X-Test-Poison: heldReview reviewMail`. */
function poisonedText(name: (typeof texts)[number]): TaskTable[string] {
  return async (input, blobs, host) => {
    const seen = JSON.stringify(input) + blobs.map((blob) => Buffer.from(blob).toString("latin1")).join("");
    const [, named = ""] = /X-Test-Poison: ([a-zA-Z ]*)/.exec(seen) ?? [];
    if (named.split(" ").includes(name)) process.exit(3);
    return (tasks[name] as NonNullable<TaskTable[string]>)(input as never, blobs, host);
  };
}

const readers = Object.fromEntries(texts.map((name) => [name, poisonedText(name)]));

/** Never ends for a message that says `X-Test-Stays`, and keeps the child busy. */
const searchOutgoing: TaskTable[string] = async (input, blobs, host) => {
  if (JSON.stringify(input).includes("X-Test-Stays")) await new Promise(() => {});
  return (tasks.searchOutgoing as NonNullable<TaskTable[string]>)(input as never, blobs, host);
};

/** Crashes at an attached message that names the task, unless only its raw text is asked for. */
const attachedMessage: TaskTable[string] = async (input: { failure: unknown }, blobs, host) => {
  const isPoisoned = Buffer.from(blobs[0] as Uint8Array).includes(`${poison}attachedMessage`);
  if (isPoisoned && input.failure === null) process.exit(3);
  return (tasks.attachedMessage as NonNullable<TaskTable[string]>)(input as never, blobs, host);
};

await serveTasks({
  ...tasks,
  ...hostile,
  ...readers,
  searchOutgoing,
  attachedMessage,
  examine: poisoned("examine") as NonNullable<TaskTable[string]>,
});
