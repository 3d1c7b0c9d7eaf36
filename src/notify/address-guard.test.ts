import { describe, expect, test } from "bun:test";
import { Failure } from "../util/errors.ts";
import { type AddressPolicy, checkWebhookUrl, forbiddenReason } from "./address-guard.ts";

const production = { allowLoopback: false, allowedNetworks: [], allowHttp: false };
const development = { allowLoopback: true, allowedNetworks: [], allowHttp: true };

describe("forbiddenReason", () => {
  test.each([
    "8.8.8.8",
    "1.1.1.1",
    "100.63.255.255",
    "100.128.0.1",
    "172.15.0.1",
    "172.32.0.1",
    "198.17.255.255",
    "223.255.255.255",
    "2606:4700:4700::1111",
    "2a00:1450:4001:81b::200e",
    "::ffff:8.8.8.8",
    "64:ff9b::8.8.8.8",
  ])("%s is public", (address) => {
    expect(forbiddenReason(address, production)).toBeNull();
  });

  const forbidden: [address: string, reason: string][] = [
    ["0.0.0.0", "unspecified"],
    ["0.1.2.3", "unspecified"],
    ["10.0.0.1", "private"],
    ["172.16.0.1", "private"],
    ["172.31.255.255", "private"],
    ["192.168.1.1", "private"],
    ["127.0.0.1", "loopback"],
    ["127.255.255.254", "loopback"],
    ["169.254.0.1", "link-local"],
    ["169.254.169.254", "metadata"],
    ["169.254.170.2", "metadata"],
    ["168.63.129.16", "metadata"],
    ["100.100.100.200", "metadata"],
    ["192.0.0.192", "metadata"],
    ["100.64.0.1", "carrier-grade NAT"],
    ["100.127.255.255", "carrier-grade NAT"],
    ["192.0.0.1", "reserved"],
    ["192.0.2.1", "reserved"],
    ["198.51.100.1", "reserved"],
    ["203.0.113.1", "reserved"],
    ["198.18.0.1", "reserved"],
    ["198.19.255.255", "reserved"],
    ["192.88.99.1", "reserved"],
    ["192.31.196.1", "not a public"],
    ["192.52.193.1", "not a public"],
    ["224.0.0.1", "multicast"],
    ["239.255.255.250", "multicast"],
    ["240.0.0.1", "reserved"],
    ["255.255.255.255", "broadcast"],
    ["::", "unspecified"],
    ["::1", "loopback"],
    ["fe80::1", "link-local"],
    ["febf::1", "link-local"],
    ["fec0::1", "site-local"],
    ["fc00::1", "unique local"],
    ["fdff:ffff::1", "unique local"],
    ["fd00:ec2::254", "metadata"],
    ["fd20:ce::254", "metadata"],
    ["ff02::1", "multicast"],
    ["100::1", "discard"],
    ["2001:db8::1", "reserved"],
    ["3fff::1", "reserved"],
    ["2001:2::1", "benchmarking"],
    ["2001:10::1", "not a public"],
    ["2001:20::1", "not a public"],
    ["5f00::1", "not a public"],
    ["4000::1", "not a public"],
    ["2002:7f00:1::", "6to4"],
    ["2002:808:808::", "6to4"],
    ["2001:0:4136:e378:8000:63bf:3fff:fdd2", "Teredo"],
    ["64:ff9b::127.0.0.1", "NAT64 to a loopback"],
    ["64:ff9b::10.1.2.3", "NAT64 to a private"],
    ["64:ff9b::a9fe:a9fe", "NAT64 to a cloud metadata"],
    ["64:ff9b:1::808:808", "not a public"],
    ["::ffff:127.0.0.1", "loopback"],
    ["::ffff:a00:1", "private"],
    ["::ffff:169.254.169.254", "metadata"],
    ["0:0:0:0:0:ffff:c0a8:101", "private"],
    ["::ffff:0:127.0.0.1", "not a public"],
    ["::127.0.0.1", "not a public"],
    ["::8.8.8.8", "not a public"],
    ["fe80::1%eth0", "not an IP address"],
    ["0177.0.0.1", "not an IP address"],
    ["010.8.8.8", "not an IP address"],
    ["0x8.8.8.8", "not an IP address"],
    ["8.8", "not an IP address"],
    ["134744072", "not an IP address"],
    ["::1]/@[::1", "not an IP address"],
    ["::1]:80", "not an IP address"],
    ["8.8.8.8 ", "not an IP address"],
    ["example.com", "not an IP address"],
    ["", "not an IP address"],
  ];
  test.each(forbidden)("%j is forbidden as %s", (address, reason) => {
    expect(forbiddenReason(address, production)).toContain(reason);
  });

  test("a policy opens what it names and nothing beside it", () => {
    const policy = (allowedNetworks: string[], allowLoopback = false): AddressPolicy => ({
      allowLoopback,
      allowedNetworks,
    });
    const rows: [address: string, policy: AddressPolicy, permitted: boolean][] = [
      ["127.0.0.1", policy([], true), true],
      ["::1", policy([], true), true],
      ["::ffff:127.0.0.1", policy([], true), true],
      ["64:ff9b::127.0.0.1", policy([], true), false],
      ["0.0.0.0", policy([], true), false],
      ["10.0.0.1", policy([], true), false],
      ["10.1.2.3", policy(["192.168.0.0/16", "10.0.0.0/8"]), true],
      ["::ffff:10.1.2.3", policy(["10.0.0.0/8"]), true],
      ["11.1.2.3", policy(["10.0.0.0/8"]), true],
      ["172.16.0.1", policy(["10.0.0.0/8"]), false],
      ["192.168.1.7", policy(["192.168.1.7"]), true],
      ["192.168.1.8", policy(["192.168.1.7"]), false],
      ["fd12::1", policy(["fd00::/8"]), true],
      ["fd00:ec2::254", policy(["fd00::/8"]), false],
      ["fd00:ec2::254", policy(["fd00:ec2::254/128"]), true],
      ["169.254.169.254", policy(["0.0.0.0/0"], true), false],
      ["169.254.169.254", policy(["169.254.169.254"]), true],
    ];
    for (const [address, given, permitted] of rows)
      expect([address, given, forbiddenReason(address, given) === null]).toEqual([address, given, permitted]);
  });
});

describe("checkWebhookUrl", () => {
  test.each([
    ["https://example.com/hook", "https://example.com/hook"],
    ["  HTTPS://Example.COM:443 ", "https://example.com/"],
    ["https://example.com./a?b=c#", "https://example.com/a?b=c"],
    ["https://bücher.example/ü", "https://xn--bcher-kva.example/%C3%BC"],
    ["https://8.8.8.8:8443/", "https://8.8.8.8:8443/"],
    ["https://[2606:4700:4700::1111]/", "https://[2606:4700:4700::1111]/"],
    ["https://exam\nple.com/a\r\nb", "https://example.com/ab"],
  ])("%j is taken as %s", (text, normalised) => {
    expect(checkWebhookUrl(text, production)).toBe(normalised);
  });

  const refused: [url: string, complaints: string[]][] = [
    ["", ["not a URL"]],
    ["example.com/hook", ["not a URL"]],
    ["https://", ["not a URL"]],
    ["https://exa mple.com", ["not a URL"]],
    [`https://example.com/${"a".repeat(2048)}`, ["longer than 2048"]],
    ["http://example.com/", ["must be https"]],
    ["ftp://example.com/", ["must be https"]],
    ["file:///etc/passwd", ["must be https"]],
    ["javascript:alert(1)", ["must be https"]],
    ["https://user:secret@example.com/", ["user name"]],
    ["https://token@example.com/", ["user name"]],
    ["https://example.com/#top", ["fragment"]],
    ["https://example.com:0/", ["Port 0"]],
    ["https://example.com:25/", ["Port 25"]],
    ["https://127.0.0.1/", ["loopback"]],
    ["https://127.0.0.1./", ["loopback"]],
    ["https://127.1/", ["loopback"]],
    ["https://2130706433/", ["loopback"]],
    ["https://0x7f000001/", ["loopback"]],
    ["https://0177.0.0.1/", ["loopback"]],
    ["https://0x7f.1/", ["loopback"]],
    ["https://017700000001/", ["loopback"]],
    ["https://%31%32%37.0.0.1/", ["loopback"]],
    ["https://①②⑦.⓪.⓪.①/", ["loopback"]],
    ["https://127。0。0。1/", ["loopback"]],
    ["https://0xa9fea9fe/latest/meta-data/", ["metadata"]],
    ["https://１２７.0.0.1/", ["loopback"]],
    ["https://0/", ["unspecified"]],
    ["https://169.254.169.254/latest/meta-data/", ["metadata"]],
    ["https://[::1]/", ["loopback"]],
    ["https://[::ffff:10.0.0.1]/", ["private"]],
    ["https://[::ffff:7f00:1]/", ["loopback"]],
    ["https://[0:0:0:0:0:ffff:a9fe:a9fe]/", ["metadata"]],
    ["https://[::127.0.0.1]/", ["not a public"]],
    ["https://[::]/", ["unspecified"]],
    ["https://[64:ff9b::7f00:1]/", ["NAT64 to a loopback"]],
    ["https://[2002:7f00:1::]/", ["6to4"]],
    ["https://[fd00:ec2::254]/", ["metadata"]],
    ["https://localhost/", ["this machine"]],
    ["https://LOCALHOST./", ["this machine"]],
    ["https://api.localhost/", ["this machine"]],
    ["https://a..b/", ["not a host name"]],
    ["https://./", ["not a host name"]],
    ["http://me@10.0.0.1:25/#x", ["must be https", "user name", "fragment", "Port 25", "private"]],
  ];
  test.each(refused)("%j is refused", (url, complaints) => {
    const failure = failureOf(() => checkWebhookUrl(url, production));
    expect([failure.code, failure.http.status]).toEqual(["invalid_request", 400]);
    expect(failure.details.fix).toContain("https URL");
    expect(failure.details.errors?.map((error) => error.field)).toEqual(complaints.map(() => "webhook_url"));
    complaints.forEach((part, i) => {
      expect(failure.details.errors?.[i]?.message).toContain(part);
    });
  });

  test("development takes http and loopback, still no other private address", () => {
    for (const url of [
      "http://localhost:3000/",
      "http://127.0.0.1:3000/",
      "http://[::1]:3000/",
      "https://a.localhost/",
    ])
      expect(checkWebhookUrl(url, development)).toBe(url);
    expect(failureOf(() => checkWebhookUrl("http://10.0.0.1/", development)).details.errors).toHaveLength(1);
    expect(failureOf(() => checkWebhookUrl("ftp://127.0.0.1/", development)).details.fix).toContain("http or https");
  });

  test("names the field it was given", () => {
    expect(failureOf(() => checkWebhookUrl("", production, "url")).details.errors?.[0]?.field).toBe("url");
  });
});

function failureOf(run: () => unknown): Failure {
  try {
    run();
  } catch (error) {
    if (error instanceof Failure) return error;
    throw error;
  }
  throw new Error("it was accepted");
}
