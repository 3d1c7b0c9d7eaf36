import { afterEach, describe, expect, test } from "bun:test";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { standardWebhookHeaders } from "../../../src/notify/sign.ts";
import { nodeWebhookHandler, type OnEvent, parseWebhook, type WebhookEvent, webhookHandler } from "../src/index.ts";

/** Webhook endpoints on the two interfaces that frameworks build on: `Request` and `Response`, and Node's. */

const secret = "0123456789abcdef".repeat(4);
const event = {
  id: "evt_1",
  type: "webhook.test",
  timestamp: "2026-05-15T12:00:00.000Z",
  data: { webhook_id: "whk_1" },
};

function signed(body = JSON.stringify(event), by = secret) {
  const headers = standardWebhookHeaders({ id: "evt_1", body, secrets: [by], now: new Date() });
  return { method: "POST", body, headers: { "content-type": "application/json", ...headers } };
}

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

/** The same handler, served in two ways; `post` sends it a request. */
const ways = {
  "Request and Response": (onEvent: OnEvent, options: object) => {
    const handler = webhookHandler(onEvent, options);
    const server = Bun.serve({
      ...{ port: 0, hostname: "127.0.0.1", routes: { "/mail": { POST: handler } } },
      error: () => new Response(null, { status: 500 }),
    });
    closing.push(() => server.stop(true));
    return (init: RequestInit) => fetch(`http://127.0.0.1:${server.port}/mail`, init);
  },
  "Node's request and response": async (onEvent: OnEvent, options: object) => {
    const handler = nodeWebhookHandler(onEvent, options);
    return listening((request, response) => void handler(request, response, () => response.writeHead(500).end()));
  },
};

async function listening(listener: RequestListener) {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  closing.push(() => server.close());
  return (init: RequestInit) => fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}/mail?x=1`, init);
}

for (const [way, serve] of Object.entries(ways))
  describe(`a webhook endpoint of ${way}`, () => {
    test("takes what is signed and answers 204, or what the program says", async () => {
      const events: WebhookEvent[] = [];
      const post = await serve((one) => void events.push(one), { secrets: secret });
      expect((await post(signed())).status).toBe(204);
      expect(events).toEqual([{ ...event, agent_id: null, source: "account", proven: "body" }] as never);
      const talks = await serve(() => new Response("thanks", { status: 202, headers: { "x-mine": "1" } }), {
        secrets: [secret],
      });
      const answer = await talks(signed());
      expect([answer.status, answer.headers.get("x-mine"), await answer.text()]).toEqual([202, "1", "thanks"]);
    });

    test("refuses what cannot be believed, and the program never sees it", async () => {
      let calls = 0;
      const post = await serve(() => calls++, { secrets: [secret] });
      const changed = { ...signed(), body: JSON.stringify({ ...event, type: "message.sent" }) };
      for (const request of [
        changed,
        signed("{}", "f".repeat(64)),
        { method: "POST", body: "{}" },
        { method: "POST" },
      ]) {
        const answer = await post(request);
        expect([answer.status, await answer.text()]).toEqual([401, expect.stringContaining("cannot be believed")]);
      }
      expect(calls).toBe(0);
    });

    test("answers 500 when the program fails, so that the server delivers again", async () => {
      const post = await serve(
        () => {
          throw new Error("no database");
        },
        { secrets: [secret] },
      );
      expect((await post(signed())).status).toBe(500);
    });

    test("refuses a body that is too long without keeping it", async () => {
      const post = await serve(() => {}, { secrets: [secret], maxBytes: 1_000 });
      expect((await post(signed(JSON.stringify({ ...event, more: "x".repeat(100_000) })))).status).toBe(413);
      expect((await post(signed())).status).toBe(204);
    });
  });

describe("behind body parsers", () => {
  const parsed = (body: unknown) => {
    const handler = nodeWebhookHandler(() => {}, { secrets: [secret] });
    return listening((request, response) => {
      const answer = (error: unknown) => response.writeHead(500).end(String(error));
      void handler(Object.assign(request, { body }), response, answer);
    });
  };

  test("the bytes of express.raw() are taken, and {} is no body", async () => {
    const request = signed();
    expect((await (await parsed(Buffer.from(request.body)))(request)).status).toBe(204);
    expect((await (await parsed({}))(request)).status).toBe(204);
  });

  test("what express.json() made of it is refused with the remedy", async () => {
    const answer = await (await parsed(event))(signed());
    expect([answer.status, await answer.text()]).toEqual([500, expect.stringContaining("express.raw")]);
    const direct = await parseWebhook(event as never, {}, secret).catch((error) => error.message);
    expect(direct).toContain("the body as it came");
  });
});

test("without a usable secret nothing is believed", async () => {
  const before = process.env.E2A_WEBHOOK_SECRET;
  delete process.env.E2A_WEBHOOK_SECRET;
  const { body, headers } = signed();
  try {
    const message = (secrets?: string | string[]) =>
      parseWebhook(body, headers, secrets).then(
        () => null,
        ({ message }) => message,
      );
    expect(await message()).toContain("E2A_WEBHOOK_SECRET");
    expect(await message([])).toContain("E2A_WEBHOOK_SECRET");
    for (const empty of ["", ["", secret], "whsec_", "whsec_%"])
      expect(await message(empty)).toContain("is empty or invalid");
    expect(() => webhookHandler(() => {})).toThrow("E2A_WEBHOOK_SECRET");
    process.env.E2A_WEBHOOK_SECRET = `${"f".repeat(64)}, ${secret}`;
    expect(await message()).toBeNull();
  } finally {
    if (before === undefined) delete process.env.E2A_WEBHOOK_SECRET;
    else process.env.E2A_WEBHOOK_SECRET = before;
  }
});
