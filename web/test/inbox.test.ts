import { afterAll, beforeAll, expect, test } from "bun:test";
import type { Browser, BrowserContext } from "playwright-core";
import { chromiumRuns, signedIn, startChromium } from "../../test/browser/chromium.ts";
import { deliver } from "../../test/smtp/smtp-client.ts";
import { startTestApp, type TestApp } from "../../test/support/app.ts";

let it: TestApp;
let browser: Browser;
let context: BrowserContext;
const agent = "reader@e2a.localhost";
const inBrowser = test.skipIf(!chromiumRuns);

beforeAll(async () => {
  if (!chromiumRuns) return;
  it = await startTestApp();
  await it.api("POST", "/api/v1/agents", { slug: "reader", agent_mode: "local" });
  browser = await startChromium();
  context = await signedIn(browser, it);
});

afterAll(async () => {
  await browser?.close();
  await it?.[Symbol.asyncDispose]();
});

async function mail(subject: string, from = "Ann <ann@example.com>", extra: string[] = []): Promise<void> {
  const message = [`From: ${from}`, `To: ${agent}`, `Subject: ${subject}`, ...extra, "", "Are you there?", ""].join(
    "\r\n",
  );
  await deliver(it.app.smtp.port, { from: "ann@example.com", to: agent, message });
}

inBrowser(
  "mail appears while the list is open, stays unread until it is marked read, and is answered once",
  async () => {
    const page = await context.newPage();
    await page.goto("/inbox");
    await page.getByText("No mail yet").waitFor();
    await mail("A first question");
    const row = page.getByRole("listitem").filter({ hasText: "A first question" });
    await row.waitFor();
    expect(await row.getByText("Unread").count()).toBe(1);

    // By keyboard: the next in the list, open, reply, send.
    await page.keyboard.press("j");
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: "A first question" }).waitFor();
    expect(await row.getByText("Unread").count()).toBe(1);
    await page.keyboard.press("u");
    await row.getByText("Unread").waitFor({ state: "detached" });
    await page.keyboard.press("r");
    await page.getByRole("textbox", { name: "Text" }).fill("Yes, I am.");
    await page.getByRole("checkbox", { name: "Quote the message" }).check();
    await page.keyboard.press("ControlOrMeta+Enter");
    await page.getByText(/^(Captured|Sent|On its way)$/).waitFor();
    const { body } = await it.api("GET", `/api/v1/agents/${agent}/messages?direction=outbound`);
    expect(body.messages).toMatchObject([{ subject: "Re: A first question", to: ["ann@example.com"] }]);
    const sent = (await it.api("GET", `/api/v1/messages/${body.messages[0].message_id}`)).body;
    expect(sent.body_text).toMatch(/^Yes, I am\.\n\n.*ann@example\.com.*\n> /);

    await page.getByRole("button", { name: "More" }).click();
    await page.getByRole("menuitem", { name: "Show the conversation" }).click();
    await page.getByText("Yes, I am.").first().waitFor();
    await page.close();
  },
);

inBrowser("search finds words by their beginning, and its address is worth keeping", async () => {
  await mail("The yearly invoice");
  const page = await context.newPage();
  await page.goto("/inbox");
  await page.getByRole("listitem").filter({ hasText: "The yearly invoice" }).waitFor();
  await page.keyboard.press("/");
  await page.keyboard.type("year inv");
  await page.waitForURL("**/inbox?q=*");
  await page.getByRole("listitem").filter({ hasText: "A first question" }).waitFor({ state: "detached" });
  await page.reload();
  await page.getByRole("listitem").filter({ hasText: "The yearly invoice" }).waitFor();
  expect(await page.getByRole("searchbox").inputValue()).toBe("year inv");
  await page.close();
});

inBrowser("who a mail is from cannot be dressed up", async () => {
  await mail("Pay \u202Egpj.exe now", '"security@bank.example" <x@xn--bnk-5cd.example>', [
    "Reply-To: collect@elsewhere.example",
  ]);
  const page = await context.newPage();
  await page.goto("/inbox");
  const row = page.getByRole("listitem").filter({ hasText: "gpj.exe now" });
  // The list shows the real address, not the one that the display name imitates.
  expect(await row.innerText()).toContain("x@xn--bnk-5cd.example");
  expect(await row.innerText()).not.toContain("security@bank.example");
  await row.getByRole("link").click();
  await page.getByText("calls itself security@bank.example").waitFor();
  // What turns the direction of text is gone from the subject.
  expect(await page.getByRole("heading", { level: 1 }).last().innerText()).toBe("Pay gpj.exe now");
  expect(await page.getByText(/^reads as/).count()).toBeGreaterThan(0);
  expect(await page.getByText("Replies go to another domain").isVisible()).toBe(true);
  // The badge explains itself to keyboard users too.
  await page.getByRole("button", { name: "Sender not proven" }).last().press("Enter");
  await page.getByText("Nothing proves that this comes from xn--bnk-5cd.example").waitFor();
  await page.close();
});

inBrowser("an agent is made in one step, with a key in its programs", async () => {
  const page = await context.newPage();
  await page.goto("/agents/new");
  const address = page.getByRole("textbox", { name: "Address" });
  await address.fill("Not a name");
  await page.keyboard.press("Enter");
  await page.getByText("must be 2 to 40 lower-case letters").waitFor();
  await address.fill("one-step");
  await page.keyboard.press("Enter");
  await page.getByText("one-step@e2a.localhost is ready.").waitFor();
  await page.getByRole("button", { name: "Make a key and fill it in" }).click();
  const code = page.getByRole("region", { name: "curl code" });
  await code.getByText(/E2A_API_KEY=e2a_[0-9a-f]{64}/).waitFor();
  await page.getByRole("button", { name: "Send a test mail" }).click();
  await page.getByText("A test mail is in its inbox").waitFor();
  await page.close();
});

inBrowser("an agent is made although the server's own settings have not come yet", async () => {
  const page = await context.newPage();
  await page.route("**/api/v1/info", () => {});
  await page.goto("/agents/new");
  await page.getByRole("textbox", { name: "Address" }).fill("at-once");
  await page.keyboard.press("Enter");
  await page.getByText("at-once@e2a.localhost is ready.").waitFor();
  await page.close();
});

inBrowser("mail that came while the live connection was down is there once it is back", async () => {
  const page = await context.newPage();
  const asked: string[] = [];
  const lines: { close(): Promise<void> }[] = [];
  await page.routeWebSocket("**/api/v1/events/ws*", (line) => {
    asked.push(new URL(line.url()).search);
    lines.push(line, line.connectToServer());
  });
  await page.goto("/inbox");
  await page.getByText("Live: changes appear automatically").waitFor({ state: "attached" });
  const row = (subject: string) => page.getByRole("listitem").filter({ hasText: subject });
  await mail("Heard at once");
  await row("Heard at once").waitFor();
  for (const line of lines) await line.close();
  await mail("Came in between");
  await row("Came in between").waitFor();
  expect(asked).toEqual(["", expect.stringMatching(/^\?after=evt_[0-9a-f]{32}$/)]);
  await page.close();
});

inBrowser("mail of the domain's own mailbox is shown as such, without a form that could not send", async () => {
  const role = "postmaster@e2a.localhost";
  const message = "From: admin@isp.example\r\nSubject: Your server\r\n\r\nPlease look.\r\n";
  await deliver(it.app.smtp.port, { from: "admin@isp.example", to: role, message });
  const page = await context.newPage();
  await page.goto(`/inbox?agent=${role}`);
  await page.getByRole("link", { name: "Your server" }).click();
  await page.getByText("only agents send").waitFor();
  expect(await page.getByRole("combobox", { name: "Agent" }).inputValue()).toBe(role);
  await page.keyboard.press("r");
  await page.keyboard.press("u");
  await page.getByRole("button", { name: "Mark unread" }).waitFor();
  expect(await page.getByRole("form", { name: "Reply" }).count()).toBe(0);
  expect(await page.getByRole("button", { name: /Reply|Forward/ }).count()).toBe(0);
  await page.close();
});
