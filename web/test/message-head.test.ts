import { expect, test } from "bun:test";
import { chromiumRuns, signedIn, startChromium } from "../../test/browser/chromium.ts";
import { deliver } from "../../test/smtp/smtp-client.ts";
import { startTestApp } from "../../test/support/app.ts";

const agent = "reader@e2a.localhost";

test.skipIf(!chromiumRuns)("a message's head says what it answers, in the sender's own words", async () => {
  await using it = await startTestApp();
  await it.api("POST", "/api/v1/agents", { slug: "reader", agent_mode: "local" });
  const browser = await startChromium();
  try {
    const page = await (await signedIn(browser, it)).newPage();
    for (const [field, shown] of [
      ["In-Reply-To: <question@client.example>\r\n", ["<question@client.example>"]],
      ["In-Reply-To: <qu\u202eestion@client.example>\r\n", ["<qu⟨U+202E⟩estion@client.example>"]],
      ["", []],
    ] as const) {
      const message = `From: ann@client.example\r\nSubject: Re\r\n${field}\r\nYes\r\n`;
      await deliver(it.app.smtp.port, { from: "ann@client.example", to: agent, message });
      const { body } = await it.api("GET", `/api/v1/agents/${agent}/messages?sort=desc&page_size=1`);
      await page.goto(`/inbox/${agent}/${body.messages[0].message_id}`);
      await page.getByText("Yes").first().waitFor();
      const label = page.getByText("In reply to", { exact: true });
      expect(await label.locator("xpath=following-sibling::span").allTextContents()).toEqual([...shown]);
    }
  } finally {
    await browser.close();
  }
});

test.skipIf(!chromiumRuns)("a message's head says which list it came through", async () => {
  await using it = await startTestApp();
  await it.api("POST", "/api/v1/agents", { slug: "reader", agent_mode: "local" });
  const fields = "List-Id: Developers <dev.lists.example>\r\nPrecedence: bulk\r\n";
  const message = `From: max@client.example\r\nSubject: Release\r\n${fields}\r\nOn Friday?\r\n`;
  await deliver(it.app.smtp.port, { from: "max@client.example", to: agent, message });
  const { body } = await it.api("GET", `/api/v1/agents/${agent}/messages`);
  const browser = await startChromium();
  try {
    const page = await (await signedIn(browser, it)).newPage();
    await page.goto(`/inbox/${agent}/${body.messages[0].message_id}`);
    await page.getByText("On Friday?").first().waitFor();
    const after = (label: string) =>
      page.getByText(label, { exact: true }).locator("xpath=following-sibling::span").allTextContents();
    expect(await after("Mailing list")).toEqual(["dev.lists.example"]);
    expect(await after("Precedence")).toEqual(["bulk"]);
  } finally {
    await browser.close();
  }
});
