import { expect, test } from "bun:test";
import { chromiumRuns, signedIn, startChromium } from "../../test/browser/chromium.ts";
import { deliver } from "../../test/smtp/smtp-client.ts";
import { startTestApp } from "../../test/support/app.ts";

const agent = "reader@e2a.localhost";

/** A message with a text, and with files: a message in a message, and a PDF beside it. */
const lines = [
  ...["From: dana@corp.example", "Subject: For you", "Content-Type: multipart/mixed; boundary=out", ""],
  ...["--out", "Content-Type: text/plain", "", "See the attached message.", "--out"],
  ...["Content-Type: message/rfc822", 'Content-Disposition: attachment; filename="note.eml"', ""],
  ...["From: Supplier <sales@supplier.example>", "To: dana@corp.example", "Subject: Delivery note"],
  ...["Date: Sun, 29 Nov 2026 18:02:00 +0100", "Content-Type: multipart/mixed; boundary=in", ""],
  ...["--in", "Content-Type: text/html", "", '<p>Four pallets.</p><p style="display:none">Five thousand pallets.</p>'],
  ...["--in", "Content-Type: message/rfc822", ""],
  ...["From: driver@truck.example", "Subject: On the way", "Date: Sun, 29 Nov 2026 17:02:00 +0100", ""],
  ...["The truck has left.", "--in", 'Content-Type: application/pdf; name="note.pdf"', ""],
  ...["%PDF", "--in--", "--out--", ""],
];

test.skipIf(!chromiumRuns)("an attached message is read in the dashboard, and one inside it", async () => {
  await using it = await startTestApp();
  await it.api("POST", "/api/v1/agents", { slug: "reader", agent_mode: "local" });
  await deliver(it.app.smtp.port, { from: "dana@corp.example", to: agent, message: lines.join("\r\n") });
  const { body } = await it.api("GET", `/api/v1/agents/${agent}/messages`);
  const browser = await startChromium();
  try {
    const page = await (await signedIn(browser, it)).newPage();
    await page.goto(`/inbox/${agent}/${body.messages[0].message_id}`);
    await page.getByRole("button", { name: "Read note.eml" }).click();
    const dialog = page.getByRole("dialog", { name: "Attached message" });
    await dialog.getByText("Four pallets.").waitFor();
    const shown = await dialog.innerText();
    for (const words of ["Supplier", "sales@supplier.example", "dana@corp.example", "Delivery note", "nothing proves"])
      expect(shown).toContain(words);
    expect(shown).not.toContain("Five thousand");
    expect(shown).toMatch(/readers do not see/);

    const file = dialog.getByRole("link", { name: /note\.pdf/ });
    const download = await page.request.get((await file.getAttribute("href")) ?? "");
    expect((await download.text()).trim()).toBe("%PDF");

    await dialog.getByRole("button", { name: /^Read / }).click();
    await dialog.getByText("The truck has left.").waitFor();
    expect(await dialog.innerText()).toContain("driver@truck.example");
    await page.keyboard.press("Escape");
    await dialog.waitFor({ state: "hidden" });
    expect(await page.getByRole("button", { name: /^Read / }).allTextContents()).toEqual(["Read"]);
  } finally {
    await browser.close();
  }
});
