/** An agent's gate: which mail its settings hold, the dry run, and pauses. */
import { describe, expect, test } from "bun:test";
import { harmlessWord, leaks, plantedSecret } from "../attacks/leaks.ts";
import type { ApiClient } from "./client.ts";
import type { ApiWorld } from "./world.ts";

const POLL_MS = 20;
const PATIENCE_MS = 20_000;

const outside = "ann@outside.example";

/** Rules, a message that they hold and a message that they pass. `before` runs first. */
interface RuleCase {
  rule: string;
  rules: object;
  holds: object;
  passes?: object;
  before?(it: ApiWorld, agent: string): Promise<Record<string, unknown>>;
}

const ruleCases: RuleCase[] = [
  { rule: "outside", rules: { outside: true }, holds: { to: [outside] } },
  {
    rule: "first_time",
    rules: { first_time: true },
    holds: { to: ["forged@outside.example"] },
    // Its sender is not proven, so the address stays unknown.
    async before(it, agent) {
      await it.send(agent, "Who am I?", { from: "forged@outside.example" });
      return {};
    },
  },
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
    rule: "unsearched",
    rules: { unsearched: true },
    holds: { attachments: [{ filename: "a.zip", content_type: "application/zip", data: btoa("PK\x03\x04\x00\xff") }] },
    passes: { attachments: [{ filename: "a.txt", content_type: "text/plain", data: btoa("Good day.") }] },
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

const parted = "Content-Type: multipart/mixed; boundary=b\r\n\r\n";

function attached(filename: string, content_type: string, content: string | Buffer) {
  return { attachments: [{ filename, content_type, data: Buffer.from(content).toString("base64") }] };
}

/** The text in UTF-8, with a fold (RFC 5545 3.1) inside its first character that is not ASCII. */
function splitAtFold(text: string): Buffer {
  const bytes = Buffer.from(text);
  const at = bytes.findIndex((byte) => byte >= 0x80) + 1;
  return Buffer.concat([bytes.subarray(0, at), Buffer.from("\r\n "), bytes.subarray(at)]);
}

/** A word in full-width letters of GBK behind a text of ASCII. */
function gbk(before: string, word: string): Buffer {
  return Buffer.concat([
    Buffer.from(before),
    ...[...Buffer.from(word)].map((code) => Buffer.from([0xa3, code | 0x80])),
  ]);
}

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

    test("looks at the conversation that the agent names as well, whatever the message answers", async () => {
      const agent = await it.newAgent();
      await it.api.patch(path(agent), { hitl_rules: { unverified: true }, hitl_notify_email: false });
      const { body: proven } = await it.api.post(`${path(agent)}/test`);
      await it.send(agent, "Who am I?");
      const { messages } = (await it.inbox(agent)).body;
      const unproven = messages.find((one: { verified: boolean }) => !one.verified).conversation_id;
      const answer = { ...mail, from: agent, reply_to_message_id: proven.message_id };
      expect((await it.api.post("/api/v1/send", answer)).body.status).toBe("sent");
      expect(await it.api.post("/api/v1/send", { ...answer, conversation_id: unproven })).toMatchObject({
        body: { status: "pending_approval", hold: { rule: "unverified" } },
      });
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

        const known = await it.newAgent();
        const free = { ...mail, to: [known], ...passes };
        if (rule === "first_time") await it.api.post("/api/v1/send", { ...mail, from: known, to: [agent] });
        expect((await it.api.post(`${path(agent)}/check`, free)).body).toMatchObject({
          decision: "send",
          recipients: free.to.map((address) => ({ address, first_time: rule !== "first_time" })),
        });
        expect((await it.api.post("/api/v1/send", { ...free, from: agent })).status).toBe(200);
      });

    test.each(leaks.map(({ channel, ...leak }) => [channel, leak] as const))(
      "finds a secret in %s, says where, and lets the same mail go without it",
      async (_, { place, body }) => {
        const agent = await it.newAgent();
        const rules = { hitl_rules: { patterns: ["secrets"] }, hitl_notify_email: false };
        expect((await it.api.patch(path(agent), rules)).body.hitl_enabled).toBe(true);
        const secret = plantedSecret();
        const sent = await it.api.post("/api/v1/send", { ...body(secret), from: agent });
        expect(sent).toMatchObject({
          ...{ status: 202, body: { status: "pending_approval", hold: { rule: "pattern" } } },
        });
        expect(sent.body.hold.reason).toContain(place);
        expect(sent.body.hold.reason).not.toContain(secret);
        const free = await it.api.post("/api/v1/send", { ...body(harmlessWord), from: agent });
        expect({ status: free.status, is: free.body.status }).toEqual({ status: 200, is: "sent" });
      },
    );

    test.each<[string, (word: string) => object]>([
      [
        "a calendar folded inside a character",
        (word) => attached("a.ics", "text/calendar", splitAtFold(`NOTE:${word[0]}\u200b${word.slice(1)}`)),
      ],
      [
        "an address book in quoted-printable",
        (word) =>
          attached("a.vcf", "text/vcard", `NOTE;ENCODING=QUOTED-PRINTABLE:${word[0]}=C2=AD${word.slice(1)}\r\n`),
      ],
      [
        "an address in percent-encoding",
        (word) => ({ html_body: `<a href="https://a.example/?q=${word[0]}%C2%AD${word.slice(1)}">a</a>` }),
      ],
      ["a page of its own charset", (word) => attached("a.html", "text/html", gbk(`<meta charset=gbk><p>`, word))],
      [
        "a drawing of its own charset",
        (word) => attached("a.svg", "image/svg+xml", gbk(`<?xml version="1.0" encoding="GBK"?><svg>`, word)),
      ],
      [
        "a file of a charset behind blanks",
        (word) => attached("a.txt", "text/plain;         charset=gbk", gbk("", word)),
      ],
      ["a file of no charset", (word) => attached("a.txt", "text/plain", gbk("", word))],
    ])("finds a secret in %s, as programs show it", async (_, body) => {
      const agent = await it.newAgent();
      const rules = { hitl_rules: { patterns: ["secrets"], unsearched: true }, hitl_notify_email: false };
      await it.api.patch(path(agent), rules);
      const send = async (word: string) =>
        (await it.api.post("/api/v1/send", { ...mail, from: agent, ...body(word) })).body;
      expect(await send(plantedSecret())).toMatchObject({ status: "pending_approval", hold: { rule: "pattern" } });
      expect(await send(harmlessWord)).toMatchObject({ status: "sent" });
    });

    test("finds a secret in what is forwarded", async () => {
      const agent = await it.newAgent();
      await it.api.patch(path(agent), { hitl_rules: { patterns: ["secrets"] }, hitl_notify_email: false });
      await it.send(agent, "With it", { text: `It is ${plantedSecret()}.` });
      await it.send(agent, "Without it");
      const forward = async (subject: string) => {
        const { messages } = (await it.inbox(agent)).body;
        const { message_id: id } = messages.find((one: { subject: string }) => one.subject === subject);
        const body = { to: [outside], body: "See this.", include: "message" };
        return (await it.api.post(`${path(agent)}/messages/${id}/forward`, body)).body;
      };
      expect(await forward("With it")).toMatchObject({
        status: "pending_approval",
        hold: { reason: expect.stringContaining("in the attachment “With it.eml”") },
      });
      expect((await forward("Without it")).status).toBe("sent");
    });

    test.each<[string, (url: string) => object]>([
      ["the subject", (url) => ({ subject: `See ${url}` })],
      ["a header field", (url) => ({ headers: { "List-Help": `<${url}>` } })],
      ["a display name", (url) => ({ to: [`"${url}" <${outside}>`] })],
      ["attached text", (url) => attached("a.txt", "text/plain", `See ${url}`)],
      ["attached HTML", (url) => attached("a.html", "text/html", `<a href="${url}">See</a>`)],
      ["a calendar", (url) => attached("a.ics", "text/calendar", `URL:${url.slice(0, 14)}\r\n ${url.slice(14)}\r\n`)],
      ["a message", (url) => attached("a.eml", "message/rfc822", `Subject: Hi\r\n\r\nSee ${url}\r\n`)],
      [
        "what stands before the first part of a message",
        (url) => attached("a.eml", "message/rfc822", `${parted}See ${url}\r\n--b\r\n\r\nHi\r\n--b--\r\n`),
      ],
      [
        "what stands behind the last part of a message",
        (url) => attached("a.eml", "message/rfc822", `${parted}--b\r\n\r\nHi\r\n--b--\r\nSee ${url}\r\n`),
      ],
      [
        "a message that others decode otherwise",
        (url) =>
          attached(
            "a.eml",
            "message/rfc822",
            `Content-Transfer-Encoding: base64\r\nContent-Transfer-Encoding: 7bit\r\n\r\nSee ${url}\r\n`,
          ),
      ],
      [
        "a message whose lines end in CR alone",
        (url) =>
          attached(
            "a.eml",
            "message/rfc822",
            `Content-Transfer-Encoding: base64\r\r${Buffer.from(`See ${url}`).toString("base64")}\r`,
          ),
      ],
    ])("finds a link to a new host in %s, and lets a known host go", async (_, more) => {
      const agent = await it.newAgent();
      const known = { ...mail, from: agent, body: "As on https://known.example/ we say." };
      const { conversation_id } = (await it.api.post("/api/v1/send", known)).body;
      await it.api.patch(path(agent), { hitl_rules: { new_links: true }, hitl_notify_email: false });
      const send = (url: string) =>
        it.api.post("/api/v1/send", { ...mail, ...more(url), from: agent, conversation_id });
      expect((await send("https://evil.example/x")).body).toMatchObject({
        hold: { rule: "new_links", reason: expect.stringContaining("evil.example") },
      });
      expect((await send("https://known.example/x")).body.status).toBe("sent");
    });

    test("takes no link for seen that only another conversation's people have seen, or that nobody proven wrote", async () => {
      const agent = await it.newAgent();
      const send = async (more: object) => (await it.api.post("/api/v1/send", { ...mail, from: agent, ...more })).body;
      const link = { body: "See https://known.example/" };
      const ours = await send({ ...link, to: ["a@outside.example", "b@outside.example"] });
      const theirs = await send({ ...link, to: ["c@outside.example"] });
      await it.send(agent, "Hello", { text: "See https://known.example/" });
      const unproven = (await it.inbox(agent)).body.messages[0];
      await it.api.patch(path(agent), { hitl_rules: { new_links: true }, hitl_notify_email: false });
      const inOurs = { ...link, conversation_id: ours.conversation_id };
      expect((await send({ ...inOurs, to: ["a@outside.example"], cc: ["b@outside.example"] })).status).toBe("sent");
      const held = [
        { ...inOurs, to: ["c@outside.example"] },
        { ...inOurs, to: ["a@outside.example"], bcc: ["c@outside.example"] },
        { ...link, to: ["a@outside.example"], conversation_id: theirs.conversation_id },
        { ...link, to: [unproven.from], conversation_id: unproven.conversation_id },
      ];
      for (const message of held)
        expect(await send(message)).toMatchObject({
          status: "pending_approval",
          hold: { rule: "new_links", reason: expect.stringContaining("known.example") },
        });
    });

    test("names what it could not search when something else holds the mail", async () => {
      const agent = await it.newAgent();
      await it.api.patch(path(agent), { hitl_rules: { patterns: ["falcon"] }, hitl_notify_email: false });
      const picture = { filename: "a.png", content_type: "image/png", data: btoa("\x89PNG\r\n\x1a\n\x00\x00\x00") };
      const send = (body: string) =>
        it.api.post("/api/v1/send", { ...mail, from: agent, body, attachments: [picture] });
      expect((await send("Of eagles.")).body.status).toBe("sent");
      expect((await send("Of falcons.")).body.hold.reason).toBe(
        'It matches the pattern "falcon" in the text. Not searched: the attachment “a.png” (binary).',
      );
    });

    test("remembers who is unproven in another conversation, and when the agent has deleted the mail", async () => {
      const agent = await it.newAgent();
      await it.api.patch(path(agent), { hitl_rules: { unverified: true }, hitl_notify_email: false });
      const headers = ["Reply-To: <drop@evil.example>"];
      await it.send(agent, "It is me", { from: "mallory@evil.example", headers });
      const own = it.api.as(await it.agentKey(agent));
      const [{ message_id: id, conversation_id }] = (await own.get(`${path(agent)}/messages`)).body.messages;
      expect((await own.delete(`${path(agent)}/messages/${id}`)).status).toBeLessThan(300);
      const held = { body: { status: "pending_approval", hold: { rule: "unverified" } } };
      for (const to of ["mallory@evil.example", "Mallory+x@Evil.example", "drop@evil.example"])
        expect(await own.post("/api/v1/send", { ...mail, from: agent, to: [to] })).toMatchObject(held);
      expect(await own.post("/api/v1/send", { ...mail, from: agent, conversation_id })).toMatchObject(held);
      expect((await own.post("/api/v1/send", { ...mail, from: agent })).body.status).toBe("sent");
    });

    test("asks about every conversation that a message refers to", async () => {
      const agent = await it.newAgent();
      await it.api.patch(path(agent), { hitl_rules: { unverified: true }, hitl_notify_email: false });
      await it.send(agent, "It is me", { from: "mallory@evil.example" });
      const [{ message_id: doubtful }] = (await it.inbox(agent)).body.messages;
      const clean = (await it.api.post("/api/v1/send", { ...mail, from: agent })).body;
      const { body: doubted } = await it.api.get(`${path(agent)}/messages/${doubtful}?peek=true`);
      const ids = [doubted.email_message_id, clean.email_message_id];
      const held = { body: { status: "pending_approval", hold: { rule: "unverified" } } };
      const more = { from: agent, conversation_id: clean.conversation_id };
      for (const refers of [
        { reply_to_message_id: doubtful, references: ids.slice(1) },
        { references: ids },
        { references: ids.toReversed() },
        { references: [...ids, ...Array.from({ length: 98 }, (_, n) => `<${n}@unknown.example>`)] },
      ])
        expect(await it.api.post("/api/v1/send", { ...mail, ...more, ...refers })).toMatchObject(held);
      const { body } = await it.api.post("/api/v1/send", { ...mail, ...more, references: ids.slice(1) });
      expect(body.status).toBe("sent");
    });

    test("asks about the conversation of what is passed on or answered, whichever one the agent names", async () => {
      const agent = await it.newAgent();
      await it.api.patch(path(agent), { hitl_rules: { unverified: true }, hitl_notify_email: false });
      await it.send(agent, "With an id", { from: "mallory@evil.example" });
      await it.server.deliver({
        ...{ to: agent, from: "mallory@evil.example" },
        message: "From: mallory@evil.example\r\nSubject: Without\r\n\r\nHello\r\n",
      });
      const { messages } = (await it.inbox(agent)).body;
      const held = { body: { status: "pending_approval", hold: { rule: "unverified" } } };
      for (const { message_id: id } of messages) {
        const named = { ...mail, conversation_id: `clean ${id}` };
        const { subject: _, ...forward } = named;
        expect(await it.api.post(`${path(agent)}/messages/${id}/forward`, forward)).toMatchObject(held);
        expect(await it.api.post("/api/v1/send", { ...named, from: agent, reply_to_message_id: id })).toMatchObject(
          held,
        );
      }
    });

    test("still knows when its turn comes that a message passes on unproven mail", async () => {
      const agent = await it.newAgent();
      await it.send(agent, "It is me", { from: "mallory@evil.example" });
      const [{ message_id: id }] = (await it.inbox(agent)).body.messages;
      await it.api.patch(path(agent), { paused: true });
      const { subject: _, ...forward } = { ...mail, conversation_id: "clean" };
      const { body: queued } = await it.api.post(`${path(agent)}/messages/${id}/forward`, forward, {
        headers: { prefer: "respond-async" },
      });
      await it.api.patch(path(agent), { hitl_rules: { unverified: true }, hitl_notify_email: false });
      await it.api.patch(path(agent), { paused: false });
      expect(await settled(it.api, agent)).toEqual({ pending_approval: 1 });
      expect((await it.api.get(`/api/v1/messages/${queued.message_id}`)).body.hold.rule).toBe("unverified");
    });

    test("remembers an unproven address in whatever form of Unicode it is written", async () => {
      const agent = await it.newAgent();
      await it.api.patch(path(agent), { hitl_rules: { unverified: true }, hitl_notify_email: false });
      const [composed, decomposed] = ["ren\u00e9@evil.example", "rene\u0301@evil.example"];
      await it.send(agent, "It is me", { from: "x@evil.example", headers: [`Reply-To: <${decomposed}>`] });
      for (const to of [decomposed, composed])
        expect(await it.api.post("/api/v1/send", { ...mail, from: agent, to: [to] })).toMatchObject({
          body: { status: "pending_approval", hold: { rule: "unverified" } },
        });
    });

    test("takes an agent of another account for somebody outside", async () => {
      const agent = await it.newAgent();
      const [sibling, stranger] = [await it.newAgent(), await it.newAgent(it.api.as(await it.server.newAccount()))];
      await it.api.patch(path(agent), { hitl_rules: { outside: true }, hitl_notify_email: false });
      const send = async (to: string) => (await it.api.post("/api/v1/send", { ...mail, from: agent, to: [to] })).body;
      expect((await send(sibling)).status).toBe("sent");
      expect(await send(stranger)).toMatchObject({
        hold: { rule: "outside", reason: `It goes to ${stranger}, outside this account.` },
      });
    });

    test("is switched on by rules, but not by empty ones or against the word given", async () => {
      const agent = await it.newAgent();
      const after = async (change: object) => (await it.api.patch(path(agent), change)).body.hitl_enabled;
      expect(await after({ hitl_rules: {} })).toBe(false);
      expect(await after({ hitl_rules: { outside: true }, hitl_enabled: false })).toBe(false);
      expect(await after({ hitl_rules: { outside: true } })).toBe(true);
      expect(await after({ hitl_rules: null })).toBe(true);
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

  /** How many of an agent's messages have each status, once none is queued or being sent. */
  async function settled(api: ApiClient, agent: string): Promise<Record<string, number>> {
    for (const end = Date.now() + PATIENCE_MS; Date.now() < end; await Bun.sleep(POLL_MS)) {
      const { messages } = (await api.get(`/api/v1/messages?agent=${agent}&page_size=100`)).body;
      const statuses: string[] = messages.map((one: { status: string }) => one.status);
      const ways = messages.flatMap(({ recipients }: { recipients: { status: string }[] }) => recipients);
      const isUnderWay = (status: string) => status === "queued" || status === "sending";
      if (!statuses.some(isUnderWay) && !ways.some(({ status }: { status: string }) => isUnderWay(status)))
        return Object.fromEntries(
          Map.groupBy(statuses, (one) => one)
            .entries()
            .map(([one, all]) => [one, all.length]),
        );
    }
    throw new Error("messages are still queued");
  }

  describe("mail that waited while paused", () => {
    test.each(["agent", "domain", "account"] as const)(
      "is held when the pause of its %s ends and the gate was switched on",
      async (level) => {
        const mine = it.api.as(await it.server.newAccount());
        const domain = `d${process.pid}-${it.made++}.example`;
        await mine.post("/api/v1/domains", { domain });
        await mine.post(`/api/v1/domains/${domain}/verify`);
        const { email: agent } = (await mine.post("/api/v1/agents", { email: `bot@${domain}`, agent_mode: "local" }))
          .body;
        const paths = { agent: path(agent), domain: `/api/v1/domains/${domain}`, account: "/api/v1/users/me" };
        await mine.patch(paths[level], { paused: true });
        const count = 12;
        for (let n = 0; n < count; n++) {
          const to = [`ann${n}@outside.example`, `bob${n}@outside.example`];
          const sent = await mine.post(
            "/api/v1/send",
            { ...mail, from: agent, to },
            { headers: { prefer: "respond-async" } },
          );
          expect(sent.body.status).toBe("queued");
        }
        await mine.patch(path(agent), { hitl_enabled: true });
        await mine.patch(paths[level], { paused: false });
        expect(await settled(mine, agent)).toEqual({ pending_approval: count });
        // Another pause and resume releases nothing.
        await mine.patch(paths[level], { paused: true });
        await mine.patch(paths[level], { paused: false });
        expect(await settled(mine, agent)).toEqual({ pending_approval: count });
        const { messages } = (await mine.get("/api/v1/messages?status=pending_approval")).body;
        const [first] = messages;
        expect(first).toMatchObject({
          ...{ hold: { rule: "approval" }, approval_expires_at: expect.any(String) },
          recipients: [{ status: "held" }, { status: "held" }],
        });
        const { events } = (await mine.get("/api/v1/events?types=message.held")).body;
        expect(new Set(events.map(({ data }: { data: { message_id: string } }) => data.message_id)).size).toBe(count);
        // A message that a person has approved is not held again.
        expect((await mine.post(`/api/v1/messages/${first.id}/approve`)).body.status).toBe("sent");
        expect((await mine.post(`/api/v1/messages/${messages[1].id}/reject`)).body.status).toBe("rejected");
      },
    );

    test("is held by its facts of now, not by those of when it was handed in", async () => {
      const mine = it.api.as(await it.server.newAccount());
      const agent = await it.newAgent(mine);
      const rules = { unverified: true, new_links: true, first_time: true, patterns: ["secrets"] };
      const send = async (more: object) => (await mine.post("/api/v1/send", { ...mail, from: agent, ...more })).body;
      await send({ to: ["old@outside.example"] });
      expect(await settled(mine, agent)).toEqual({ sent: 1 });
      await mine.patch(path(agent), { paused: true });
      const file = { filename: "a.txt", content_type: "text/plain", data: btoa(`It is ${plantedSecret()}.`) };
      const waiting = {
        plain: await send({ to: ["old@outside.example"] }),
        pattern: await send({ to: ["old@outside.example"], attachments: [file] }),
        new_links: await send({ to: ["old@outside.example"], body: "See https://evil.example/" }),
        first_time: await send({ to: ["new@outside.example"] }),
        unverified: await send({ to: ["old@outside.example"], conversation_id: "one" }),
      };
      await mine.patch(path(agent), { hitl_rules: rules, hitl_notify_email: false });
      const answers = [`In-Reply-To: ${waiting.unverified.email_message_id}`];
      await it.send(agent, "Re: Hello", { from: "mallory@evil.example", headers: answers });
      await mine.patch(path(agent), { paused: false });
      await settled(mine, agent);
      for (const [rule, { message_id: id }] of Object.entries(waiting))
        expect((await mine.get(`/api/v1/messages/${id}`)).body).toMatchObject(
          rule === "plain" ? { status: "sent" } : { status: "pending_approval", hold: { rule } },
        );
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
      expect((await mine.patch("/api/v1/users/me", { paused: false })).body.paused).toBe(false);
      expect(await send(agent)).toBe("sent");
      const { body } = await mine.post("/api/v1/keys", { name: "a", scope: "agent", agent });
      expect((await mine.as(body.key).patch("/api/v1/users/me", { paused: true })).status).toBe(403);
    });
  });
}
