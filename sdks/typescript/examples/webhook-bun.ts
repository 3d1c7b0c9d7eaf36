/**
 * A webhook endpoint of an account with Bun.serve: one place for the events of all agents. The same handler is a Next.js
 * route (`export const POST = handler`) or a Hono one (`app.post("/events", (c) => handler(c.req.raw))`).
 *
 *     E2A_WEBHOOK_SECRET=… PORT=9000 bun examples/webhook-bun.ts
 */
import { webhookHandler } from "e2a-sdk";

const seen = new Set<string>();

const handler = webhookHandler((event) => {
  // The same event may come twice, under the same id. A real receiver remembers ids for longer than its memory lasts.
  if (event.id === null || seen.has(event.id)) return;
  seen.add(event.id);
  switch (event.type) {
    case "message.bounced":
      return console.log(`${event.data.recipient} does not exist: ${event.data.smtp_reply}`);
    case "message.held":
      return console.log(
        `${event.agent_id} wants to write to ${event.data.recipients.join(", ")}: ${event.data.subject}`,
      );
    default:
      return console.log(`${event.type} ${event.id}`);
  }
});

const server = Bun.serve({
  port: Number(process.env.PORT ?? 9000),
  hostname: "127.0.0.1",
  routes: { "/events": { POST: handler } },
});
console.log(`Listening on port ${server.port}`);
