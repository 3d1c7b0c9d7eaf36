import { describe, expect, test } from "bun:test";
import { limitKey, networkTest, plainAddress } from "./client-address.ts";

test.each([
  ["192.0.2.1", "192.0.2.1"],
  ["::ffff:192.0.2.1", "192.0.2.1"],
  ["::FFFF:c000:201", "192.0.2.1"],
  ["2001:DB8:0:0::1", "2001:db8::1"],
  ["::1", "::1"],
  ["01.2.3.4", "1.2.3.4"],
  ["127.1", "127.0.0.1"],
  ["1.2.3.256", ""],
  ["host.example", ""],
  [undefined, ""],
])("%p is plainly %p", (address, plain) => {
  expect(plainAddress(address)).toBe(plain);
});

test("an IPv6 client is its /64, an IPv4 client its address", () => {
  expect(limitKey("2001:db8:1:2:aaaa::1")).toBe(limitKey("2001:db8:1:2:bbbb:cccc:dddd:eeee"));
  expect(limitKey("2001:db8:1:2::1")).not.toBe(limitKey("2001:db8:1:3::1"));
  expect(limitKey("192.0.2.1")).not.toBe(limitKey("192.0.2.2"));
});

describe("networks", () => {
  const isInside = networkTest(["10.0.0.0/8", "192.0.2.7", "2001:db8::/32", "::ffff:198.51.100.1"]);
  test.each([
    ["10.255.0.1", true],
    ["11.0.0.1", false],
    ["::ffff:10.1.2.3", true],
    ["192.0.2.7", true],
    ["192.0.2.8", false],
    ["2001:db8:ffff::1", true],
    ["2001:db9::1", false],
    ["198.51.100.1", true],
    ["", false],
  ])("%s inside: %p", (address, inside) => {
    expect(isInside(address)).toBe(inside);
  });

  test.each(["10.0.0.0/33", "proxy.example", ""])("%p is refused by name", (network) => {
    expect(() => networkTest([network])).toThrow(`"${network}" is neither`);
  });
});
