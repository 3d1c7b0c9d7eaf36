/** What is held and what is not: the settings of an agent's gate, asking beforehand, and pauses. */
import { describe, expect, test } from "bun:test";
import type { ApiWorld } from "./api-world.ts";

const outside = "ann@outside.example";

/** Rules, a message that they hold and one that they let go; `before` comes first. */
interface RuleCase {
  rule: string;
  rules: object;
  holds: object;
  passes?: object;
  before?(it: ApiWorld, agent: string): Promise<Record<string, unknown>>;
}

const ruleCases: RuleCase[] = [
  { rule: "outside", rules: { outside: true }, holds: { to: [outside] } },
  { rule: "first_time", rules: { first_time: true }, holds: { to: ["new@outside.example"] } },
  {
    rule: "max_recipients",
    rules: { max_recipients: 2 },
    holds: { to: [outside, "b@outside.example"], bcc: ["c@outside.example"] },
    passes: { to: [outside, "b@outside.example"] },
  },
  {
    rule: "attachments",
    rules: { attachments: true },
    holds: { attachments: [{ filename: "a.txt", data: "YQ==" }] },
    passes: { body: "See the attached file." },
  },
  {
    rule: "new_links",
    rules: { new_links: true },
    holds: { body: "Look: https://evil.example/x" },
    passes: { body: "Look there." },
  },
  {
    rule: "pattern",
    rules: { patterns: ["secrets", "project falcon*"] },
    holds: { body: "Of Project  Falcon we know all." },
    passes: { body: "Of falcons we know all." },
  },
  {
    rule: "unverified",
    rules: { unverified: true },
    holds: {},
    passes: { conversation_id: "another" },
    async before(it, agent) {
      await it.send(agent, "Who am I?");
      return { conversation_id: (await it.inbox(agent)).body.messages[0].conversation_id };
    },
  },
];

export function gateCases(it: ApiWorld): void {
  const path = (agent: string) => `/api/v1/agents/${agent}`;
  const mail = { to: [outside], subject: "Hello", body: "Good day." };

  describe("the gate", () => {
    test("looks at what a message answers, whatever conversation the agent names", async () => {
      const agent = await it.newAgent();
      await it.api.patch(path(agent), { hitl_enabled: true, hitl_rules: { unverified: true, new_links: true } });
      await it.send(agent, "Who am I?");
      const { message_id: id } = (await it.inbox(agent)).body.messages[0];
      const reply = await it.api.post(`${path(agent)}/messages/${id}/reply`, {
        body: "Yes.",
        conversation_id: "another",
      });
      expect(reply).toMatchObject({ status: 202, body: { status: "pending_approval", hold: { rule: "unverified" } } });
      const threaded = { ...mail, from: agent, reply_to_message_id: id, conversation_id: "a third" };
      expect(await it.api.post("/api/v1/send", threaded)).toMatchObject({ body: { hold: { rule: "unverified" } } });
    });

    for (const { rule, rules, holds, passes, before } of ruleCases)
      test(`holds by its rule ${rule}, and says so when asked`, async () => {
        const agent = await it.newAgent();
        const more = before ? await before(it, agent) : {};
        const settings = { hitl_enabled: true, hitl_notify_email: false, hitl_rules: rules };
        expect((await it.api.patch(path(agent), settings)).body).toMatchObject(settings);
        const held = { ...mail, ...more, ...holds };
        const asked = await it.api.post(`${path(agent)}/check`, held);
        expect(asked).toMatchObject({
          status: 200,
          body: { decision: "hold", hold: { rule, reason: expect.stringMatching(/\.$/) } },
        });
        expect((await it.api.get(`/api/v1/messages?agent=${agent}`)).body.messages).toEqual([]);
        const sent = await it.api.post("/api/v1/send", { ...held, from: agent });
        expect({ status: sent.status, hold: sent.body.hold }).toEqual({ status: 202, hold: asked.body.hold });

        const known = rule === "first_time" ? "known@outside.example" : await it.newAgent();
        const free = { ...mail, to: [known], ...passes };
        if (rule === "first_time") await it.send(agent, "Hello", { from: known });
        expect((await it.api.post(`${path(agent)}/check`, free)).body).toMatchObject({
          decision: "send",
          recipients: free.to.map((address) => ({ address, first_time: rule !== "first_time" })),
        });
        expect((await it.api.post("/api/v1/send", { ...free, from: agent })).status).toBe(200);
      });

    test("lets mail pass that goes to allowed addresses and domains only", async () => {
      const agent = await it.newAgent();
      const allow = {
        hitl_enabled: true,
        hitl_notify_email: false,
        hitl_allow: ["Ann@Outside.example", "friend.example"],
      };
      expect((await it.api.patch(path(agent), allow)).body.hitl_allow).toEqual([outside, "friend.example"]);
      const decisions = [];
      for (const to of [
        [outside],
        [outside, "x@friend.example"],
        ["x@sub.friend.example"],
        [outside, "eve@outside.example"],
      ])
        decisions.push((await it.api.post(`${path(agent)}/check`, { ...mail, to })).body.decision);
      expect(decisions).toEqual(["send", "send", "hold", "hold"]);
    });

    test("says which way each recipient would be reached, and refuses what a send refuses", async () => {
      const [agent, other] = [await it.newAgent(), await it.newAgent()];
      const check = (body: object, by = it.api) => by.post(`${path(agent)}/check`, body);
      expect((await check({ ...mail, from: agent, to: [outside, other] })).body).toEqual({
        decision: "send",
        recipients: [
          { address: outside, method: "capture", first_time: true },
          { address: other, method: "relay", first_time: true },
        ],
      });
      const wrong = await check({ to: ["x"], body: "x" });
      expect({ status: wrong.status, fields: wrong.body.errors.map((one: { field: string }) => one.field) }).toEqual({
        ...{ status: 400, fields: ["subject", "to.0"] },
      });
      expect((await check({ ...mail, from: other })).body.errors).toEqual([
        { field: "from", message: expect.stringContaining(agent) },
      ]);
      await it.api.post("/api/v1/suppressions", { address: "gone@outside.example" });
      const suppressed = await check({ ...mail, to: ["gone@outside.example"] });
      expect({ status: suppressed.status, code: suppressed.body.code }).toEqual({
        ...{ status: 422, code: "recipient_suppressed" },
      });
      expect((await check(mail, it.api.as(await it.agentKey(agent)))).status).toBe(200);
      expect((await check(mail, it.api.as(await it.agentKey(other)))).status).toBe(404);
    });

    test("has settings that only a person changes, all of them or none", async () => {
      const agent = await it.newAgent();
      const { body: fresh } = await it.api.get(path(agent));
      expect(fresh).toMatchObject({ hitl_rules: null, hitl_allow: [], hitl_reviewers: [], undo_seconds: 0 });
      const { status, body } = await it.api.patch(path(agent), {
        ...{ name: "New", undo_seconds: 121, hitl_allow: ["*@x.example"], hitl_reviewers: ["x"] },
        hitl_rules: { outsider: true, max_recipients: 0, patterns: ["x".repeat(201)] },
      });
      expect({ status, fields: body.errors.map((one: { field: string }) => one.field).sort() }).toEqual({
        status: 400,
        fields: [
          "hitl_allow.0",
          "hitl_reviewers.0",
          "hitl_rules.max_recipients",
          "hitl_rules.outsider",
          "undo_seconds",
        ],
      });
      expect(body.detail).toContain("hitl_rules.outsider is unknown: did you mean outside?");
      const patterns = await it.api.patch(path(agent), { hitl_rules: { patterns: ["fine", ""] } });
      expect(patterns.body.errors).toEqual([{ field: "hitl_rules.patterns.1", message: expect.any(String) }]);
      const six = Array.from({ length: 6 }, (_, n) => `r${n}@review.example`);
      expect((await it.api.patch(path(agent), { hitl_reviewers: six })).status).toBe(400);
      const own = await it.api.patch(path(agent), { hitl_reviewers: ["Bob <bob@review.example>", agent] });
      expect(own.body.errors).toEqual([
        { field: "hitl_reviewers.1", message: expect.stringContaining("on this server") },
      ]);
      expect((await it.api.get(path(agent))).body).toEqual(fresh);

      const set = { hitl_rules: { outside: true }, hitl_reviewers: ["Bob <BOB@review.example>"], undo_seconds: 5 };
      expect((await it.api.put(path(agent), set)).body).toMatchObject({
        hitl_rules: { outside: true },
        hitl_reviewers: ["bob@review.example"],
        undo_seconds: 5,
      });
      expect((await it.api.put(path(agent), { name: "New" })).body.hitl_rules).toEqual({ outside: true });
      expect((await it.api.put(path(agent), { hitl_rules: null })).body.hitl_rules).toBeNull();
      const key = it.api.as(await it.agentKey(agent));
      expect((await key.patch(path(agent), { hitl_enabled: false })).status).toBe(403);
    });

    test("keeps a message back for its undo time, in which it can be cancelled", async () => {
      const agent = await it.newAgent();
      await it.api.patch(path(agent), { undo_seconds: 120 });
      const { status, body } = await it.api.post("/api/v1/send", { ...mail, from: agent });
      expect({ status, is: body.status }).toEqual({ status: 202, is: "queued" });
      const cancelled = await it.api.post(`/api/v1/messages/${body.message_id}/cancel`);
      expect({ status: cancelled.status, is: cancelled.body.status }).toEqual({ status: 200, is: "cancelled" });
    });
  });

  describe("pauses", () => {
    test("of a domain freeze what its agents send until they end", async () => {
      const domain = `d${process.pid}-${it.made++}.example`;
      await it.api.post("/api/v1/domains", { domain });
      expect((await it.api.post(`/api/v1/domains/${domain}/verify`)).status).toBe(200);
      const { body: agent } = await it.api.post("/api/v1/agents", { email: `bot@${domain}`, agent_mode: "local" });
      const paused = await it.api.patch(`/api/v1/domains/${domain.toUpperCase()}`, { paused: true });
      expect(paused).toMatchObject({ status: 200, body: { domain, paused: true, verified: true } });
      expect((await it.api.get("/api/v1/domains")).body.domains).toContainEqual(
        expect.objectContaining({ domain, paused: true }),
      );
      expect((await it.api.post("/api/v1/send", { ...mail, from: agent.email })).body.status).toBe("queued");
      expect((await it.api.patch(`/api/v1/domains/${domain}`, { paused: "no" })).status).toBe(400);
      expect((await it.api.patch(`/api/v1/domains/${domain}`, { paused: false })).body.paused).toBe(false);
      expect((await it.api.post("/api/v1/send", { ...mail, from: agent.email })).body.status).toBe("sent");

      const key = it.api.as(await it.agentKey(agent.email));
      expect((await key.patch(`/api/v1/domains/${domain}`, { paused: true })).status).toBe(403);
      const stranger = it.api.as(await it.server.newAccount());
      expect((await stranger.patch(`/api/v1/domains/${domain}`, { paused: true })).status).toBe(404);
    });

    test("of everything freeze the account's mail, and no other account's", async () => {
      const mine = it.api.as(await it.server.newAccount());
      const agent = await it.newAgent(mine);
      const send = async (from: string, by = mine) =>
        (await by.post("/api/v1/send", { ...mail, from })).body.status as string;
      expect((await mine.patch("/api/v1/users/me", { paused: true })).body).toMatchObject({
        paused: true,
        scope: "account",
      });
      expect((await mine.get("/api/v1/users/me")).body.paused).toBe(true);
      expect(await send(agent)).toBe("queued");
      expect(await send(await it.newAgent(), it.api)).toBe("sent");
      expect((await mine.patch("/api/v1/users/me", {})).body.paused).toBe(true);
      expect((await mine.patch("/api/v1/users/me", { paused: false })).body.paused).toBe(false);
      expect(await send(agent)).toBe("sent");
      const { body } = await mine.post("/api/v1/keys", { name: "a", scope: "agent", agent });
      expect((await mine.as(body.key).patch("/api/v1/users/me", { paused: true })).status).toBe(403);
    });
  });
}
