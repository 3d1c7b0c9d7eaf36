/** Makes docs/dashboard.png, the picture of the README: `bun scripts/picture.ts` (Linux x64). */
import { join } from "node:path";
import { startChromium } from "../test/browser/chromium.ts";
import { firstVisit } from "../test/browser/visit.ts";
import { deliver } from "../test/smtp/smtp-client.ts";

const agent = "orders@e2a.localhost";
const received = [
  {
    from: "Dana Whitfield <dana@shop.example>",
    subject: "Order 4172 arrived damaged",
    text: "The lamp arrived today with a cracked base. Can you send another one?",
  },
  {
    from: "Omar Haddad <omar@studio.example>",
    subject: "Invoice for October",
    text: "Could you send the invoice for October again? The link in your last mail has expired.",
  },
  {
    from: "Priya Nair <priya@lab.example>",
    subject: "Do you ship to Norway?",
    text: "We would like to order twenty desk lamps for our office in Bergen.",
  },
];
const answers = [
  [
    "Hello Dana,",
    "I am sorry that the lamp arrived damaged. A new one leaves our warehouse today. Please keep the old one.",
    "You can follow the parcel here: https://parcels.example/4172",
    "Kind regards,\nOrders",
  ],
  ["Hello Omar,", "The October invoice is attached once more.", "Kind regards,\nOrders"],
  ["Hello Priya,", "Yes: delivery to Bergen takes five working days.", "Kind regards,\nOrders"],
];

const browser = await startChromium();
{
  await using visit = await firstVisit(browser);
  const { page, server, api } = visit;
  await page.setViewportSize({ width: 1200, height: 640 });
  await api("POST", "/agents", { slug: "orders", agent_mode: "local" });
  await api("PATCH", `/agents/${agent}`, { hitl_enabled: true, hitl_notify_email: false });
  for (const { from, subject, text } of received) {
    const message = [`From: ${from}`, `To: ${agent}`, `Subject: ${subject}`, "", text, ""].join("\r\n");
    await deliver(server.smtpPort, { from: /<(.*)>/.exec(from)?.[1] ?? "", to: agent, message });
  }
  const { messages } = await api("GET", `/agents/${agent}/messages?sort=asc`);
  for (const [i, paragraphs] of answers.entries())
    await api("POST", `/agents/${agent}/messages/${messages[i].message_id}/reply`, { body: paragraphs.join("\n\n") });
  await page.goto("/approvals");
  await page.getByRole("link", { name: "Order 4172" }).click();
  await page.getByText("A new one leaves our warehouse today.").first().waitFor();
  await page.screenshot({ path: join(import.meta.dir, "../docs/dashboard.png"), animations: "disabled" });
}
await browser.close();
