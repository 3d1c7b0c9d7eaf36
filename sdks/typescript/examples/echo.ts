/**
 * An agent that answers each mail with its own words. It needs no public address.
 *
 *     E2A_API_KEY=e2a_… E2A_AGENT_EMAIL=my-bot@e2a.localhost bun examples/echo.ts
 */
import { E2AClient } from "e2a-sdk";

const client = new E2AClient();
console.log(`Listening as ${client.agentEmail}`);

for await (const message of client.listen()) {
  console.log(`${message.from} (${message.verified ? "verified" : "not verified"}): ${message.subject}`);
  // Two programs that thank each other never stop.
  if (message.isAutomatic) continue;
  // The key makes it one answer, even if this program dies before the message is marked read.
  await message.reply(`You wrote:\n\n${message.replyText}`, { idempotencyKey: `echo ${message.id}` });
}
