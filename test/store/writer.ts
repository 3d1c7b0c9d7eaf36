/**
 * A separate process that stores mail as fast as it can and prints each message's id only once its verb has resolved:
 * for tests that kill it. Arguments: dialect, location, agent's address, number of writers.
 */
import { writeSync } from "node:fs";
import { addMessage } from "./rows.ts";
import { openNode } from "./stores.ts";

const [dialect, location, agentId, writers] = process.argv.slice(2);
if ((dialect !== "sqlite" && dialect !== "postgres") || !location || !agentId)
  throw new Error("Usage: store-writer.ts sqlite|postgres LOCATION AGENT WRITERS");

const { store } = await openNode(dialect, location);
await Promise.all(
  Array.from({ length: Number(writers) }, async () => {
    for (;;) {
      const { id } = await addMessage(store, agentId);
      // Written at once and in one piece: buffered output would be lost with the process.
      writeSync(1, `${id}\n`);
    }
  }),
);
