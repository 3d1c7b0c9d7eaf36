import { expect, test } from "bun:test";
import { allowsServer, isSpf, mergeSpf, SPF_LOOKUPS_MAX, spfLookups } from "./spf.ts";

test.each<[records: string[], merged: string]>([
  [["v=spf1 -all"], "v=spf1 mx -all"],
  [["v=spf1"], "v=spf1 mx"],
  [["v=spf1 redirect=_spf.x.test"], "v=spf1 mx redirect=_spf.x.test"],
  // Receivers ignore everything after `all`, and a redirect beside it (RFC 7208 5.1, 6.1).
  [["v=spf1 a ~all include:late.test redirect=r.test"], "v=spf1 mx a ~all"],
  [["V=SPF1  A:Mail.X.test   exp=e.x.test ?all"], "v=spf1 mx A:Mail.X.test ?all exp=e.x.test"],
  [["v=spf1 ~mx ip6:2001:db8::/32 -all"], "v=spf1 mx ~mx ip6:2001:db8::/32 -all"],
  [["v=spf1 include:a.test -all", "v=spf1 INCLUDE:a.test ~all"], "v=spf1 mx include:a.test -all"],
])("merged: %p", (records, merged) => {
  expect(mergeSpf(records, "mx")).toBe(merged);
  expect(allowsServer(merged, "x.test", "mail.test", true)).toBe(true);
});

test.each<[record: string, allows: boolean]>([
  ["v=spf1 mx -all", true],
  ["v=spf1 +MX/24 -all", true],
  ["v=spf1 mx:x.test -all", true],
  ["v=spf1 a:MAIL.test. -all", true],
  ["v=spf1 mx:other.test -all", false],
  ["v=spf1 -mx +all", false],
  ["v=spf1 ~all mx", false],
  ["v=spf1 a -all", false],
  ["v=spf1 include:mx -all", false],
])("allows this server: %s", (record, allows) => {
  expect(allowsServer(record, "x.test", "mail.test", true)).toBe(allows);
});

test("only what begins with the version is an SPF record", () => {
  expect(["v=spf1", "v=SPF1 -all", "v=spf10 -all", " v=spf1 -all", "v=spf1-all"].map(isSpf)).toEqual([
    ...[true, true, false, false, false],
  ]);
});

test("look-ups are counted through includes and redirects, and no further than receivers count", async () => {
  const asked: string[] = [];
  const zone: Record<string, string> = {
    "a.test": "v=spf1 mx a redirect=b.test",
    "b.test": "v=spf1 ip4:192.0.2.1 -all",
  };
  const textsAt = async (host: string) => {
    asked.push(host);
    if (host === "down.test") throw new Error("no answer");
    return zone[host] ? ["other", zone[host]] : [];
  };
  expect(
    await spfLookups("v=spf1 include:a.test include:down.test exists:%{i}.x.test ip4:192.0.2.2 -all", textsAt),
  ).toBe(6);
  expect(asked).toEqual(["a.test", "down.test", "b.test"]);
  // What a name with macros, or none, stands for is known only at the receiver.
  asked.length = 0;
  expect(await spfLookups("v=spf1 include:%{i}.x.test include: redirect=%{d}.x.test", textsAt)).toBe(3);
  expect(asked).toEqual([]);
  zone["loop.test"] = "v=spf1 include:loop.test include:loop.test -all";
  asked.length = 0;
  expect(await spfLookups("v=spf1 include:loop.test -all", textsAt)).toBe(SPF_LOOKUPS_MAX + 1);
  expect(asked.length).toBeLessThanOrEqual(SPF_LOOKUPS_MAX);
});
