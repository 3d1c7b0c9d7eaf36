import { describe, expect, test } from "bun:test";
import { type HostName, hostName, sameOrganization } from "./host-name.ts";

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
    ["a full-width dot", "victim．com"],
    ["an ideographic dot", "victim。com"],
    ["a full-width slash", "victim.com／x.evil.com"],
    ["a soft hyphen", "vic\u00adtim.com"],
    ["a zero-width joiner", "victim\u200d.com"],
    ["a long label", `${"a".repeat(64)}.example`],
    ["a long name", `${"a.".repeat(126)}aa`],
    ["an IPv4 address", "192.0.2.1"],
    ["a hexadecimal address", "0x7f.0x1"],
    ["an address literal", "[192.0.2.1]"],
    ["an IPv6 literal", "[IPv6:2001:db8::1]"],
  ])("is not a text with %s", (_name, text) => {
    expect(hostName(text)).toBeNull();
  });
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

/** What URL readers, name mappings, shells and printf treat specially. */
const special = [
  ..."/?#@:\\%[]()<>\"'`~!$&*+,;=^|{} \t\r\n\0_",
  ..."．。｡／？＃＠％\u00ad\u200b\u200d\u2060\ufeff\ufdd0\ufffe\ufffd\u0130\u1e9e\u202e\u00a0ｖ",
  "\ud800",
  "%2f",
  "%00",
  "&#46;",
  "://",
  "xn--",
  "..",
];

/** A small generator of pseudo-random numbers (mulberry32), so that a failure comes again. */
function generator(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

test("no mutation of a victim's name belongs to the victim unless it is a sub-domain by its labels", () => {
  const random = generator(12);
  const victims = ["victim.com", "agents.example", "victim.co.uk", "tenant.github.io", "xn--bcher-kva.example"];
  let names = 0;
  for (let i = 0; i < 20_000; i++) {
    const victim = checked(victims[random(victims.length)] as string);
    let text = [`${victim}`, `${victim}.evil.com`, `evil.com.${victim}`, `x.${victim}`][random(4)] as string;
    for (let changes = 1 + random(3); changes > 0; changes--) {
      const at = random(text.length + 1);
      text = text.slice(0, at) + special[random(special.length)] + text.slice(at + random(2));
    }
    if (random(4) === 0) text = text.toUpperCase();
    const name = hostName(text);
    if (name === null) continue;
    names++;
    // Whatever passes is a name that DNS is asked for as it is, and that the URL reading of others leaves as it is.
    expect(name).toMatch(/^[a-z0-9-]+(\.[a-z0-9-]+)+$/);
    expect(hostName(name)).toBe(name);
    if (sameOrganization(name, victim)) expect(`.${name}`.endsWith(`.${victim}`)).toBe(true);
  }
  // Mutations that leave a name behind are rare, and there have to be some.
  expect(names).toBeGreaterThan(20);
});
