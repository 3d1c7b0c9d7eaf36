/** Decisions in the dashboard: they apply to the content that the reviewer saw, to all of it, and can be undone. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import type { Browser, Page } from "playwright-core";
import { chromiumRuns, startChromium } from "../../test/browser/chromium.ts";
import { firstVisit, type Visit } from "../../test/browser/visit.ts";
import { runBinary } from "../../test/support/binary.ts";

let browser: Browser;
let visit: Visit;
let page: Page;
/** Each test has its own agent, and so its own queue. */
let agent: string;
let agents = 0;

beforeAll(async () => {
  if (!chromiumRuns) return;
  browser = await startChromium();
  visit = await firstVisit(browser);
});
afterAll(async () => {
  await visit?.[Symbol.asyncDispose]();
  await browser?.close();
});
beforeEach(async () => {
  if (!chromiumRuns) return;
  page = await visit.page.context().newPage();
  const { email } = await visit.api("POST", "/agents", { slug: `bot-${agents++}`, agent_mode: "local" });
  agent = email;
  await visit.api("PATCH", `/agents/${agent}`, { hitl_enabled: true, undo_seconds: 120 });
});

afterEach(() => page?.close());

async function hold(subject: string, more: object = {}): Promise<string> {
  const mail = { from: agent, to: ["ann@example.com"], subject, body: "Hello.\nPay 100.\nThanks", ...more };
  return (await visit.api("POST", "/send", mail)).message_id;
}
const messageNow = (id: string) => visit.api("GET", `/messages/${id}`);
const shows = (text: string | RegExp) => page.getByText(text).first().waitFor();
const textBox = () => page.getByRole("textbox", { name: "Text", exact: true });
const changes = (part: string) => page.getByRole("region", { name: `Changes of ${part}` });
const approveButton = () => page.getByRole("button", { name: /^Approve as changed/ });

async function open(id: string): Promise<void> {
  await page.goto(`/approvals/${id}`);
  await shows("A decision is about");
}

/** Cuts the page off from live updates. */
async function hearNothing(): Promise<void> {
  await page.route("**/api/v1/events*", (route) => route.abort());
  await page.routeWebSocket("**/api/v1/events/ws*", () => {});
}

/** Opens the form and changes the text. */
async function writeText(text: string): Promise<void> {
  await page.keyboard.press("e");
  await textBox().fill(text);
}

/** Approves a message with changes, and undoes that, as another reviewer would: the changed message waits again. */
async function changedElsewhere(id: string, changes: object): Promise<void> {
  await visit.api("POST", `/messages/${id}/approve`, changes);
  await visit.api("POST", `/messages/${id}/undo`);
}

describe.skipIf(!chromiumRuns)("in a browser, on the compiled binary", () => {
  test("a new text takes the HTML with it: both are shown, both are named, both leave", async () => {
    const html_body = "<p>Hello.</p><p>Pay <b>100</b>.</p>";
    const id = await hold("Two bodies", { html_body });
    await open(id);
    await writeText("Hello.\nPay 110.\nThanks");
    await page.getByRole("button", { name: "Review the changes" }).click();
    expect(await changes("Text").getByRole("insertion").innerText()).toContain("Pay 110.");
    expect(await changes("HTML").getByRole("deletion").innerText()).toContain("100");
    expect(await changes("HTML").getByRole("insertion").innerText()).toContain("Pay 110.");
    await page.getByRole("button", { name: "Approve as changed: text and HTML" }).click();
    await shows("Two bodies: changed text and HTML");
    const after = await messageNow(id);
    expect(after).toMatchObject({ body_text: "Hello.\nPay 110.\nThanks", edited_parts: ["body_text", "body_html"] });
    expect(after.body_html).toContain("Pay 110.");
    expect(after.body_html).not.toContain("100");
    await page.getByRole("navigation").getByRole("link", { name: "Audit" }).click();
    await shows("Changed text and HTML.");
  }, 60_000);

  test("an edit is reviewed and approved by the keyboard alone", async () => {
    const id = await hold("By keys");
    await open(id);
    await writeText("Hello.\nPay 110.");
    await page.keyboard.down("Control");
    await page.keyboard.down("Enter");
    await changes("Text").waitFor();
    // The key is held down and repeats: it must not approve changes that nobody has read.
    await page.keyboard.down("Enter");
    await page.keyboard.up("Enter");
    await page.keyboard.up("Control");
    expect((await messageNow(id)).status).toBe("pending_approval");
    await page.keyboard.press("Control+Enter");
    await shows(/Approved; it will leave in/);
    expect(await messageNow(id)).toMatchObject({ body_text: "Hello.\nPay 110.", edited_parts: ["body_text"] });
  }, 60_000);

  test("what a look at the HTML does not show is said before anybody decides", async () => {
    const notes = () => page.getByRole("region", { name: "Before you decide" });
    const row = (subject: string) =>
      page.getByRole("link", { name: subject }).locator("xpath=ancestor::div[@aria-busy]");
    const html_body = '<p>Hello. Pay <b>90</b>.</p><p style="display:none">Secret words</p>';
    const archive = { filename: "plan.zip", content_type: "application/zip", data: btoa("PK\x03\x04\x00\x00\x00") };
    const id = await hold("Two prices", { html_body, attachments: [archive] });
    const other = await hold("Other words", { body: "We do not agree", html_body: "<p>We agree</p>" });
    const same = await hold("One price", { body: "Pay 100.", html_body: "<p>Pay <b>100</b>.</p>" });
    await open(id);
    for (const note of ["the figures 100", "the figures 90", "hides 11 of its characters", "“plan.zip” (binary)"])
      await notes().getByText(note).waitFor();
    await row("Two prices").getByText("HTML needs a look").waitFor();
    expect(await row("One price").getByText("HTML needs a look").count()).toBe(0);
    await open(other);
    await notes().getByText("The text and the HTML have different words.").waitFor();
    await open(same);
    expect(await notes().count()).toBe(0);
  }, 60_000);

  test("a decision that got no answer says that it is not made again by itself", async () => {
    const id = await hold("No answer", { attachments: [{ filename: "a.txt", data: btoa("x") }] });
    // Set up before the page opens: an open page's next request may still bypass the route.
    const path = `**/api/v1/messages/${id}/approve`;
    await page.route(path, (route) => route.abort());
    await open(id);
    await shows(/^1 byte$/);
    await page.keyboard.press("a");
    await shows(/The server did not answer/);
    await shows(/is online, then try again\.$/);
    expect((await messageNow(id)).status).toBe("pending_approval");
    await page.unroute(path);
    await page.keyboard.press("a");
    await shows(/Approved; it will leave in/);
  }, 60_000);

  test("an approval can be undone though its agent got the time for that only after the page was loaded", async () => {
    await visit.api("PATCH", `/agents/${agent}`, { undo_seconds: 0 });
    const id = await hold("A new undo time");
    const agentsAreKnown = page.waitForResponse("**/api/v1/agents");
    await open(id);
    await agentsAreKnown;
    await visit.api("PATCH", `/agents/${agent}`, { undo_seconds: 120 });
    await page.keyboard.press("a");
    await shows(/Approved; it will leave in/);
    await page.getByRole("button", { name: "Undo" }).click();
    await shows("Approval undone");
    expect((await messageNow(id)).status).toBe("pending_approval");
  }, 60_000);

  test("HTML written by hand beside an old text is warned of, and leaves as it was shown", async () => {
    const id = await hold("By hand", { html_body: "<p>Pay <b>100</b>.</p>" });
    await open(id);
    await page.keyboard.press("e");
    await page.getByLabel("HTML", { exact: true }).selectOption("Written by hand");
    await page.getByLabel("HTML source").fill("<p>Pay <b>110</b>.</p>");
    await page.getByRole("button", { name: "Review the changes" }).click();
    await page.getByRole("note").getByText("Only the HTML is changed").waitFor();
    await page.getByRole("button", { name: "Change more" }).click();
    await textBox().fill("Hello.\nPay 110.");
    await page.getByRole("button", { name: "Review the changes" }).click();
    expect(await page.getByRole("note").count()).toBe(0);
    await page.getByRole("button", { name: "Approve as changed: text and HTML" }).click();
    await shows(/Approved; it will leave in/);
    expect(await messageNow(id)).toMatchObject({ body_text: "Hello.\nPay 110.", body_html: "<p>Pay <b>110</b>.</p>" });
  }, 60_000);

  test("an approval that is undone waits again, from the toast, the outbox and the command line", async () => {
    const id = await hold("Too early");
    const before = await messageNow(id);
    const waitsAgain = async () => {
      const { status, approval_expires_at, content_hash, reviewed_at } = await messageNow(id);
      expect({ status, approval_expires_at, content_hash, reviewed_at }).toEqual({
        status: "pending_approval",
        approval_expires_at: before.approval_expires_at,
        content_hash: before.content_hash,
        reviewed_at: undefined,
      });
    };
    await open(id);
    await page.keyboard.press("a");
    await page.getByRole("button", { name: "Undo", exact: true }).click();
    await shows("Approval undone; the message is held again");
    await waitsAgain();
    await page.getByRole("list", { name: "Held mail, soonest to expire first" }).getByText("Too early").waitFor();

    await open(id);
    await page.keyboard.press("a");
    await page
      .getByText(/Approved; it will leave in/)
      .first()
      .waitFor();
    await page.goto(`/outbox/${id}`);
    await page.getByRole("button", { name: /^Undo the approval/ }).waitFor();
    await page.keyboard.press("z");
    await page.getByRole("link", { name: "Decide" }).waitFor();
    await waitsAgain();

    const { key } = await visit.api("POST", "/keys", { name: "cli", scope: "account" });
    const env = { E2A_URL: visit.server.ready.http, E2A_API_KEY: key };
    await visit.api("POST", `/messages/${id}/approve`);
    const undone = await runBinary(["pending", "undo", id], env);
    expect(undone).toMatchObject({ code: 0, stdout: expect.stringContaining('"pending_approval"') });
    await waitsAgain();
    const again = await runBinary(["pending", "undo", id], env);
    expect(again).toMatchObject({ code: 1, stderr: expect.stringContaining("there is no approval to undo") });
    const { entries } = await visit.api("GET", "/audit");
    const mine = entries.filter((entry: { message_id: string }) => entry.message_id === id);
    expect(mine.map(({ action, how }: Record<string, string>) => `${action} ${how}`)).toEqual([
      ...["undo cli", "approve session", "undo session", "approve session", "undo session", "approve session"],
    ]);
  }, 60_000);

  test("who opened one content does not approve another: the change is shown and has to be read", async () => {
    const id = await hold("Version A");
    await hearNothing();
    await open(id);
    await changedElsewhere(id, { body_text: "Pay 900." });
    await page.keyboard.press("a");
    await shows("The message was changed while it was open here.");
    await changes("Text").first().getByText("Pay 900.").waitFor();
    expect(await messageNow(id)).toMatchObject({ status: "pending_approval" });
    await page.getByRole("button", { name: "I have read the changes" }).click();
    await page.getByRole("button", { name: /^Approve/ }).click();
    await shows(/Approved; it will leave in/);
    expect(await messageNow(id)).toMatchObject({ status: "queued", body_text: "Pay 900." });
  }, 60_000);

  test("a change that collides with another person's is put onto the new message, and approved", async () => {
    const id = await hold("Contested");
    await hearNothing();
    await open(id);
    await writeText("Hello.\nPay 110.\nThanks");
    await page.getByRole("button", { name: "Review the changes" }).click();
    await changedElsewhere(id, { subject: "Their subject", cc: ["carol@example.com"] });
    await approveButton().click();
    await shows("Someone else changed the message while you were editing it.");
    expect(await messageNow(id)).toMatchObject({ status: "pending_approval", body_text: "Hello.\nPay 100.\nThanks" });
    await page.getByRole("button", { name: "Apply my changes to it" }).click();
    // Fields that were not changed here follow the other reviewer's version.
    expect(await page.getByRole("textbox", { name: "Subject" }).inputValue()).toBe("Their subject");
    expect(await textBox().inputValue()).toBe("Hello.\nPay 110.\nThanks");
    await page.getByRole("button", { name: "Review the changes" }).click();
    await page.getByRole("button", { name: "Approve as changed: text", exact: true }).click();
    await shows(/Approved; it will leave in/);
    expect(await messageNow(id)).toMatchObject({
      ...{ status: "queued", subject: "Their subject", cc: ["carol@example.com"] },
      body_text: "Hello.\nPay 110.\nThanks",
    });
  }, 60_000);

  test("a change is not lost by another person's decision, and goes on when that is undone", async () => {
    const id = await hold("Decided meanwhile");
    await open(id);
    await writeText("Hello.\nPay 110.\nThanks");
    await page.getByRole("button", { name: "Review the changes" }).click();
    await visit.api("POST", `/messages/${id}/approve`);
    await shows("Someone decided while you were editing. Your changes were not sent.");
    await changes("Text").getByText("Pay 110.").waitFor();
    expect(await approveButton().count()).toBe(0);
    await page.getByRole("button", { name: /^Undo the approval/ }).click();
    await approveButton().click();
    await shows(/Approved; it will leave in/);
    expect(await messageNow(id)).toMatchObject({ status: "queued", body_text: "Hello.\nPay 110.\nThanks" });
  }, 60_000);
});
