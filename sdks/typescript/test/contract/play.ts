import type * as Sdk from "../../src/index.ts";
import { call, iterate, shownMessage } from "./calls.ts";
import { mismatch } from "./match.ts";

/** Plays the scenarios of sdks/contract/cases.json. It runs in any runtime; the caller provides the world. */

/** What a scenario needs besides the SDK. */
export interface World {
  baseUrl: string;
  apiKey: string;
  /** A signing secret of the account. */
  secret: string;
  deliver(mail: { from: string; to: string; message: string }): Promise<void>;
  restart(how: "restart" | "kill"): Promise<void>;
  /** Starts an endpoint that answers 204; returns its URL. */
  sink(): Promise<string>;
  /** Waits until the endpoint has received `count` requests. */
  requests(url: string, count: number): Promise<SinkRequest[]>;
}

export interface SinkRequest {
  headers: Record<string, string>;
  text: string;
}

export interface Case {
  name: string;
  steps: Step[];
}

// biome-ignore lint/suspicious/noExplicitAny: steps are data; each kind is read by its own name.
type Step = Record<string, any>;

/** The longest wait for anything that must happen. */
const PATIENCE_MS = 30_000;
const POLL_MS = 50;

/** Plays a scenario; throws an error that names the failed step. */
export async function playCase(sdk: typeof Sdk, world: World, { name, steps }: Case): Promise<void> {
  const play = new Play(sdk, world);
  try {
    for (const [i, step] of steps.entries())
      try {
        await play.step(step);
      } catch (error) {
        throw new Error(`${name}, step ${i + 1}, ${JSON.stringify(step).slice(0, 300)}: ${(error as Error).message}`, {
          cause: error,
        });
      }
  } finally {
    await play.end();
  }
}

class Play {
  private readonly variables = new Map<string, unknown>();
  private readonly iterators = new Map<string, { items: AsyncGenerator<unknown>; last?: unknown }>();
  private readonly client: Sdk.E2AClient;

  constructor(
    private readonly sdk: typeof Sdk,
    private readonly world: World,
  ) {
    this.client = this.clientWith(world.apiKey);
    this.variables.set("run", Math.random().toString(36).slice(2, 10));
    this.variables.set("now", new Date().toISOString());
    this.variables.set("secret", world.secret);
  }

  private clientWith(apiKey: string): Sdk.E2AClient {
    return new this.sdk.E2AClient({ baseUrl: this.world.baseUrl, apiKey });
  }

  async step(raw: Step): Promise<void> {
    const step = this.filled(raw) as Step;
    if (step.call) await this.call(step);
    else if (step.smtp) await this.deliver(step.smtp);
    else if (step.restart) await this.world.restart("restart");
    else if (step.kill) await this.world.restart("kill");
    else if (step.sink) this.variables.set(step.sink, await this.world.sink());
    else if (step.received) await this.received(step);
    else if (step.start) this.start(step);
    else if (step.take) await this.taken(step);
    else if (step.ack) await (this.iterator(step.ack).last as Sdk.Message).ack();
    else if (step.stop) await this.stop(step.stop);
    else throw new Error("The contract has an unknown step.");
  }

  async end(): Promise<void> {
    for (const name of this.iterators.keys()) await this.stop(name);
  }

  private async call(step: Step): Promise<void> {
    const client = step.key ? this.clientWith(step.key) : this.client;
    const make = () => call(client, step.call, step.args ?? {});
    if (step.error) return expectError(step.error, make);
    const end = Date.now() + PATIENCE_MS;
    for (;;) {
      const result = await make();
      const complaint = "expect" in step ? mismatch(step.expect, result) : null;
      if (complaint === null) return this.save(step.save, result);
      if (!step.until || Date.now() > end) throw new Error(complaint);
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  }

  private deliver({ from, to, lines }: { from: string; to: string; lines: string[] }): Promise<void> {
    return this.world.deliver({ from, to, message: lines.map((line) => `${line}\r\n`).join("") });
  }

  private async received(step: Step): Promise<void> {
    const url = String(this.variables.get(step.received));
    const requests = await patiently(this.world.requests(url, step.count), "the requests");
    const events: unknown[] = [];
    for (const { text, headers } of requests) events.push(await this.sdk.parseWebhook(text, headers, step.secrets));
    orThrow(mismatch(step.expect, events));
  }

  private start(step: Step): void {
    this.iterators.set(step.start, { items: iterate(this.client, step.iterator, step.args ?? {}) });
  }

  private async taken(step: Step): Promise<void> {
    const iterator = this.iterator(step.take);
    const next = async () => {
      const { value, done } = await patiently(iterator.items.next(), "the next item");
      if (done) throw new Error("The iteration has ended.");
      return value;
    };
    if (step.error) return expectError(step.error, next);
    const items: unknown[] = [];
    for (let i = 0; i < step.count; i++) {
      iterator.last = await next();
      items.push(iterator.last);
    }
    const shown = items.map((item) => (isMessage(item) ? shownMessage(item) : item));
    if ("expect" in step) orThrow(mismatch(step.expect, shown));
    this.save(step.save, shown);
  }

  private async stop(name: string): Promise<void> {
    await this.iterator(name).items.return(undefined);
    this.iterators.delete(name);
  }

  private iterator(name: string) {
    const found = this.iterators.get(name);
    if (!found) throw new Error(`No iterator ${name} was started.`);
    return found;
  }

  private save(wanted: Record<string, string> | undefined, result: unknown): void {
    for (const [name, at] of Object.entries(wanted ?? {})) {
      // biome-ignore lint/suspicious/noExplicitAny: a path leads wherever the contract says.
      let value: any = result;
      for (const part of at === "" ? [] : at.split(".")) value = value?.[part];
      if (value === undefined) throw new Error(`There is no ${at} to save as ${name}.`);
      this.variables.set(name, value);
    }
  }

  /** The step with variables replaced by their values. */
  private filled(value: unknown): unknown {
    if (Array.isArray(value)) return value.map((item) => this.filled(item));
    if (typeof value === "object" && value !== null)
      return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, this.filled(item)]));
    if (typeof value !== "string") return value;
    const whole = /^\$([a-z_][a-z_0-9]*)$/.exec(value)?.[1];
    if (whole !== undefined) return this.variable(whole);
    return value.replace(/\$\{([a-z_0-9]+)\}/g, (_, name) => String(this.variable(name)));
  }

  private variable(name: string): unknown {
    if (!this.variables.has(name)) throw new Error(`The contract has no variable ${name} here.`);
    return this.variables.get(name);
  }
}

function isMessage(item: unknown): item is Sdk.Message {
  return typeof (item as { replyAll?: unknown }).replyAll === "function";
}

async function expectError(expected: unknown, run: () => Promise<unknown>): Promise<void> {
  let result: unknown;
  try {
    result = await run();
  } catch (error) {
    const { name, status, code, message, fix, requestId, errors } = error as Sdk.APIError;
    const found = { type: name, status, code, message, fix, request_id: requestId, errors };
    return orThrow(mismatch(expected, found, "error"));
  }
  throw new Error(`No error, but ${JSON.stringify(result)?.slice(0, 500)}`);
}

function orThrow(complaint: string | null): void {
  if (complaint !== null) throw new Error(complaint);
}

async function patiently<T>(promise: Promise<T>, what: string): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} did not come within ${PATIENCE_MS / 1000} s.`)), PATIENCE_MS);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
