import { expect, test } from "bun:test";
import { sql } from "drizzle-orm";
import { addAgent, addMessage, addOutbound, mailFor } from "../../../test/store/rows.ts";
import { onDatabases } from "../../../test/store/stores.ts";
import { migrations } from "../../assets.ts";
import { askRaw, type Verb } from "../engine/engine.ts";

const unproven = { ...mailFor("x").verdict, verified: false, verifiedDomain: null };
const box = (address: string) => [{ address, name: "" }];

onDatabases(
  (database) => database.shared,
  (it) => {
    test("mail from before the gate had a memory is remembered when the database is migrated", async () => {
      await using place = await it.database.create();
      const { store, engine } = await place.open();
      const agent = await addAgent(store);
      await addOutbound(store, agent.id, { recipients: ["wrote@people.example"] });
      await addMessage(store, agent.id, { from: box("heard@people.example") });
      const forged = await addMessage(store, agent.id, {
        ...{ from: box("forged@people.example"), replyTo: box("drop@evil.example"), verdict: unproven },
      });
      // The database as it was before the migration.
      const migration = migrations(place.dialect).find(({ name }) => name.includes("gate_memory"));
      const before = [
        ...["DROP TABLE unproven", "DELETE FROM correspondents WHERE address <> 'wrote@people.example'"],
        ...["left_at", "heard_at"].map((column) => `ALTER TABLE correspondents DROP COLUMN ${column}`),
        "ALTER TABLE outbound_messages DROP COLUMN review",
      ];
      const after = (migration?.sql ?? "")
        .replace(/^--.*$/gm, "")
        .split(";")
        .filter((one) => one.trim() !== "");
      await engine.write(function* (): Verb<void> {
        for (const statement of [...before, ...after]) yield* askRaw(sql.raw(statement));
      });

      const again = (await place.open()).store;
      const facts = (address: string, ...conversations: string[]) =>
        again.gateFacts({ agentId: agent.id, conversations, addresses: [address] });
      const known = [];
      const doubtful = [];
      for (const address of ["wrote", "heard", "forged"].map((name) => `${name}@people.example`)) {
        if ((await facts(address)).firstTime.length === 0) known.push(address);
        if ((await facts(address)).unverified) doubtful.push(address);
      }
      expect(known).toEqual(["wrote@people.example", "heard@people.example"]);
      expect(doubtful).toEqual(["forged@people.example"]);
      expect((await facts("drop@evil.example")).unverified).toBe(true);
      expect((await facts("ann@people.example", forged.conversationId)).unverified).toBe(true);
    });
  },
);
