/**
 * A reviewer: shows each held message as it comes, and approves it when the person at the terminal says so.
 *
 *     E2A_API_KEY=e2a_… bun examples/review.ts
 *
 * It needs a key of the account; an agent's key can never approve.
 */
import { createInterface } from "node:readline/promises";
import { ConflictError, E2AClient } from "e2a-sdk";

const client = new E2AClient();
const terminal = createInterface({ input: process.stdin, output: process.stdout });

// What waits already, the oldest first; then what has been held since.
const [newest] = (await client.events.list({ sort: "desc", page_size: 1 })).events;
for (const { id } of (await client.approvals.list().all()).reverse()) await decide(id);
for await (const event of client.events.follow({ after: newest?.id, types: ["message.held"] }))
  await decide(event.data.message_id);

async function decide(id: string): Promise<void> {
  const held = await client.outbox.get(id);
  if (held.status !== "pending_approval") return;
  console.log(`\n${held.agent_id} → ${held.to.join(", ")}\n${held.subject}\n\n${held.body_text}`);
  const answer = await terminal.question("Let it leave? [y/n] ");
  try {
    // With the hash, what leaves is what was shown, or nothing does.
    if (/^y/i.test(answer)) await client.approvals.approve(id, { content_hash: held.content_hash });
    else await client.approvals.reject(id, { reason: "Not like this." });
    console.log(/^y/i.test(answer) ? "Sent." : "Rejected.");
  } catch (error) {
    if (!(error instanceof ConflictError)) throw error;
    console.log("Somebody else was faster.");
  }
}
