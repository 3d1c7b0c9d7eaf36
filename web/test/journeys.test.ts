import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { Browser, Page } from "playwright-core";
import { chromiumRuns, startChromium } from "../../test/browser/chromium.ts";
import { firstVisit } from "../../test/browser/visit.ts";
import { deliver } from "../../test/smtp/smtp-client.ts";
import { startDnsServer } from "../../test/support/dns-server.ts";
import { startSink } from "../../test/support/sink.ts";

let browser: Browser;
beforeAll(async () => {
  if (chromiumRuns) browser = await startChromium();
});
afterAll(() => browser?.close());

const goTo = (page: Page, name: string) => page.getByRole("navigation").getByRole("link", { name }).click();

/** Waits for the first match: some texts also exist for screen readers. */
const shows = (page: Page, text: string) => page.getByText(text).first().waitFor();

describe.skipIf(!chromiumRuns)("in a browser, on the compiled binary", () => {
  test("from the console's link to the first approved mail, without a reload", async () => {
    await using visit = await firstVisit(browser);
    const { page, server } = visit;
    const loads: string[] = [];
    page.on("load", () => loads.push(page.url()));

    await goTo(page, "Agents");
    await page.getByRole("link", { name: "New agent" }).first().click();
    await page.getByRole("textbox", { name: "Address" }).fill("my-bot");
    await page.getByRole("button", { name: "Create agent" }).click();
    await shows(page, "my-bot@e2a.localhost is ready.");
    await visit.api("POST", "/agents", { slug: "friend", agent_mode: "local" });

    await goTo(page, "Inbox");
    await shows(page, "No mail yet");
    const message = "From: Bob <bob@example.com>\r\nSubject: Are you there?\r\n\r\nI have a question.\r\n";
    await deliver(server.smtpPort, { from: "bob@example.com", to: "my-bot@e2a.localhost", message });
    await page.getByRole("link", { name: "Are you there?" }).click();
    await shows(page, "I have a question.");

    await goTo(page, "Agents");
    await page.getByRole("link", { name: "my-bot@e2a.localhost" }).click();
    await page.getByRole("tab", { name: "Gate" }).click();
    await page.getByRole("switch", { name: "A person approves outbound mail" }).click();
    await page.getByRole("heading", { name: "What is held" }).waitFor();

    await goTo(page, "Keys and secrets");
    await page.getByRole("button", { name: "New key" }).first().click();
    await page.getByLabel("Purpose").fill("my-bot on the VPS");
    await page.getByLabel("Agent", { exact: true }).selectOption("my-bot@e2a.localhost");
    await page.getByRole("button", { name: "Create key" }).click();
    const key = await page.getByRole("region", { name: "The new key" }).locator("code").innerText();
    await page.getByRole("button", { name: "I have saved it" }).click();
    await shows(page, "my-bot on the VPS");

    await goTo(page, "Approvals");
    await shows(page, "Nothing waits");
    const held = await fetch(`${server.ready.http}/api/v1/send`, {
      method: "POST",
      headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
      body: JSON.stringify({ to: ["friend@e2a.localhost"], subject: "Hello friend", body: "May I?" }),
    });
    expect(held.status).toBe(202);
    await page.getByRole("link", { name: "Hello friend" }).waitFor();
    await page.keyboard.press("j");
    await shows(page, "A person must approve every message");
    await shows(page, "May I?");
    await page.keyboard.press("a");
    await shows(page, "Approved and sent");
    await shows(page, "Nothing waits");

    await goTo(page, "Outbox");
    await page.getByRole("link", { name: "Hello friend" }).click();
    await page.getByRole("list", { name: "Recipients" }).getByText("delivered", { exact: true }).waitFor();
    await goTo(page, "Audit");
    await shows(page, "in the dashboard");
    expect(loads).toEqual([]);
  }, 30_000);

  test("a domain: what to publish, what was found instead, verified", async () => {
    await using dns = await startDnsServer();
    await using visit = await firstVisit(browser, { E2A_DNS_SERVERS: dns.address });
    const { page } = visit;
    dns.zone["agents.example.com"] = { MX: [{ exchange: "mx.elsewhere.example", priority: 5 }] };
    await goTo(page, "Domains");
    await page.getByRole("button", { name: "Add a domain" }).first().click();
    await page.getByRole("textbox", { name: "Domain" }).fill("Agents.Example.com");
    await page.getByRole("button", { name: "Add domain" }).click();

    await page.getByRole("heading", { name: "agents.example.com" }).waitFor();
    const record = (name: string) =>
      page.getByRole("list", { name: "DNS records" }).getByRole("listitem").filter({ hasText: name });
    await record("Mail in").getByText("mx.elsewhere.example", { exact: true }).waitFor();
    await record("Mail in").getByText("Has another value").waitFor();
    await record("Proves that the domain is yours").getByText("Not published yet").waitFor();

    const { dns_records } = await visit.api("GET", "/domains/agents.example.com");
    const { mx, txt } = dns_records;
    dns.zone["agents.example.com"] = { MX: [{ exchange: mx.value, priority: mx.priority }], TXT: [txt.value] };
    await page.getByRole("button", { name: "Look again" }).click();
    await record("Mail in").getByText("Published").waitFor();
    await page.getByRole("button", { name: "Verify", exact: true }).click();
    await shows(page, "agents.example.com is verified");
    await shows(page, "4 of 6 records are not right");
  }, 20_000);

  test("a webhook that fails is seen failing, mended, and gets what it missed once more", async () => {
    await using sink = startSink();
    await using visit = await firstVisit(browser);
    const { page } = visit;
    sink.answer = () => new Response("out of order", { status: 410 });
    await goTo(page, "Webhooks");
    await page.getByRole("button", { name: "New webhook" }).first().click();
    await page.getByLabel("URL").fill(sink.url);
    await page.getByRole("button", { name: "Create webhook" }).click();
    await page.getByRole("button", { name: "Send a test" }).click();
    const result = page.getByRole("region", { name: "The test" });
    await result.getByText("Failed").waitFor();
    await result.getByText("out of order").waitFor();

    sink.answer = () => new Response("thanks", { status: 200 });
    await result.getByRole("link", { name: "In the log" }).click();
    await page.getByRole("button", { name: "Deliver again" }).click();
    await page.getByRole("region", { name: "Answer to attempt 1" }).getByText("thanks").waitFor();
    const list = page.getByRole("list", { name: "Deliveries, newest first" });
    await list.getByText("Delivered").waitFor();
    await list.getByText("Failed").waitFor();
    const ids = sink.requests.map(({ headers }) => headers["webhook-id"]);
    expect(ids).toHaveLength(2);
    expect(new Set(ids).size).toBe(1);
  }, 20_000);

  test("a browser that is signed out elsewhere is out by itself", async () => {
    await using visit = await firstVisit(browser);
    const { page, server } = visit;
    const { key } = await visit.api("POST", "/keys", { name: "mine", scope: "account" });
    const other = await browser.newContext({ baseURL: server.ready.http });
    const stranger = await other.newPage();
    await stranger.goto("/events");
    await stranger.getByLabel("API key of the account").fill(key);
    await stranger.getByRole("button", { name: "Sign in" }).click();
    await stranger.getByRole("heading", { name: "Events" }).waitFor();

    await goTo(page, "Settings");
    const browsers = page.getByRole("list", { name: "Signed-in browsers" });
    await browsers.getByRole("listitem").nth(1).waitFor();
    await page.getByRole("button", { name: "Sign out all others" }).click();
    await browsers.getByRole("listitem").nth(1).waitFor({ state: "detached" });
    await stranger.waitForURL(/\/api\/auth\/login/);
    await other.close();
    await goTo(page, "Overview");
    await page.getByRole("heading", { name: "Overview" }).waitFor();
  }, 30_000);
});
