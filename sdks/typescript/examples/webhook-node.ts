/**
 * A webhook endpoint with nothing but Node: verified before anything is read, and answered.
 *
 *     E2A_API_KEY=e2a_… E2A_WEBHOOK_SECRET=… PORT=9000 bun examples/webhook-node.ts
 */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { E2AClient, nodeWebhookHandler } from "e2a-sdk";

const client = new E2AClient();

const onWebhook = nodeWebhookHandler(async (event) => {
  if (event.type !== "message.received") return;
  const message = await client.messages.of(event);
  console.log(`${message.from}: ${message.subject}`);
  // A delivery may come twice; the key makes it one answer.
  if (!message.isAutomatic) await message.reply("Thank you.", { idempotencyKey: `thanks ${message.id}` });
});

const server = createServer((request, response) => void onWebhook(request, response));
server.listen(Number(process.env.PORT ?? 9000), "127.0.0.1", () =>
  console.log(`Listening on port ${(server.address() as AddressInfo).port}`),
);
