/** DNS advice for a domain that is already in use: its mail and its other senders must keep working. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { Browser } from "playwright-core";
import { chromiumRuns, startChromium } from "../../test/browser/chromium.ts";
import { firstVisit } from "../../test/browser/visit.ts";
import { startDnsServer } from "../../test/support/dns-server.ts";

let browser: Browser;
beforeAll(async () => {
  if (chromiumRuns) browser = await startChromium();
});
afterAll(() => browser?.close());

describe.skipIf(!chromiumRuns)("in a browser, on the compiled binary", () => {
  test("a company's MX stays, its SPF is merged, and agents get a domain of their own", async () => {
    await using dns = await startDnsServer();
    await using visit = await firstVisit(browser, { E2A_DNS_SERVERS: dns.address });
    const { page } = visit;
    dns.zone["acme.example"] = {
      MX: [{ exchange: "aspmx.provider.example", priority: 1 }],
      TXT: ["v=spf1 include:_spf.provider.example -all", "unrelated"],
    };
    const { verification_token, dns_records } = await visit.api("POST", "/domains", { domain: "acme.example" });
    await page.goto("/domains/acme.example");
    const record = (name: string) =>
      page.getByRole("list", { name: "DNS records" }).getByRole("listitem").filter({ hasText: name });

    await record("Mail in")
      .getByText("Leave it, and give agents a domain of their own: agents.acme.example.")
      .waitFor();
    // The page does not offer the record that would divert the company's mail.
    expect(await record("Mail in").getByText(dns_records.mx.value, { exact: true }).isVisible()).toBe(false);
    const merged = `v=spf1 a:${dns_records.mx.value} include:_spf.provider.example -all`;
    expect(await record("Senders").locator("dd").getByText(merged).isVisible()).toBe(true);
    const zone = await page.getByRole("region", { name: /zone file/ }).innerText();
    expect(zone).toContain(`"${merged}"`);
    // SPF fails with two records, so the import adds none.
    expect(zone.split("\n").filter((line) => line.includes("v=spf1") && !line.startsWith(";"))).toEqual([]);
    expect(zone).toContain("; acme.example. already has MX records, which stay as they are");
    expect(zone).not.toContain(" IN MX ");
    expect(zone).not.toContain(dns_records.spf.value);

    // "Verified" appears only for what is proven.
    dns.zone["acme.example"].TXT?.push(verification_token);
    await page.getByRole("button", { name: "Verify", exact: true }).click();
    const works = page.getByRole("list", { name: "What works" });
    await works.getByText("Ownership is proven").waitFor();
    expect(await works.getByRole("listitem").allInnerTexts()).toEqual([
      "Ownership is proven",
      "Incoming mail does not arrive here",
      "The DKIM signature cannot be checked",
      "SPF does not allow this server",
      "A DMARC policy is not published",
    ]);
    await page.getByText("5 of 6 records are not right").waitFor();
    await page.getByRole("navigation").getByRole("link", { name: "Domains" }).click();
    const row = page.getByRole("row").filter({ hasText: "acme.example" });
    await row.getByText("1 of 6 correct").waitFor();
    expect(await row.getByText("Verified").count()).toBe(0);

    await row.getByRole("link", { name: "acme.example" }).click();
    await page.getByRole("button", { name: "Add agents.acme.example" }).click();
    await page.getByRole("heading", { name: "agents.acme.example" }).waitFor();
    await record("Mail in").getByText("Not published yet").waitFor();
    expect(await record("Mail in").getByText(dns_records.mx.value, { exact: true }).isVisible()).toBe(true);
  }, 60_000);
});
