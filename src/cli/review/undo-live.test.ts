/** An approval at a terminal, against the real server, says how to take it back while that is possible. */
import { expect, test } from "bun:test";
import { startTestApp } from "../../../test/support/app.ts";
import { Shell } from "../testing/shell.ts";

const agent = "bot@e2a.localhost";

test("an approval that waits for its undo time names the way back, and one that left does not", async () => {
  await using it = await startTestApp();
  const shell = await Shell.open();
  try {
    await it.api("POST", "/api/v1/agents", { slug: "bot", agent_mode: "local" });
    const held = async (undo_seconds: number) => {
      await it.api("PATCH", `/api/v1/agents/${agent}`, { hitl_enabled: true, undo_seconds });
      const mail = { to: ["ann@example.com"], subject: "Hello", body: `Wait ${undo_seconds}` };
      return (await it.api("POST", "/api/v1/send", mail)).body.message_id as string;
    };
    const run = (line: string[]) =>
      shell.run(line, { env: { E2A_URL: it.app.httpUrl, E2A_API_KEY: it.key }, terminal: true, columns: 200 });

    const slow = await held(120);
    const { out } = await run(["pending", "approve", slow, "--body", "Other words"]);
    expect(out).toStartWith("… Approved, with another text. Queued for ann@example.com");
    expect(out).toEndWith(`; until it leaves, take it back: e2a pending undo ${slow}\n`);
    expect((await run(["pending", "undo", slow])).code).toBe(0);

    const fast = await held(0);
    expect((await run(["pending", "approve", fast])).out).not.toContain("undo");
  } finally {
    await shell.close();
  }
});
