import { readFile } from "node:fs/promises";
import * as sdk from "e2a-sdk";
import { type Case, playCase, type World } from "./play.ts";

/**
 * Plays all scenarios in Node with the installed package, and asks the test by HTTP for what a scenario needs.
 *
 *     node in-node.js cases.json http://127.0.0.1:<port of the test>
 *
 * It prints one line of JSON per scenario: `{name, error}`.
 */

const [, , file = "", control = ""] = process.argv;

async function ask(name: string, body: object = {}) {
  const response = await fetch(`${control}/${name}`, { method: "POST", body: JSON.stringify(body) });
  const text = await response.text();
  if (!response.ok) throw new Error(text);
  return JSON.parse(text);
}

const world: World = {
  ...(await ask("account")),
  deliver: (mail) => ask("deliver", mail),
  restart: (how) => ask("restart", { how }),
  sink: () => ask("sink"),
  requests: (url, count) => ask("requests", { url, count }),
};
const { cases } = JSON.parse(await readFile(file, "utf8")) as { cases: Case[] };
for (const scenario of cases) {
  const error = await playCase(sdk, world, scenario).then(
    () => null,
    ({ message }: Error) => message,
  );
  process.stdout.write(`${JSON.stringify({ name: scenario.name, error })}\n`);
}
