import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import type { Browser, BrowserContext, Page } from "playwright-core";
import { chromiumRuns, signedIn, startChromium } from "../../test/browser/chromium.ts";
import { addOutbound } from "../../test/store/rows.ts";
import { startTestApp, type TestApp } from "../../test/support/app.ts";

const agent = "my-bot@e2a.localhost";
let it: TestApp;
let browser: Browser;
let context: BrowserContext;
let page: Page;

beforeAll(async () => {
  if (!chromiumRuns) return;
  it = await startTestApp();
  await it.api("POST", "/api/v1/agents", { slug: "my-bot", agent_mode: "local" });
  await it.api("PATCH", `/api/v1/agents/${agent}`, { hitl_enabled: true });
  browser = await startChromium();
  context = await signedIn(browser, it);
  context.setDefaultTimeout(15_000);
});
beforeEach(async () => {
  if (chromiumRuns) page = await context.newPage();
});
afterEach(async () => {
  await page?.close();
  const { body } = (await it?.api("GET", "/api/v1/messages?status=pending_approval")) ?? { body: { messages: [] } };
  for (const { id } of body.messages) await it.api("POST", `/api/v1/messages/${id}/reject`);
});
afterAll(async () => {
  await browser?.close();
  await it?.[Symbol.asyncDispose]();
});

/** Sends a message that is held; returns its id. */
async function held(subject: string, rest: object = {}): Promise<string> {
  const mail = { to: ["ann@example.com"], subject, body: "First line.\nPay 100.\nThanks", ...rest };
  const { body } = await it.api("POST", "/api/v1/send", mail);
  return body.message_id;
}

const messageNow = async (id: string) => (await it.api("GET", `/api/v1/messages/${id}`)).body;
const shows = (text: string) => page.getByText(text).first().waitFor();
const queue = () => page.getByRole("list", { name: "Held mail, soonest to expire first" });

describe.skipIf(!chromiumRuns)("approvals", () => {
  test("everything that would leave is shown, with where its links really lead", async () => {
    const html = '<p>See <a href="https://evil.example.net/x">bank.example.com</a></p>';
    const file = { filename: "offer.pdf", content_type: "application/pdf", data: btoa("%PDF") };
    const id = await held("All of it", { bcc: ["hidden@example.org"], html_body: html, attachments: [file] });
    await page.goto(`/approvals/${id}`);
    await shows("A person must approve every message");
    await shows("hidden@example.org");
    const link = page
      .getByRole("list", { name: "Links" })
      .getByRole("listitem")
      .filter({ hasText: "evil.example.net" });
    await link.getByText("Says bank.example.com").waitFor();
    await page.getByRole("link", { name: "offer.pdf" }).waitFor();
    await page.getByRole("tab", { name: "Text", exact: true }).click();
    await shows("Pay 100.");
  });

  test("an edit is shown as a diff before it leaves, and leaves as it was shown", async () => {
    const file = { filename: "wrong.pdf", content_type: "application/pdf", data: btoa("%PDF wrong") };
    const kept = { filename: "right.pdf", content_type: "application/pdf", data: btoa("%PDF right") };
    const id = await held("Your invoise", { attachments: [file, kept] });
    await page.goto(`/approvals/${id}`);
    await shows("A decision is about");
    await page.keyboard.press("e");
    await page.getByLabel("Subject").fill("Your invoice");
    await page.getByRole("textbox", { name: "Text" }).fill("First line.\nPay 110.\nThanks");
    await page.getByLabel("wrong.pdf").uncheck();
    await page.getByRole("button", { name: "Review the changes" }).click();
    const text = page.getByRole("region", { name: "Changes of Text" });
    expect(await text.getByRole("deletion").innerText()).toContain("Pay 100.");
    expect(await text.getByRole("insertion").innerText()).toContain("Pay 110.");
    await page.getByRole("button", { name: "Approve as changed" }).click();
    await shows("Approved and captured");
    expect(await messageNow(id)).toMatchObject({
      ...{ status: "sent", edited: true, subject: "Your invoice", body_text: "First line.\nPay 110.\nThanks" },
      attachments: [{ filename: "right.pdf" }],
      original: { subject: "Your invoise" },
    });
    const { body } = await it.api("GET", `/api/v1/messages/${id}/attachments/0`);
    expect(body).toBe("%PDF right");
  });

  test("an edit is not lost by a key or a press beside it", async () => {
    const [id, other] = [await held("Edited"), await held("Beside it")];
    await page.goto(`/approvals/${id}`);
    await shows("A decision is about");
    await page.keyboard.press("e");
    await page.getByRole("textbox", { name: "Text" }).fill("Changed");
    await queue().getByRole("link", { name: "Beside it" }).click();
    await page.getByRole("dialog", { name: "Discard the changes?" }).getByRole("button", { name: "Cancel" }).click();
    expect(await page.getByRole("textbox", { name: "Text" }).inputValue()).toBe("Changed");
    await queue().getByRole("link", { name: "Beside it" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Discard the changes" }).click();
    await page.waitForURL(`**/approvals/${other}`);
  });

  test("what the server says of an edit stands at its field, and nothing leaves", async () => {
    const id = await held("Wrong address");
    await page.goto(`/approvals/${id}`);
    await page.getByRole("button", { name: "Edit" }).click();
    await page.getByRole("textbox", { name: "To" }).fill("nobody");
    await page.getByRole("button", { name: "Review the changes" }).click();
    await page.getByRole("button", { name: "Approve as changed" }).click();
    await page.getByRole("textbox", { name: "To" }).and(page.locator("[aria-invalid]")).waitFor();
    expect(await messageNow(id)).toMatchObject({ status: "pending_approval" });
  });

  test("a rejection carries its reason, and the next message opens", async () => {
    const [first, second] = [await held("No"), await held("Next")];
    await page.goto(`/approvals/${first}`);
    await shows("A decision is about");
    await page.keyboard.press("r");
    await page.getByLabel("Reason").fill("The price is wrong.");
    await page.keyboard.press("Control+Enter");
    await page.waitForURL(`**/approvals/${second}`);
    expect(await messageNow(first)).toMatchObject({ status: "rejected", rejection_reason: "The price is wrong." });
  });

  test("after the last of the queue, the one before it opens", async () => {
    const [first, last] = [await held("Before"), await held("Last")];
    await page.goto(`/approvals/${last}`);
    await shows("A decision is about");
    await queue().getByRole("link", { name: "Before" }).waitFor();
    await page.keyboard.press("a");
    await page.waitForURL(`**/approvals/${first}`);
  });

  test("a queue that is longer than what is loaded says so", async () => {
    const { body: busy } = await it.api("POST", "/api/v1/agents", { slug: "busy", agent_mode: "local" });
    await it.api("PATCH", `/api/v1/agents/${busy.email}`, { hitl_enabled: true, hitl_notify_email: false });
    const now = new Date();
    for (let i = 0; i < 501; i++) await addOutbound(it.app.store, busy.email, { now });
    try {
      await page.goto(`/approvals?agent=${busy.email}`);
      await shows("All 500 and more");
    } finally {
      await it.api("DELETE", `/api/v1/agents/${busy.email}`);
    }
  });

  test("many at once, by keyboard alone", async () => {
    const ids = [await held("One"), await held("Two"), await held("Three")];
    await page.goto("/approvals");
    await queue().getByRole("link", { name: "Three" }).waitFor();
    for (const key of ["j", "x", "j", "x"]) await page.keyboard.press(key);
    await shows("2 selected");
    await page.keyboard.press("A");
    await page.getByRole("dialog").getByRole("button", { name: "Approve 2 messages" }).click();
    await shows("2 approved");
    await it.app.drain();
    const after = await Promise.all(ids.map(messageNow));
    expect(after.map(({ status }) => status)).toEqual(["sent", "sent", "pending_approval"]);
  });

  test("when somebody else was faster, it says who and how, and sends nothing twice", async () => {
    const id = await held("Contested");
    // Cut the page off from live updates.
    await page.route("**/api/v1/events*", (route) => route.abort());
    await page.routeWebSocket("**/api/v1/events/ws*", () => {});
    await page.goto(`/approvals/${id}`);
    await shows("A decision is about");
    await it.api("POST", `/api/v1/messages/${id}/reject`, { reason: "Not this one." });
    await page.getByRole("button", { name: "Approve" }).click();
    await shows("owner@example.net decided");
    await shows("Not this one.");
    expect(await messageNow(id)).toMatchObject({ status: "rejected" });
  });

  test("while the agent leaves time to undo, an approval can be taken back", async () => {
    await it.api("PATCH", `/api/v1/agents/${agent}`, { undo_seconds: 60 });
    const id = await held("Too early");
    await page.goto(`/approvals/${id}`);
    await shows("A decision is about");
    await page.keyboard.press("a");
    await page.getByRole("button", { name: "Undo" }).click();
    await shows("Approval undone; the message is held again");
    expect(await messageNow(id)).toMatchObject({ status: "pending_approval" });
    await it.api("PATCH", `/api/v1/agents/${agent}`, { undo_seconds: 0 });
  });

  test("what the loop breaker stopped goes on at a press", async () => {
    await it.api("PATCH", `/api/v1/agents/${agent}`, { hitl_enabled: false });
    const sent = [];
    for (let n = 0; n < 22; n++)
      sent.push(await held(`Ping ${n}`, { to: ["loop@example.org"], reply_to_message_id: "<ping@example.org>" }));
    await page.goto(`/approvals/${sent.at(-1)}`);
    await page.getByRole("button", { name: "Release the loop" }).click();
    await shows("Released");
    await shows("Nothing waits");
    expect(await messageNow(sent.at(-1) as string)).not.toMatchObject({ status: "pending_approval" });
  });
});
