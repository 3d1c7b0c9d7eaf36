import { describe, expect, test } from "bun:test";
import { generator, mutated } from "../../test/attacks/mutations.ts";
import { asciiDomain, type HostName, hostName, sameOrganization, typedDomain } from "./host-name.ts";

describe("a host name", () => {
  test.each([
    ["example.com", "example.com"],
    ["MAIL.Example.COM", "mail.example.com"],
    ["xn--bcher-kva.example", "xn--bcher-kva.example"],
    ["bücher.example", "xn--bcher-kva.example"],
    ["BÜCHER.example", "xn--bcher-kva.example"],
    ["bu\u0308cher.example", "xn--bcher-kva.example"],
    ["xn--bcher-kva.bücher.example", "xn--bcher-kva.xn--bcher-kva.example"],
    ["straße.example", "xn--strae-oqa.example"],
    ["e2a.localhost", "e2a.localhost"],
    ["1.example", "1.example"],
    ["co.uk", "co.uk"],
    [`${"a".repeat(63)}.example`, `${"a".repeat(63)}.example`],
    [`${"a.".repeat(126)}b`, `${"a.".repeat(126)}b`],
  ])("%s is %s", (text, expected) => {
    expect(hostName(text) as string | null).toBe(expected);
  });

  test.each([
    ["nothing", ""],
    ["one label", "localhost"],
    ["a root dot", "example.com."],
    ["the root", "."],
    ["an empty label", "example..com"],
    ["a dot first", ".example.com"],
    ["a path", "victim.com/@x.evil.com"],
    ["a query", "victim.com?@x.evil.com"],
    ["a fragment", "victim.com#x.evil.com"],
    ["a back-slash", "victim.com\\x.evil.com"],
    ["a user", "x@victim.com"],
    ["a port", "victim.com:25"],
    ["a percent sign", "victim.com%2f.evil.com"],
    ["an encoded dot", "victim%2ecom"],
    ["a non-character", "victim.com\ufdd0x.evil.com"],
    ["NUL", "victim.com\u0000.evil.com"],
    ["a space", " victim.com"],
    ["a line end", "victim.com\n"],
    ["an underscore", "my_host.example.com"],
    ["a hyphen first", "-victim.com"],
    ["full-width letters", "ｖictim.com"],
    ["a Kelvin sign", "\u212aim.example"],
    ["a long s", "ba\u017fe.example"],
    ["a full-width dot", "victim．com"],
    ["an ideographic dot", "victim。com"],
    ["a full-width slash", "victim.com／x.evil.com"],
    ["a soft hyphen", "vic\u00adtim.com"],
    ["a zero-width joiner", "victim\u200d.com"],
    ["a long label", `${"a".repeat(64)}.example`],
    ["a long name", `${"a.".repeat(126)}aa`],
    ["a name that is long as A-labels", `${"ü.".repeat(40)}example`],
    ["an IPv4 address", "192.0.2.1"],
    ["a hexadecimal address", "0x7f.0x1"],
    ["an address literal", "[192.0.2.1]"],
    ["an IPv6 literal", "[IPv6:2001:db8::1]"],
  ])("is not a text with %s", (_name, text) => {
    expect(hostName(text)).toBeNull();
  });
});

test.each([
  ["of 253 characters", `${"a.".repeat(126)}b`, true],
  ["of 253 characters and the root dot", `${"a.".repeat(126)}b.`, true],
  ["of 254 characters", `${"a.".repeat(125)}abcd`, false],
  ["of more than 253 characters as A-labels", `${"ü.".repeat(40)}example`, false],
  ["of a megabyte", "a.".repeat(500_000), false],
])("the domain %s of an address is stored: %p", (_name, text, isStored) => {
  const expected = isStored ? text.replace(/\.$/, "") : null;
  expect([asciiDomain(text), typedDomain(text)]).toEqual([expected, expected]);
});

const checked = (text: string) => hostName(text) as HostName;

test.each([
  ["mail.example.com", "example.com", true],
  ["example.com", "example.com", true],
  ["example.com", "example.net", false],
  ["example.co.uk", "co.uk", false],
  ["a.co.uk", "b.co.uk", false],
  ["alice.github.io", "github.io", false],
  ["alice.github.io", "bob.github.io", false],
  ["victim.com.evil.com", "victim.com", false],
  ["com.victim.com", "victim.com", true],
])("%s and %s belong together: %p", (a, b, expected) => {
  expect(sameOrganization(checked(a), checked(b))).toBe(expected);
});

test("no mutation of a victim's name belongs to the victim unless it is a sub-domain by its labels", () => {
  const random = generator(12);
  const victims = ["victim.com", "agents.example", "victim.co.uk", "tenant.github.io", "xn--bcher-kva.example"];
  let names = 0;
  for (let i = 0; i < 20_000; i++) {
    const victim = checked(victims[random(victims.length)] as string);
    const text = mutated(victim, random);
    const name = hostName(text);
    if (name === null) continue;
    names++;
    // A name that passes goes to DNS unchanged, and URL parsers leave it unchanged.
    expect(name).toMatch(/^[a-z0-9-]+(\.[a-z0-9-]+)+$/);
    expect(hostName(name)).toBe(name);
    if (sameOrganization(name, victim)) expect(`.${name}`.endsWith(`.${victim}`)).toBe(true);
  }
  // Most mutations break the name; enough must survive for the test to mean something.
  expect(names).toBeGreaterThan(500);
});
