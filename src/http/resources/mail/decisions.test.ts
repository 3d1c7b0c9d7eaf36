import { expect, test } from "bun:test";
import { type ScriptedOptions, scriptedSmtp } from "../../../../test/smtp/scripted-smtp.ts";
import { startTestApp } from "../../../../test/support/app.ts";

/** Starts an app with an upstream that answers as scripted, and one agent whose mail is all held. */
async function startHolding(on?: ScriptedOptions["on"]) {
  const upstream = await scriptedSmtp(on ? { on } : {});
  const it = await startTestApp({
    set: { "outbound_smtp.host": upstream.host, "outbound_smtp.port": upstream.port, "outbound_smtp.tls": "off" },
  });
  const { body: agent } = await it.api("POST", "/api/v1/agents", { slug: "bot", agent_mode: "local" });
  const settings = { hitl_enabled: true, hitl_notify_email: false };
  await it.api("PATCH", `/api/v1/agents/${agent.email}`, settings);
  return {
    ...{ it, upstream },
    /** Makes a held message and returns its path. */
    async hold(): Promise<string> {
      const mail = { to: ["ann@outside.example"], subject: "Hello", body: "Good day." };
      const { body } = await it.api("POST", "/api/v1/send", mail);
      return `/api/v1/messages/${body.message_id}`;
    },
    async [Symbol.asyncDispose]() {
      await it[Symbol.asyncDispose]();
      await upstream[Symbol.asyncDispose]();
    },
  };
}

test("what was approved arrives with the bytes that the reviewer saw, and the answer names it as the upstream did", async () => {
  await using at = await startHolding((stage) =>
    stage === "message" ? "250 2.0.0 Ok: queued as 4XyZ12AbCd" : undefined,
  );
  const path = await at.hold();
  const { body: seen } = await at.it.api("GET", `${path}/raw`);
  const { status, body } = await at.it.api("POST", `${path}/approve`);
  expect({ status, body }).toMatchObject({
    status: 200,
    body: { status: "sent", method: "smtp", provider_message_id: "4XyZ12AbCd" },
  });
  const [message] = at.upstream.messages;
  // Only the fields added on sending come before what the reviewer saw.
  expect(message?.raw.toString()).toEndWith(seen);
});

test("what the upstream refuses is 502 and has left; it is decided all the same", async () => {
  await using at = await startHolding((stage) => (stage === "rcpt" ? "550 5.1.1 No such user here" : undefined));
  const path = await at.hold();
  const { status, body } = await at.it.api("POST", `${path}/approve`);
  expect({ status, code: body.code, detail: body.detail }).toEqual({
    ...{ status: 502, code: "upstream_rejected", detail: expect.stringContaining("550 5.1.1") },
  });
  expect((await at.it.api("POST", `${path}/approve`)).status).toBe(409);
});

test.each([
  ["an edit", { body_text: "Good evening." }],
  ["an approval with members as they were shown", { subject: "Hello", body_text: "Good day." }],
])("%s of what another reviewer changed meanwhile is refused, and the other's change stays", async (_name, members) => {
  await using at = await startHolding();
  const { api, app } = at.it;
  await api("PATCH", "/api/v1/agents/bot@e2a.localhost", { undo_seconds: 120 });
  const path = await at.hold();
  const { decideHold } = app.store;
  app.store.decideHold = async (decision) => {
    app.store.decideHold = decideHold;
    await api("POST", `${path}/approve`, { subject: "Another" }, { prefer: "respond-async" });
    await api("POST", `${path}/undo`);
    return decideHold(decision);
  };
  const { status, body } = await api("POST", `${path}/approve`, members);
  expect({ status, parts: body.edited_parts }).toEqual({ status: 409, parts: ["subject"] });
  expect((await api("GET", path)).body).toMatchObject({
    ...{ status: "pending_approval", subject: "Another", body_text: "Good day." },
  });
});

test("a dashboard session decides from its own pages only", async () => {
  await using at = await startHolding();
  const path = await at.hold();
  const origin = at.it.app.httpUrl;
  const form = new URLSearchParams({ t: new URL(await at.it.app.signInLink()).searchParams.get("t") ?? "" });
  const signIn = { method: "POST", redirect: "manual", body: form, headers: { origin } } as const;
  const signedIn = await fetch(`${origin}/sign-in`, signIn);
  const cookie = signedIn.headers.get("set-cookie")?.split(";")[0] ?? "";
  const approve = (from: string) =>
    fetch(`${origin}${path}/approve`, { method: "POST", headers: { cookie, origin: from } });
  expect((await approve("https://evil.example")).status).toBe(403);
  expect((await approve("null")).status).toBe(403);
  expect((await approve(origin)).status).toBe(200);
  const { body } = await at.it.api("GET", "/api/v1/audit");
  expect(body.entries).toMatchObject([{ action: "approve", how: "session", by: "owner@example.net" }]);
});
