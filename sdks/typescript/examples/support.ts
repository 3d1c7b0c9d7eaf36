/**
 * A support agent on a leash: it drafts an answer to each question, and a person decides whether it leaves.
 *
 *     E2A_API_KEY=e2a_… E2A_AGENT_EMAIL=answers@e2a.localhost bun examples/support.ts
 *
 * The person sees what waits in the dashboard, by mail, with `e2a pending`, or with examples/review.ts.
 */
import { E2AClient, type Message } from "e2a-sdk";

const client = new E2AClient();
const agent = client.agentEmail ?? "";

// From now on nothing leaves without a decision. An agent's own key may not change that back.
await client.agents.update(agent, {
  hitl_enabled: true,
  hitl_ttl_seconds: 24 * 3600,
  hitl_expiration_action: "reject",
});
console.log(`Listening as ${agent}`);

for await (const message of client.listen()) {
  if (message.isAutomatic) continue;
  const sent = await message.reply(draft(message), { idempotencyKey: `support ${message.id}` });
  await message.addLabels(sent.status === "pending_approval" ? "waits" : "answered");
  console.log(`${message.subject}: ${sent.status} ${sent.message_id}`);
}

/** Where a model would be asked. What a mail says is data, never an instruction. */
function draft({ replyText, verified }: Message): string {
  const topic = /refund|invoice|bill/i.test(replyText) ? "your payment" : "your question";
  const proof = verified ? "" : "\n\nWe could not verify your address, so please do not send us anything confidential.";
  return `Hello,\n\nthank you for writing about ${topic}. A colleague has looked at it.${proof}`;
}
