import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import type { Browser, BrowserContext, Page } from "playwright-core";
import { chromiumRuns, signedIn, startChromium } from "../../test/browser/chromium.ts";
import { type ScriptedSmtp, scriptedSmtp } from "../../test/smtp/scripted-smtp.ts";
import { deliver } from "../../test/smtp/smtp-client.ts";
import { startTestApp, type TestApp } from "../../test/support/app.ts";
import { type Sink, startSink } from "../../test/support/sink.ts";

const agent = "my-bot@e2a.localhost";
let it: TestApp;
let upstream: ScriptedSmtp;
let sink: Sink;
let browser: Browser;
let context: BrowserContext;
let page: Page;

beforeAll(async () => {
  if (!chromiumRuns) return;
  sink = startSink();
  upstream = await scriptedSmtp({
    on: (stage, argument) =>
      stage === "rcpt" && argument.startsWith("gone@") ? "550 5.1.1 No such user here" : undefined,
  });
  const { host, port } = upstream;
  it = await startTestApp({
    set: { "outbound_smtp.host": host, "outbound_smtp.port": port, "outbound_smtp.tls": "off" },
  });
  await it.api("POST", "/api/v1/agents", { slug: "my-bot", agent_mode: "local" });
  browser = await startChromium();
  context = await signedIn(browser, it);
  context.setDefaultTimeout(15_000);
});
beforeEach(async () => {
  if (chromiumRuns) page = await context.newPage();
});
afterEach(() => page?.close());
afterAll(async () => {
  await browser?.close();
  await it?.[Symbol.asyncDispose]();
  await upstream?.[Symbol.asyncDispose]();
  await sink?.[Symbol.asyncDispose]();
});

const shows = (text: string) => page.getByText(text).first().waitFor();
const list = (name: string) => page.getByRole("list", { name });

/** Lets the page's first POST to a path reach the server, but not the answer reach the page: a proxy gives another. */
async function loseAnswer(path: string): Promise<void> {
  let isLost = false;
  await page.route(`**${path}`, async (route) => {
    if (isLost || route.request().method() !== "POST") return route.continue();
    isLost = true;
    await route.fetch();
    await route.fulfill({ status: 502, body: "Bad gateway" });
  });
}

/** Sends mail; returns its id. */
async function sent(to: string[], subject: string): Promise<string> {
  const { body } = await it.api("POST", "/api/v1/send", { to, subject, body: "Hello" });
  return body.message_id;
}

describe.skipIf(!chromiumRuns)("pages", () => {
  test("outbox: each recipient's fate, in the words of its server", async () => {
    await sent(["ann@example.com", "gone@example.com"], "To two");
    await page.goto("/outbox");
    await page.getByRole("link", { name: "To two" }).click();
    const recipients = list("Recipients").getByRole("listitem");
    await recipients.filter({ hasText: "ann@example.com" }).getByText("sent", { exact: true }).waitFor();
    const gone = recipients.filter({ hasText: "gone@example.com" });
    await gone.getByText("failed", { exact: true }).waitFor();
    await gone.getByText("550 5.1.1 No such user here").waitFor();
    await page.goto("/outbox?state=cancelled");
    await shows("No matching mail");
    await page.goto("/captured");
    await shows("Nothing captured");
    expect(await page.getByRole("navigation").getByRole("link", { name: "Captured mail" }).count()).toBe(0);
  });

  test("outbox: undone within the time for it, cancelled while it waits", async () => {
    await it.api("PATCH", `/api/v1/agents/${agent}`, { undo_seconds: 60 });
    const id = await sent(["ann@example.com"], "Too early");
    await page.goto(`/outbox/${id}`);
    await page.getByRole("button", { name: "Undo" }).waitFor();
    await page.keyboard.press("z");
    await list("Recipients").getByText("cancelled", { exact: true }).waitFor();
    await it.api("PATCH", `/api/v1/agents/${agent}`, { undo_seconds: 0, paused: true });
    const paused = await sent(["ann@example.com"], "Waits");
    await page.goto(`/outbox/${paused}`);
    await page.getByRole("button", { name: "Cancel", exact: true }).click();
    await page.getByRole("button", { name: "Cancel the message" }).click();
    await list("Recipients").getByText("cancelled", { exact: true }).waitFor();
    await it.api("PATCH", `/api/v1/agents/${agent}`, { paused: false });
    const { body } = await it.api("GET", `/api/v1/messages?status=cancelled`);
    expect(body.messages.map(({ subject }: { subject: string }) => subject)).toEqual(["Waits", "Too early"]);
  });

  test("webhooks: a refused address is said at its field; changed, disabled, enabled, deleted", async () => {
    await page.goto("/webhooks");
    await page.getByRole("button", { name: "New webhook" }).first().click();
    await page.getByLabel("URL").fill("ftp://example.com");
    await page.getByRole("button", { name: "Create webhook" }).click();
    await page.getByLabel("URL").and(page.locator("[aria-invalid]")).waitFor();
    await page.getByLabel("URL").fill(sink.url);
    await page.getByLabel("Events", { exact: true }).selectOption("some");
    await page.getByLabel("message.bounced").check();
    await page.getByRole("button", { name: "Create webhook" }).click();
    await page.getByRole("button", { name: "Change", exact: true }).click();
    await page.getByLabel("Purpose").fill("The pager");
    await page.getByLabel(agent).check();
    await page.getByRole("button", { name: "Save changes" }).click();
    await shows("The pager");
    const { body } = await it.api("GET", "/api/v1/webhooks");
    expect(body.webhooks).toMatchObject([{ description: "The pager", events: ["message.bounced"], agents: [agent] }]);

    await page.getByRole("button", { name: "More" }).click();
    await page.getByRole("menuitem", { name: "Disable" }).click();
    await shows("Events are kept in the meantime");
    await page.getByRole("button", { name: "Enable", exact: true }).click();
    await page.getByText("Events are kept in the meantime").waitFor({ state: "detached" });
    await page.getByRole("button", { name: "More" }).click();
    await page.getByRole("menuitem", { name: "Delete" }).click();
    await page.getByRole("button", { name: "Delete webhook" }).click();
    await shows("No webhooks yet");
  });

  test("deliveries: all that failed since a time goes out again", async () => {
    sink.answer = () => new Response(null, { status: 410 });
    const { body: webhook } = await it.api("POST", "/api/v1/webhooks", { url: sink.url, events: ["message.received"] });
    const message = "From: bob@example.com\r\nSubject: Hi\r\n\r\nHi\r\n";
    for (const n of [1, 2]) {
      await deliver(it.app.smtp.port, { from: "bob@example.com", to: agent, message });
      await sink.reached(n);
    }
    sink.answer = () => new Response("thanks");
    await loseAnswer("/api/v1/deliveries/redeliver");
    await page.goto(`/deliveries?endpoint=${webhook.id}&outcome=failed`);
    await list("Deliveries, newest first").getByRole("listitem").nth(1).waitFor();
    await page.getByRole("button", { name: "Redeliver failed" }).click();
    await page.getByLabel("Failed in").selectOption("The last hour");
    await page.getByRole("button", { name: "Deliver again" }).click();
    await shows("The server answered 502");
    await page.getByRole("button", { name: "Deliver again" }).click();
    await shows("2 deliveries are sent again");
    await page.getByRole("button", { name: "Delivered" }).click();
    await list("Deliveries, newest first").getByRole("listitem").nth(1).waitFor();
    expect(sink.requests).toHaveLength(4);
    await it.api("DELETE", `/api/v1/webhooks/${webhook.id}`);
  });

  test("events: what happens appears, if it is of the chosen type", async () => {
    await page.goto("/events?type=message.received");
    await page.getByText("Live", { exact: true }).waitFor();
    const { body: before } = await it.api("GET", "/api/v1/events?types=message.received");
    await it.api("POST", `/api/v1/agents/${agent}/test`);
    await sent(["ann@example.com"], "Of another type");
    const rows = list("Events, newest first").getByRole("listitem");
    await rows.nth(before.events.length).waitFor();
    expect(await rows.getByText("message.sent").count()).toBe(0);
    await rows.first().getByRole("link").click();
    await page.getByRole("region", { name: "event", exact: true }).getByText('"message.received"').waitFor();
  });

  test("keys: revoked at once; signing secrets: the one before signs on for a day", async () => {
    const { body } = await it.api("POST", "/api/v1/keys", { name: "lost", scope: "account" });
    await page.goto("/keys");
    await page.getByRole("button", { name: "Revoke lost" }).click();
    await page.getByRole("button", { name: "Revoke key" }).click();
    // The open dialog hides the list, so that its button alone would seem gone at once.
    await shows("The key is revoked");
    await page.getByRole("button", { name: "Revoke lost" }).waitFor({ state: "detached" });
    const refused = await fetch(`${it.app.httpUrl}/api/v1/agents`, {
      headers: { authorization: `Bearer ${body.key}` },
    });
    expect(refused.status).toBe(401);

    await page.getByRole("button", { name: "New secret" }).click();
    await page.getByLabel("Name").fill("next");
    await page.getByRole("button", { name: "Create secret" }).click();
    const secret = page.getByRole("region", { name: "The new signing secret" }).locator("code");
    expect(await secret.innerText()).toMatch(/^[0-9a-f]{64}$/);
    await page.keyboard.press("Escape");
    await page.getByRole("button", { name: "I have saved it" }).click();
    await page.getByRole("row", { name: "next" }).getByText("Signs", { exact: true }).waitFor();
    await page.getByRole("row", { name: "default" }).getByText("Also signs").waitFor();
  });

  test("keys: made once, and shown, although the first answer is lost", async () => {
    await loseAnswer("/api/v1/keys");
    await page.goto("/keys");
    await page.getByRole("button", { name: "New key" }).click();
    await page.getByLabel("Purpose").fill("build");
    await page.getByRole("button", { name: "Create key" }).click();
    await shows("The server answered 502");
    await page.getByRole("button", { name: "Create key" }).click();
    const key = await page.getByRole("region", { name: "The new key" }).locator("code").first().innerText();
    expect(key).toMatch(/^e2a_[0-9a-f]{64}$/);
    const { body } = await it.api("GET", "/api/v1/keys");
    expect(body.keys.filter(({ name }: { name: string }) => name === "build")).toHaveLength(1);
  });

  test("suppressions: added with a note, taken off after asking", async () => {
    await it.api("POST", "/api/v1/suppressions", { address: "first@example.com" });
    await page.goto("/suppressions");
    await page.getByRole("row", { name: "first@example.com" }).getByText("By hand").waitFor();
    await page.keyboard.press("n");
    await page.getByLabel("Address", { exact: true }).fill("stop@example.com");
    await page.getByLabel("Note").fill("Asked us to stop.");
    await page.getByRole("button", { name: "Suppress address" }).click();
    await shows("Asked us to stop.");
    await page.getByRole("button", { name: "Remove stop@example.com from the list" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Remove from the list" }).click();
    await shows("stop@example.com was removed from the list");
    await page.getByRole("button", { name: "Remove stop@example.com from the list" }).waitFor({ state: "detached" });
    const { body } = await it.api("GET", "/api/v1/suppressions");
    const left = body.suppressions.map(({ address }: { address: string }) => address);
    expect(left).toContain("first@example.com");
    expect(left).not.toContain("stop@example.com");
  });

  test("settings: paused, a theme that stays, the export, and an end that asks for the address", async () => {
    await page.goto("/settings");
    await page.getByRole("switch", { name: "Pause everything" }).click();
    await page.getByRole("switch", { name: "Pause everything", checked: true }).waitFor();
    expect((await it.api("GET", "/api/v1/users/me")).body).toMatchObject({ paused: true });
    await page.getByText("Dark", { exact: true }).click();
    await page.reload();
    expect(await page.locator("html").getAttribute("data-theme")).toBe("dark");
    const [download] = await Promise.all([
      page.waitForEvent("download"),
      page.getByRole("link", { name: "Download the export" }).click(),
    ]);
    expect(download.suggestedFilename()).toBe("e2a-export.json");

    await page.getByRole("button", { name: "Delete account" }).click();
    await page.getByRole("button", { name: "Delete everything" }).click();
    await shows("That is not the account’s address.");
    await page.getByLabel("Type owner@example.net to confirm").fill("owner@example.net");
    await page.getByRole("button", { name: "Delete everything" }).click();
    await page.waitForURL(/\/api\/auth\/login/);
    expect((await it.api("GET", "/api/v1/users/me")).status).toBe(401);
  });
});
