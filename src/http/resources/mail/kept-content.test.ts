import { expect, test } from "bun:test";
import { withUpstream } from "../../../../test/support/upstream-app.ts";

test("what is taken from stored messages counts like a body while the request lasts", async () => {
  const reached = Promise.withResolvers<void>();
  const release = Promise.withResolvers<string>();
  const on = (stage: string) => {
    if (stage !== "message") return undefined;
    reached.resolve();
    return release.promise;
  };
  // Room for 2.4 MB, of which one key may have half; a larger message is taken if it is the only one.
  const set = { "http.max_bytes_in_hand": "16MiB", "outbound_smtp.timeout": "60s" };
  await using w = await withUpstream({ on }, { set });
  const { it } = w;
  const bot = `bot@${it.app.config.sharedDomain}`;
  const attachments = [{ filename: "a.bin", data: Buffer.alloc(1_500_000, "e2a file ").toString("base64") }];
  const held = { to: ["ann@outside.example"], subject: "s", body: "b", attachments };
  await it.api("POST", "/api/v1/send", { ...held, to: [bot] });
  const [{ message_id: id }] = (await it.api("GET", `/api/v1/agents/${bot}/messages`)).body.messages;
  const forward = (to: string) =>
    it.api("POST", `/api/v1/agents/${bot}/messages/${id}/forward`, { to: [to], body: "for you" });
  await it.api("PATCH", `/api/v1/agents/${bot}`, { hitl_enabled: true, hitl_notify_email: false });
  const { body: waiting } = await it.api("POST", "/api/v1/send", held);
  expect(waiting.status).toBe("pending_approval");
  await it.api("PATCH", `/api/v1/agents/${bot}`, { hitl_enabled: false });

  const first = forward("bob@outside.example");
  await reached.promise;
  const refusedForward = await forward("carol@outside.example");
  const refusedEdit = await it.api("POST", `/api/v1/messages/${waiting.message_id}/approve`, { subject: "t" });
  for (const { body, status } of [refusedForward, refusedEdit])
    expect([status, body.code]).toEqual([503, "overloaded"]);
  // What takes little is not concerned.
  const { body: note } = await it.api("GET", `/api/v1/messages/${waiting.message_id}?data=false`);
  expect([note.status, note.subject]).toEqual(["pending_approval", "s"]);

  release.resolve("250 taken");
  expect((await first).status).toBe(200);
  expect((await forward("carol@outside.example")).status).toBe(200);
  const approved = await it.api("POST", `/api/v1/messages/${waiting.message_id}/approve`, { subject: "t" });
  expect(approved.status).toBe(200);
  expect(w.smtp.messages.map(({ to }) => to)).toEqual([
    ["bob@outside.example"],
    ["carol@outside.example"],
    ["ann@outside.example"],
  ]);
});

test("a request alone gets all that it needs, with a body and with what it takes from stored messages", async () => {
  await using w = await withUpstream({}, { set: { "http.max_bytes_in_hand": "64MiB" } });
  const { it } = w;
  const bot = `bot@${it.app.config.sharedDomain}`;
  const attachments = [{ filename: "a.bin", data: Buffer.alloc(5_000_000, "e2a file ").toString("base64") }];
  await it.api("POST", "/api/v1/send", { to: [bot], subject: "s", body: "b", attachments });
  const [{ message_id: id }] = (await it.api("GET", `/api/v1/agents/${bot}/messages`)).body.messages;
  const forward = { to: ["bob@outside.example"], body: "for you", attachments };
  expect((await it.api("POST", `/api/v1/agents/${bot}/messages/${id}/forward`, forward)).status).toBe(200);
  expect(w.smtp.messages[0]?.raw.length).toBeGreaterThan(13_000_000);

  await it.api("PATCH", `/api/v1/agents/${bot}`, { hitl_enabled: true, hitl_notify_email: false });
  const held = await it.api("POST", "/api/v1/send", {
    to: ["ann@outside.example"],
    subject: "s",
    body: "b",
    attachments,
  });
  const approve = `/api/v1/messages/${held.body.message_id}/approve`;
  expect((await it.api("POST", approve, { attachments })).status).toBe(200);
});
