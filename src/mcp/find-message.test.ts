import { expect, test } from "bun:test";
import { E2AClient } from "../../sdks/typescript/src/index.ts";
import { Api } from "./api.ts";
import { findMessage } from "./find-message.ts";

const id = `msg_${"0".repeat(32)}`;

/** The API as a tool gets it, with a server that answers every request with this status. */
function answering(status: number) {
  const problem = { type: "x", title: "t", status, detail: "No.", code: "some_code" };
  const fetch = async () => Response.json(problem, { status, headers: { "content-type": "application/problem+json" } });
  const client = new E2AClient({
    baseUrl: "http://127.0.0.1:1",
    apiKey: "e2a_key",
    retries: 0,
    webSocket: false,
    fetch,
  });
  const who = async () => ({ scope: "account" as const, agent: null });
  return { api: new Api({ client, who, defaultAgent: "bot@e2a.localhost" }), signal: new AbortController().signal };
}

test("only what is not there for this key is not there", async () => {
  const find = (status: number) =>
    findMessage(id, undefined, { raw: false, peek: true }, answering(status)).then(
      () => null,
      ({ message }: Error) => message,
    );
  for (const status of [403, 404]) expect(await find(status)).toBe(`bot@e2a.localhost has no message ${id}.`);
  // The answer of a busy server, or to a key that has ended, does not mean that the message is missing.
  for (const status of [401, 429, 500, 503]) expect(await find(status)).toBe("No.");
});
