import { expect, test } from "bun:test";
import type { GateRules } from "../mail.ts";
import { type Gate, type GateFacts, gateHold, readAllowEntry } from "./gate.ts";
import { searchOutgoing } from "./search.ts";

const gate = (rules: GateRules | null, allow: string[] = []): Gate => ({ enabled: true, rules, allow });
type Facts = Partial<Omit<GateFacts, "search">> & {
  subject?: string;
  text?: string;
  html?: string;
  /** The conversation so far. */
  seen?: string;
};
const mail = (facts: Facts = {}): Facts => facts;
/** The gate's decision after a real search. */
async function hold(policy: Gate, { subject = "Hello", text = "Hello Ann", html, seen = "", ...facts }: Facts) {
  const files = (facts.attachments ?? []).map((file) => ({
    ...{ filename: file.filename, contentType: "text/plain", content: Buffer.from("Hello") },
  }));
  const people = { to: [], cc: [], bcc: [], replyTo: [] };
  const search = await searchOutgoing({
    message: {
      ...{ ...people, subject, text, html: html ?? null, inReplyTo: null, references: [], headers: [] },
      attachments: files,
    },
    patterns: policy.rules?.patterns ?? [],
    links: policy.rules?.new_links
      ? {
          recipients: ["ann@example.com"],
          seen: [{ subject: "", text: seen, html: null, seenBy: ["ann@example.com"] }],
        }
      : null,
  });
  return gateHold(policy, {
    ...{ recipients: ["ann@example.com"], outside: [], firstTime: [], attachments: [], unverified: false },
    ...facts,
    search,
  });
}
const attachment = (filename: string) => ({ filename, content_type: "application/pdf" });
const everything: GateRules = {
  outside: true,
  first_time: true,
  max_recipients: 1,
  attachments: true,
  new_links: true,
  unverified: true,
  patterns: ["secrets", "acme*merger"],
};

test.each<[string, Gate, Facts]>([
  ["a gate that is off", { enabled: false, rules: null, allow: [] }, mail()],
  ["nothing that the rules name", gate(everything), mail()],
  ["all recipients allowed by address", gate(null, ["ann@example.com"]), mail()],
  ["all recipients allowed by domain", gate(null, ["example.com"]), mail()],
  ["an address in other letters", gate(null, ["xn--bcher-kva.example"]), mail({ recipients: ["Ann@Bücher.example"] })],
  ["only known hosts", gate({ new_links: true }), mail({ text: "https://A.example/", seen: "http://a.example" })],
  ["exactly as many recipients", gate({ max_recipients: 1 }), mail()],
  [
    "an allowed newcomer among acquaintances",
    gate({ first_time: true, outside: true }, ["new@example.org"]),
    mail({ recipients: ["ann@example.com", "new@example.org"], firstTime: ["new@example.org"] }),
  ],
])("passes: %s", async (_, policy, facts) => {
  expect(await hold(policy, facts)).toBeNull();
});

const all = { rule: "approval", reason: "A person must approve every message of this agent." } as const;

test.each<[string, Gate, Facts]>([
  ["no rules", gate(null), mail()],
  ["rules with nothing in them", gate({}), mail()],
  ["rules all switched off", gate({ outside: false, patterns: [] }), mail()],
  ["a sub-address of an allowed one", gate(null, ["ann@example.com"]), mail({ recipients: ["ann+x@example.com"] })],
  ["a route by an allowed domain", gate(null, ["example.com"]), mail({ recipients: ["eve%evil.example@example.com"] })],
  ["an older route by one", gate(null, ["example.com"]), mail({ recipients: ["evil.example!eve@example.com"] })],
  ["a subdomain of an allowed one", gate(null, ["example.com"]), mail({ recipients: ["ann@mail.example.com"] })],
  ["the end of a name", gate(null, ["example.com"]), mail({ recipients: ["ann@badexample.com"] })],
  ["one of two allowed", gate(null, ["ann@example.com"]), mail({ recipients: ["ann@example.com", "bob@example.org"] })],
  [
    "an address that hides another",
    gate(null, ["example.com"]),
    mail({ recipients: ["bob@evil.example@example.com"] }),
  ],
  ["nobody", gate(null, ["example.com"]), mail({ recipients: [] })],
])("holds everything: %s", async (_, policy, facts) => {
  expect(await hold(policy, facts)).toEqual(all);
});

test.each<[GateRules, Facts, string, string]>([
  [{ outside: true }, { outside: ["ann@example.com"] }, "outside", "It goes to ann@example.com, outside this account."],
  [
    { first_time: true },
    { firstTime: ["ann@example.com", "b@c.example"] },
    "first_time",
    "It goes to ann@example.com and b@c.example, which this agent has neither written to nor received verified mail from.",
  ],
  [
    { max_recipients: 2 },
    { recipients: ["a@b.example", "b@b.example", "c@b.example"] },
    "max_recipients",
    "It has 3 recipients, more than 2.",
  ],
  [{ max_recipients: 0 }, {}, "max_recipients", "It has 1 recipient, more than 0."],
  [{ attachments: true }, { attachments: [attachment("a.pdf")] }, "attachments", "It attaches “a.pdf”."],
  [
    { attachments: true },
    { attachments: ["a", "b", "c", "fdp.\u202eexe\r\n", ""].map(attachment) },
    "attachments",
    "It attaches “a”, “b”, “c” and 2 more.",
  ],
  [
    { attachments: true },
    { attachments: ["fdp.\u202eexe\u200b\r\n"].map(attachment) },
    "attachments",
    "It attaches “fdp.exe”.",
  ],
  [
    { new_links: true },
    { text: "https://bank.example@evil.example/", seen: "https://bank.example" },
    "new_links",
    "It links to evil.example, which a recipient has not seen in this conversation.",
  ],
  [
    { new_links: true },
    {
      html: "<a href='javascript:x'>y</a><a href='https://['>z</a>",
      seen: "javascript:y http://[",
    },
    "new_links",
    "It links to a javascript: address and an address that cannot be read, which a recipient has not seen in this conversation.",
  ],
  [{ new_links: true }, { html: " ".repeat(2_000_000) }, "new_links", "It is too long to search for links."],
  [
    { unverified: true },
    { unverified: true },
    "unverified",
    "The conversation or a recipient has mail from an unproven sender.",
  ],
  [
    { patterns: ["secrets"] },
    { subject: "Password: hK3vTq9z" },
    "pattern",
    "It contains what looks like a password in the subject.",
  ],
  [
    { patterns: ["acme*merger"] },
    { text: "ACME merger" },
    "pattern",
    'It matches the pattern "acme*merger" in the text.',
  ],
  [
    { patterns: ["*.key"] },
    { attachments: [attachment("my.key")] },
    "pattern",
    'It matches the pattern "*.key" in a file name.',
  ],
  [{ patterns: ["zz"] }, { text: "a".repeat(2_000_000) }, "pattern", "It is too long to search for patterns."],
  [
    { first_time: true, new_links: true },
    { firstTime: ["ann@example.com"], text: "https://evil.example" },
    "new_links",
    "It links to evil.example, which a recipient has not seen in this conversation, and it goes to ann@example.com, which this agent has neither written to nor received verified mail from.",
  ],
])("%j holds %j", async (rules, facts, rule, reason) => {
  expect(await hold(gate(rules), facts)).toEqual({ rule, reason } as ReturnType<typeof gateHold>);
});

test("a reason of every rule at once is one bounded sentence that quotes no secret", async () => {
  const long = Array.from(
    { length: 50 },
    (_, i) => `${"n".repeat(60)}${i}@${"d".repeat(60)}.${"e".repeat(60)}.example`,
  );
  const held = await hold(
    gate({ ...everything, patterns: ["secrets", ...Array.from({ length: 49 }, (_, i) => `${"x".repeat(190)}*${i}`)] }),
    mail({
      recipients: long,
      outside: long,
      firstTime: long,
      attachments: long.map(attachment),
      text: `Password: hK3vTq9z ${"x".repeat(190)} 0123456789 https://${"e".repeat(60)}.example`,
      unverified: true,
    }),
  );
  expect(held?.rule).toBe("pattern");
  expect(held?.reason.length).toBeLessThanOrEqual(500);
  expect(held?.reason).toEndWith(".");
  expect(held?.reason).not.toContain("hK3vTq9z");
  for (const part of ["looks like", "unproven", "links to", "verified mail", "outside", "attach", "50 recipients"])
    expect(held?.reason).toContain(part);
});

test.each<[string, string]>([
  ["Ann@Example.com", "ann@example.com"],
  [" ann+x@example.com ", "ann+x@example.com"],
  ["Example.COM", "example.com"],
  ["Bücher.example", "xn--bcher-kva.example"],
  ["jörg@BÜCHER.example", "jörg@xn--bcher-kva.example"],
])("%p is the allow entry %p", (text, entry) => {
  expect(readAllowEntry(text)).toEqual({ entry });
});

test.each([
  ..."@example.com *.example.com *@example.com * example .example example. a@b@c https://example.com 192.0.2.1".split(
    " ",
  ),
  ...[
    "",
    " ",
    "Ann <ann@example.com>",
    "a b.example",
    "example.com/x",
    "exa\u200bmple.com",
    "example%2ecom",
    "a,b.example",
  ],
])("%p is no allow entry", (text) => {
  expect(readAllowEntry(text)).toHaveProperty("problem");
});
