import { expect, test } from "bun:test";
import { startTestApp } from "../../test/support/app.ts";
import { TestClock } from "../util/clock.ts";

const MINUTE_MS = 60_000;

test("a burst comes as one digest without the mails' texts; a reviewer of one mail of it is shown that mail", async () => {
  const clock = new TestClock();
  await using it = await startTestApp({ seams: { clock } });
  const watched = async (slug: string, hitl_reviewers: string[]) => {
    const { body } = await it.api("POST", "/api/v1/agents", { slug, agent_mode: "local" });
    await it.api("PATCH", `/api/v1/agents/${body.email}`, { hitl_enabled: true, hitl_reviewers });
    return body.email as string;
  };
  const [chatty, quiet] = [await watched("chatty", []), await watched("quiet", ["eve@review.example"])];
  const hold = async (from: string, subject: string) => {
    const mail = { from, to: ["ann@people.example"], subject, body: `The text of ${subject}.` };
    expect((await it.api("POST", "/api/v1/send", mail)).body.status).toBe("pending_approval");
    await it.app.drain();
  };
  for (const subject of ["one", "two", "three", "four", "five", "six", "seven"]) await hold(chatty, subject);
  await hold(quiet, "eight");
  clock.advance(MINUTE_MS);
  await it.app.drain();

  const { body: listed } = await it.api("GET", "/api/v1/messages?type=notice");
  const mails: { to: string; subject: string; shown: string[] }[] = [];
  for (const { id, to, subject } of listed.messages.toReversed()) {
    const { body } = await it.api("GET", `/api/v1/messages/${id}`);
    mails.push({ to: to[0], subject, shown: body.body_text.match(/The text of \w+/g) ?? [] });
  }
  const byTo = (address: string) => mails.filter(({ to }) => to === address).map(({ to: _, ...mail }) => mail);
  const single = (name: string) => ({
    subject: `Approve? "${name}" to ann@people.example`,
    shown: [`The text of ${name}`],
  });
  expect(byTo("owner@example.net")).toEqual([
    ...["one", "two", "three", "four", "five"].map(single),
    { subject: "3 emails from 2 agents are waiting for you", shown: [] },
  ]);
  expect(byTo("eve@review.example")).toEqual([single("eight")]);
});

test("a reviewer whose address has come to this server gets no mail: its agent could approve what it reads", async () => {
  await using it = await startTestApp();
  const { body: bot } = await it.api("POST", "/api/v1/agents", { slug: "bot", agent_mode: "local" });
  const reviewers = { hitl_reviewers: ["boss@own.example", "eve@review.example"] };
  await it.api("PATCH", `/api/v1/agents/${bot.email}`, { hitl_enabled: true, ...reviewers });
  await it.api("POST", "/api/v1/domains", { domain: "own.example" });
  await it.api("POST", "/api/v1/domains/own.example/verify");
  await it.api("POST", "/api/v1/agents", { email: "boss@own.example", agent_mode: "local" });
  const mail = { from: bot.email, to: ["ann@people.example"], subject: "Hello", body: "Good day." };
  expect((await it.api("POST", "/api/v1/send", mail)).body.status).toBe("pending_approval");
  await it.app.drain();
  const { body } = await it.api("GET", "/api/v1/messages?type=notice");
  const told = body.messages.flatMap(({ to }: { to: string[] }) => to).sort();
  expect(told).toEqual(["eve@review.example", "owner@example.net"]);
  expect((await it.api("GET", "/api/v1/agents/boss@own.example/messages?status=all")).body.messages).toEqual([]);
});
