/**
 * Idempotency-Keys as a model: several callers send requests, alone and at once, to a server that dies at any of its
 * writes and restarts. At most one mail leaves for a key, and every answer about it is the same.
 */
import { expect, test } from "bun:test";
import fc from "fast-check";
import { type ScriptedSmtp, scriptedSmtp } from "../../../test/smtp/scripted-smtp.ts";
import { unique } from "../../../test/store/stores.ts";
import { startTestApp, type TestApp } from "../../../test/support/app.ts";
import { holds } from "../../../test/support/property.ts";
import type { Store } from "../../store/store.ts";
import { TestClock } from "../../util/clock.ts";

/** The writes of a request: the server dies before one, or after its commit. */
const writes = ["startIdempotent", "acceptOutbound", "finishRecipient", "finishIdempotent"] as const;
type Death = { write: (typeof writes)[number]; when: "before" | "after" };

/** Two agents, and the callers: the account's key, and a key of each agent. */
interface World {
  it: TestApp;
  clock: TestClock;
  upstream: ScriptedSmtp;
  agents: string[];
  callers: string[];
  /** In every subject of this run. */
  run: string;
}

/** What is known about the Idempotency-Key of a caller; all callers use the same text. */
interface Named {
  /** The requests that the key may belong to, because the server died during them; only one once it was answered. */
  candidates: string[];
  /** The key belongs to one of them; if false, it may also still be free. */
  isTaken: boolean;
  /** The answer about its mail, if a caller received one. */
  answer: Body | null;
}
type Body = Record<string, unknown>;
type Model = { keys: Map<number, Named> };

/** Makes the server die at its next such write: from then on it writes nothing, and its connections break. */
function dieAt(store: Store, death: Death, breakOff: () => void): void {
  let isDead = false;
  const die = () => {
    isDead = true;
    breakOff();
    throw new Error("The process is dead.");
  };
  for (const write of writes) {
    const original = store[write] as (...args: unknown[]) => Promise<unknown>;
    const dying = async (...args: unknown[]) => {
      if (isDead || (write === death.write && death.when === "before")) die();
      const result = await original(...args);
      if (write === death.write) die();
      return result;
    };
    Object.assign(store, { [write]: dying });
  }
}

/** Restarts the server on what the last one has written; timers that its shutdown waits for run out at once. */
async function restart({ it, clock }: World): Promise<void> {
  const pump = setInterval(() => clock.advance(1_000), 5);
  await it.restart().finally(() => clearInterval(pump));
}

class Ask implements fc.AsyncCommand<Model, World> {
  constructor(
    readonly asked: { caller: number; from: number; text: number },
    readonly times: number,
    readonly death: Death | null,
  ) {}
  check = () => true;

  async run(model: Model, world: World): Promise<void> {
    const { it, upstream, agents, callers, run } = world;
    const { caller, text } = this.asked;
    // An agent's key sends as that agent.
    const from = caller === 0 ? this.asked.from : caller - 1;
    const marker = `${run} ${caller} ${from} ${text}`;
    const mail = { from: agents[from], to: ["ann@outside.example"], subject: marker, body: "Good day." };
    const connection = new AbortController();
    const send = () =>
      fetch(`${it.app.httpUrl}/api/v1/send`, {
        method: "POST",
        headers: {
          authorization: `Bearer ${callers[caller]}`,
          "content-type": "application/json",
          "idempotency-key": run,
        },
        body: JSON.stringify(mail),
        signal: connection.signal,
      })
        .then(async (response) => ({ status: response.status, body: (await response.json()) as Body }))
        // The connection broke, so the caller got no answer.
        .catch(() => ({ status: 0, body: {} as Body }));
    const left = (subject: string) => upstream.messages.filter(({ raw }) => raw.includes(`Subject: ${subject}`)).length;
    if (this.death) dieAt(it.app.store, this.death, () => connection.abort());
    const answers = await Promise.all(Array.from({ length: this.times }, send));
    if (this.death) await restart(world);

    const { candidates, isTaken, answer } = model.keys.get(caller) ?? { candidates: [], isTaken: false, answer: null };
    const told = answers.filter(({ status }) => status === 200);
    const refused = answers.filter(({ body }) => body.code === "idempotency_key_reused");
    // If several run at once, the others are told that the first is still running.
    const others = answers.filter(({ status, body }) => status === 409 && body.code === "conflict");
    if (!this.death) expect(told.length + refused.length + others.length).toBe(this.times);
    // Every answer about a key names the same mail, in the same words.
    for (const { body } of told) expect(body).toEqual(answer ?? (told[0]?.body as Body));
    if (told.length > 0) {
      expect(refused).toEqual([]);
      if (isTaken) expect(candidates).toContain(marker);
      model.keys.set(caller, { candidates: [marker], isTaken: true, answer: answer ?? told[0]?.body ?? null });
    } else if (!this.death) {
      expect(refused.length).toBeGreaterThan(0);
      const rest = candidates.filter((one) => one !== marker);
      expect(rest.length).toBeGreaterThan(0);
      model.keys.set(caller, { candidates: rest, isTaken: true, answer });
    } else if (!isTaken) model.keys.set(caller, { candidates: [...new Set([...candidates, marker])], isTaken, answer });
    if (told.length > 0) await it.app.drain();
    expect(left(`${run} ${caller} `)).toBeLessThanOrEqual(1);
    if (told.length > 0) expect(left(`${marker}\r\n`)).toBe(1);
  }

  toString(): string {
    const { caller, from, text } = this.asked;
    const dies = this.death ? `, dies ${this.death.when} ${this.death.write}` : "";
    return `ask(caller ${caller}, from ${from}, text ${text}, ×${this.times}${dies})`;
  }
}

class Restart implements fc.AsyncCommand<Model, World> {
  check = () => true;
  run = (_: Model, world: World) => restart(world);
  toString = () => "restart";
}

const death = fc.record({
  write: fc.constantFrom(...writes),
  when: fc.constantFrom("before" as const, "after" as const),
});
const asked = fc.record({ caller: fc.constantFrom(0, 0, 1, 2), from: fc.nat(1), text: fc.nat(1) });
const steps = (maxCommands: number) =>
  fc.commands(
    [
      fc.tuple(asked, fc.integer({ min: 1, max: 3 }), fc.constant(null)).map((args) => new Ask(...args)),
      fc.tuple(asked, fc.integer({ min: 1, max: 2 }), death).map((args) => new Ask(...args)),
      fc.constant(new Restart()),
    ],
    { maxCommands, size: "max" },
  );

// A start on Postgres takes four times as long.
for (const [database, share, length] of [
  ["sqlite", 0.05, 20],
  ["postgres", 0.02, 10],
] as const)
  test(`a key stands for one mail and one answer, whatever comes between (${database})`, async () => {
    await using upstream = await scriptedSmtp();
    const clock = new TestClock();
    await using it = await startTestApp({
      database,
      seams: { clock },
      set: {
        "outbound_smtp.host": upstream.host,
        "outbound_smtp.port": upstream.port,
        "outbound_smtp.tls": "off",
        "limits.loop_messages": 0,
        "limits.sends_per_minute_per_agent": 0,
        "limits.sends_per_minute_per_account": 0,
        "limits.api_requests_per_minute": 1_000_000,
      },
    });
    const agents: string[] = [];
    const callers = [it.key];
    for (const slug of ["one", "two"]) {
      const { body: agent } = await it.api("POST", "/api/v1/agents", { slug, agent_mode: "local" });
      agents.push(agent.email);
      const { body } = await it.api("POST", "/api/v1/keys", { name: slug, scope: "agent", agent: agent.email });
      callers.push(body.key);
    }
    await holds(
      fc.asyncProperty(steps(length), async (commands) => {
        const real = { it, clock, upstream, agents, callers, run: unique("run") };
        await fc.asyncModelRun(() => ({ model: { keys: new Map() }, real }), commands);
      }),
      { share },
    );
  });
