import { expect, test } from "bun:test";
import { sql } from "drizzle-orm";
import { addAgent, mailFor } from "../../../test/store/rows.ts";
import { onDatabases } from "../../../test/store/stores.ts";
import { askRaw, type Verb } from "./engine.ts";

const writer = new URL("../../../test/store/writer.ts", import.meta.url).pathname;
/** Each round kills another process while it writes. */
const ROUNDS = 3;
const WRITERS = 10;

onDatabases(
  (database) => database.shared,
  (it) => {
    test("what a killed process had been told is stored is there, whole", async () => {
      await using place = await it.database.create();
      const setUp = await place.open();
      const agent = await addAgent(setUp.store, { mode: "cloud" });
      await setUp.engine.close();

      const printed: string[] = [];
      for (let round = 0; round < ROUNDS; round++) {
        const command = [process.execPath, writer, place.dialect, place.location, agent.id, String(WRITERS)];
        const child = Bun.spawn(command, { stdout: "pipe", stderr: "inherit" });
        const enough = 20 + Math.floor(Math.random() * 200);
        let text = "";
        for await (const chunk of child.stdout) {
          text += new TextDecoder().decode(chunk);
          if (text.length > enough * 37 && !child.killed) child.kill("SIGKILL");
        }
        await child.exited;
        expect(child.signalCode).toBe("SIGKILL");
        // The last line may be incomplete.
        printed.push(...text.split("\n").slice(0, -1));
      }
      expect(printed.length).toBeGreaterThan(ROUNDS * 20);

      const { engine, store } = await place.open();
      for (const id of printed) {
        const stored = await store.getMessage(agent.id, id);
        expect(stored?.raw.toString()).toContain("Hello");
        expect(await store.deliveriesOf(id)).toHaveLength(1);
      }
      // A message stored but not yet printed may be there; it must then be complete as well.
      const { total } = await store.countMessages(agent.id);
      expect(total).toBeGreaterThanOrEqual(printed.length);
      expect(total).toBeLessThanOrEqual(printed.length + ROUNDS * WRITERS);
      const all = await store.messagesAfter(agent.id, 0, { unreadOnly: false, limit: 10_000 });
      expect(all.map((row) => row.seq)).toEqual(Array.from({ length: total }, (_, i) => i + 1));
      const counts = await engine.read(function* (): Verb<unknown[]> {
        return yield* askRaw(sql`
      select (select count(*) from raw_mail) as raw, (select count(*) from events) as events,
             (select count(*) from deliveries) as deliveries, (select count(*) from message_search) as search`);
      });
      expect(
        JSON.parse(JSON.stringify(counts), (_, value) => (typeof value === "string" ? Number(value) : value)),
      ).toEqual([{ raw: total, events: total, deliveries: total, search: total }]);
      const [next] = await store.acceptInbound(mailFor(agent.id));
      expect(next?.message.seq).toBe(total + 1);
    }, 60_000);
  },
);
