import { expect, test } from "bun:test";
import type { GateRules } from "../mail.ts";
import { type Gate, type GateFacts, gateHold, readAllowEntry } from "./gate.ts";

const gate = (rules: GateRules | null, allow: string[] = []): Gate => ({ enabled: true, rules, allow });
const mail = (facts: Partial<GateFacts> = {}): GateFacts => ({
  recipients: ["ann@example.com"],
  outside: [],
  firstTime: [],
  attachments: [],
  subject: "Hello",
  text: "Hello Ann",
  html: null,
  seenHosts: new Set(),
  unverified: false,
  ...facts,
});
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

test.each<[string, Gate, GateFacts]>([
  ["a gate that is off", { enabled: false, rules: null, allow: [] }, mail()],
  ["nothing that the rules name", gate(everything), mail()],
  ["all recipients allowed by address", gate(null, ["ann@example.com"]), mail()],
  ["all recipients allowed by domain", gate(null, ["example.com"]), mail()],
  ["an address in other letters", gate(null, ["xn--bcher-kva.example"]), mail({ recipients: ["Ann@Bücher.example"] })],
  [
    "only known hosts",
    gate({ new_links: true }),
    mail({ text: "https://A.example/", seenHosts: new Set(["a.example"]) }),
  ],
  ["exactly as many recipients", gate({ max_recipients: 1 }), mail()],
  [
    "an allowed newcomer among acquaintances",
    gate({ first_time: true, outside: true }, ["new@example.org"]),
    mail({ recipients: ["ann@example.com", "new@example.org"], firstTime: ["new@example.org"] }),
  ],
])("passes: %s", (_, policy, facts) => {
  expect(gateHold(policy, facts)).toBeNull();
});

const all = { rule: "approval", reason: "Every message of this agent waits for a person's approval." } as const;

test.each<[string, Gate, GateFacts]>([
  ["no rules", gate(null), mail()],
  ["rules with nothing in them", gate({}), mail()],
  ["rules all switched off", gate({ outside: false, patterns: [] }), mail()],
  ["a sub-address of an allowed one", gate(null, ["ann@example.com"]), mail({ recipients: ["ann+x@example.com"] })],
  ["a subdomain of an allowed one", gate(null, ["example.com"]), mail({ recipients: ["ann@mail.example.com"] })],
  ["the end of a name", gate(null, ["example.com"]), mail({ recipients: ["ann@badexample.com"] })],
  ["one of two allowed", gate(null, ["ann@example.com"]), mail({ recipients: ["ann@example.com", "bob@example.org"] })],
  [
    "an address that hides another",
    gate(null, ["example.com"]),
    mail({ recipients: ["bob@evil.example@example.com"] }),
  ],
  ["nobody", gate(null, ["example.com"]), mail({ recipients: [] })],
])("holds everything: %s", (_, policy, facts) => {
  expect(gateHold(policy, facts)).toEqual(all);
});

test.each<[GateRules, Partial<GateFacts>, string, string]>([
  [{ outside: true }, { outside: ["ann@example.com"] }, "outside", "It leaves this server for ann@example.com."],
  [
    { first_time: true },
    { firstTime: ["ann@example.com", "b@c.example"] },
    "first_time",
    "It goes to ann@example.com and b@c.example, to whom this agent has never written.",
  ],
  [
    { max_recipients: 2 },
    { recipients: ["a@b.example", "b@b.example", "c@b.example"] },
    "max_recipients",
    "It has 3 recipients, more than 2.",
  ],
  [{ max_recipients: 0 }, {}, "max_recipients", "It has 1 recipient, more than 0."],
  [{ attachments: true }, { attachments: [attachment("a.pdf")] }, "attachments", "It has attached a.pdf."],
  [
    { attachments: true },
    { attachments: ["a", "b", "c", "fdp.\u202eexe\r\n", ""].map(attachment) },
    "attachments",
    "It has attached a, b, c and 2 more.",
  ],
  [
    { new_links: true },
    { text: "https://bank.example@evil.example/", seenHosts: new Set(["bank.example"]) },
    "new_links",
    "It links to evil.example, which the conversation has not seen.",
  ],
  [
    { new_links: true },
    {
      html: "<a href='javascript:x'>y</a><a href='https://['>z</a>",
      seenHosts: new Set(["javascript:", "unreadable:"]),
    },
    "new_links",
    "It links to a javascript: address and an address that cannot be read, which the conversation has not seen.",
  ],
  [{ new_links: true }, { html: " ".repeat(2_000_000) }, "new_links", "It is too long to be searched for links."],
  [{ unverified: true }, { unverified: true }, "unverified", "The conversation has mail from an unproven sender."],
  [{ patterns: ["secrets"] }, { subject: "Password: hK3vTq9z" }, "pattern", "It holds what looks like a password."],
  [{ patterns: ["acme*merger"] }, { text: "ACME merger" }, "pattern", 'It matches the pattern "acme*merger".'],
  [{ patterns: ["*.key"] }, { attachments: [attachment("my.key")] }, "pattern", 'It matches the pattern "*.key".'],
  [{ patterns: ["x"] }, { text: "a".repeat(2_000_000) }, "pattern", "It is too long to be searched for patterns."],
  [
    { first_time: true, new_links: true },
    { firstTime: ["ann@example.com"], text: "https://evil.example" },
    "new_links",
    "It links to evil.example, which the conversation has not seen, and it goes to ann@example.com, to whom this agent has never written.",
  ],
])("%j holds %j", (rules, facts, rule, reason) => {
  expect(gateHold(gate(rules), mail(facts))).toEqual({ rule, reason } as ReturnType<typeof gateHold>);
});

test("a reason of every rule at once is one bounded sentence that quotes no secret", () => {
  const long = Array.from(
    { length: 50 },
    (_, i) => `${"n".repeat(60)}${i}@${"d".repeat(60)}.${"e".repeat(60)}.example`,
  );
  const hold = gateHold(
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
  expect(hold?.rule).toBe("pattern");
  expect(hold?.reason.length).toBeLessThanOrEqual(500);
  expect(hold?.reason).toEndWith(".");
  expect(hold?.reason).not.toContain("hK3vTq9z");
  for (const part of ["looks like", "unproven", "links to", "never written", "leaves", "attach", "50 recipients"])
    expect(hold?.reason).toContain(part);
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
