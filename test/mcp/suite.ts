/** What every model sees and can do, as cases: over HTTP and over stdio, by both protocols, with the official client. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { Client, Tool } from "@modelcontextprotocol/client";
import { request } from "../support/app.ts";
import { heldCases } from "./held.ts";
import { readingCases } from "./reading.ts";
import { sendingCases } from "./sending.ts";
import { type Connect, callTool, connectHttp, type Era, type McpServer, type McpSuite, outside } from "./world.ts";

export function mcpSuite(name: string, open: () => Promise<McpServer>, connect: Connect, era: Era): void {
  describe(name, () => {
    const clients: Client[] = [];
    const called = new Set<string>();
    let made = 0;
    let server: McpServer;
    let owner: Client;

    async function connected(key: string): Promise<Client> {
      const client = await connect(server, key, era);
      clients.push(client);
      return client;
    }
    const suite: McpSuite = {
      get server() {
        return server;
      },
      get owner() {
        return owner;
      },
      leaves: connect === connectHttp && era === "legacy",
      api: (method, path, body) => request(server.url + path, server.key, method, body),
      async newAgent(settings = {}) {
        const slug = `bot-${made++}`;
        const { body } = await suite.api("POST", "/api/v1/agents", { slug, agent_mode: "local" });
        await suite.api("PATCH", `/api/v1/agents/${body.email}`, settings);
        return body.email;
      },
      async clientOf(agent) {
        const { body } = await suite.api("POST", "/api/v1/keys", { name: "one agent", scope: "agent", agent });
        return connected(body.key);
      },
      async call(client, tool, given = {}, signal) {
        const answer = await callTool(client, tool, given, signal);
        if (!answer.isError) called.add(tool);
        return answer;
      },
      async receive(to, subject, lines = ["", "Hello"]) {
        const head = [
          `From: Ann <${outside}>`,
          `To: ${to}`,
          `Subject: ${subject}`,
          "Date: Fri, 15 May 2026 12:00:00 +0000",
        ];
        await server.deliver(to, [...head, ...lines, ""].join("\r\n"));
        const { body } = await suite.api("GET", `/api/v1/agents/${to}/messages?status=all&sort=desc&page_size=1`);
        return body.messages[0].message_id;
      },
    };
    const { newAgent, clientOf, call, receive } = suite;

    beforeAll(async () => {
      server = await open();
      owner = await connected(server.key);
    });
    afterAll(async () => {
      for (const client of clients) await client.close();
      await server[Symbol.asyncDispose]();
    });

    test("lists its tools with all that a client wants to know; deciding is only for accounts", async () => {
      const { tools } = await owner.listTools();
      const bot = await clientOf(await newAgent());
      const bots = (await bot.listTools()).tools;
      expect(tools.map((tool) => tool.name)).toEqual([
        ...["whoami", "list_agents", "list_messages", "search_messages", "wait_for_message", "get_message"],
        ...["get_attachment", "list_conversations", "get_conversation", "send_email", "reply_to_message"],
        ...["forward_message", "check_send", "list_pending", "approve_message", "reject_message", "label_message"],
      ]);
      const deciding = ["approve_message", "reject_message"];
      expect(bots).toEqual(tools.filter(({ name }) => !deciding.includes(name)));
      for (const tool of tools) {
        const { description = "", inputSchema, outputSchema, annotations = {} } = tool;
        expect(description.length).toBeWithin(20, 400);
        expect(inputSchema).toMatchObject({ type: "object", additionalProperties: false });
        expect(outputSchema?.type).toBe("object");
        const { title, ...hints } = annotations;
        expect(title).toBeTruthy();
        expect(Object.values(hints).map((hint) => typeof hint)).toEqual(Array(4).fill("boolean"));
      }
      const withHint = (hint: keyof NonNullable<Tool["annotations"]>) =>
        tools.filter((tool) => tool.annotations?.[hint]).map((tool) => tool.name);
      expect(withHint("readOnlyHint")).not.toContain("get_message");
      expect(withHint("destructiveHint")).toEqual([
        ...["send_email", "reply_to_message", "forward_message", "approve_message", "reject_message"],
      ]);
      expect(owner.getInstructions()).toContain("untrusted");
      await expect(bot.callTool({ name: "approve_message", arguments: {} })).rejects.toThrow("no tool approve_message");
    });

    test("an agent's key works for its own agent, without naming it", async () => {
      const [agent, other] = [await newAgent(), await newAgent()];
      const bot = await clientOf(agent);
      const me = await call(bot, "whoami");
      expect(me.is).toMatchObject({ scope: "agent", default_agent: agent, agents: [agent], may_approve: false });
      expect(me.text).toContain(agent);
      expect((await call(bot, "list_agents")).is.agents).toMatchObject([{ email: agent, approval: "none" }]);

      const empty = await call(bot, "list_messages");
      expect([empty.is.agent, empty.is.messages, empty.is.next_cursor]).toEqual([agent, [], null]);
      await receive(other, "not for you");
      expect((await call(bot, "list_messages")).is.messages).toEqual([]);
      for (const tool of ["list_messages", "list_conversations", "wait_for_message"]) {
        const foreign = await call(bot, tool, { agent: other });
        expect([foreign.isError, foreign.text]).toEqual([true, expect.stringContaining("What to do:")]);
      }
    });

    test("what is wrong is said with the remedy, all of it at once", async () => {
      const agent = await newAgent();
      const others = await newAgent();
      const several = await call(owner, "list_messages");
      expect([several.isError, several.text]).toEqual([true, expect.stringContaining(`${others}, `)]);
      expect(several.text).toContain("set to one of");
      expect((await call(owner, "list_messages", { agent: others.split("@")[0] })).is.agent).toBe(others);
      const me = await call(owner, "whoami");
      expect(me.is).toMatchObject({ scope: "account", default_agent: null, may_approve: true });

      const wrong = await call(owner, "send_email", {
        agent,
        to: 5,
        subject: null,
        boddy: "x",
        html_body: "y".repeat(3),
        cc: [1, {}],
      });
      expect(wrong.isError).toBe(true);
      for (const said of ["- subject is required", "- body is required", "- boddy is unknown: did you mean body?"])
        expect(wrong.text).toContain(said);
      const limit = await call(owner, "list_messages", { agent, limit: 1_000, status: "new" });
      expect(limit.text).toContain("- limit must be a whole number from 1 to 50");
      expect(limit.text).toContain("- status must be one of all, unread, read");
      const lenient = await call(owner, "list_messages", { agent, limit: "5", from: null });
      expect(lenient.isError).toBe(false);

      const noId = await call(owner, "get_message", { agent, message_id: "42" });
      expect(noId.text).toContain("- message_id must be a message id such as msg_");
      const unknown = await call(owner, "get_message", { agent, message_id: `msg_${"0".repeat(32)}` });
      expect(unknown.text).toContain("list_messages shows the ids");
      const foreign = await receive(others, "theirs");
      expect((await call(owner, "get_message", { agent, message_id: foreign })).isError).toBe(true);
      for (const conversation_id of ["none", "..", "../messages"])
        expect((await call(owner, "get_conversation", { agent, conversation_id })).text).toContain("not_found");
      const notMail = await call(owner, "send_email", { agent, to: ["nobody"], subject: "x", body: "y" });
      expect(notMail.text).toMatch(/- to\.0 .*\nWhat to do: Correct/);
      const twice = await call(owner, "send_email", {
        agent,
        to: [outside],
        subject: "x",
        body: "y",
        attachments: [{ filename: "a" }],
      });
      expect(twice.text).toContain("attachments.0 needs its content");
      const files = [
        { filename: "a", text: "a" },
        { filename: "b", text: "b", data: "Yg==" },
      ];
      for (const tool of ["send_email", "check_send"]) {
        const both = await call(owner, tool, { agent, to: [outside], subject: "x", body: "y", attachments: files });
        expect([both.isError, both.text]).toEqual([true, expect.stringContaining("attachments.1 needs its content")]);
      }
      await expect(owner.callTool({ name: "delete_everything", arguments: {} })).rejects.toThrow("no tool");
    });

    readingCases(suite);
    sendingCases(suite);
    heldCases(suite);

    test("every tool was called", async () => {
      const { tools } = await owner.listTools();
      expect([...called].sort()).toEqual(tools.map((tool) => tool.name).sort());
    });
  });
}
