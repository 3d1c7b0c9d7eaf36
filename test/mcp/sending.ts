/** Sending: each mail once. */
import { expect, test } from "bun:test";
import { type McpSuite, outside } from "./world.ts";

export function sendingCases(suite: McpSuite): void {
  const { api, newAgent, clientOf, call, receive } = suite;

  test("mail is sent once, however often a model says it", async () => {
    const agent = await newAgent();
    const bot = await clientOf(agent);
    const mail = { to: [outside], subject: "Hello", body: "Good day." };
    const check = await call(bot, "check_send", mail);
    expect(check.is).toMatchObject({
      decision: "send",
      hold: null,
      recipients: [{ address: outside, first_time: true }],
    });
    const first = await call(bot, "send_email", { ...mail, attachments: [{ filename: "a.txt", text: "Grüße" }] });
    expect(first.is).toMatchObject({
      agent,
      repeated: false,
      fate: { status: "sent", recipients: [{ address: outside }] },
    });
    const again = await call(bot, "send_email", { ...mail, attachments: [{ filename: "a.txt", text: "Grüße" }] });
    expect(again.is).toMatchObject({ message_id: first.is.message_id, repeated: true, fate: { status: "sent" } });
    expect(again.text).toContain("nothing was sent again");
    const named = await call(bot, "send_email", { ...mail, idempotency_key: "second" });
    expect(named.is.repeated).toBe(false);
    const reused = await call(bot, "send_email", { ...mail, body: "Other words.", idempotency_key: "second" });
    expect(reused.text).toContain("idempotency_key_reused");
    expect(reused.text).toContain("Use a new idempotency_key");
    const { is } = await call(bot, "list_messages", { direction: "outbound" });
    expect(is.messages).toHaveLength(2);

    const other = await newAgent();
    const sent = { message_id: first.is.message_id };
    expect((await call(suite.owner, "get_message", { ...sent, agent: other })).text).toContain(
      `${other} has no message`,
    );
    expect((await call(suite.owner, "get_message", { ...sent, agent })).is.agent).toBe(agent);

    const id = await receive(agent, "Question");
    const passed = await call(bot, "forward_message", { message_id: id, to: "bob@client.example", body: "For you." });
    expect(passed.is.fate).toMatchObject({ status: "sent", recipients: [{ address: "bob@client.example" }] });
  });

  test("a mail that was refused may be right later", async () => {
    const agent = await newAgent();
    const bot = await clientOf(agent);
    const mail = { to: [`later-${agent}`], subject: "Hello", body: "Are you there?" };
    for (let i = 0; i < 3; i++) {
      const refused = await call(bot, "send_email", mail);
      expect(refused.text).toContain("which does not exist on this server");
      expect(refused.text).toContain("What to do: Correct");
    }
    await api("POST", "/api/v1/agents", { slug: `later-${agent.split("@")[0]}`, agent_mode: "local" });
    expect((await call(bot, "send_email", mail)).is).toMatchObject({ repeated: false, fate: { status: "sent" } });
    expect((await call(bot, "send_email", mail)).is).toMatchObject({ repeated: true });
  });
}
