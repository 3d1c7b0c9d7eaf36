import { describe, expect, test } from "bun:test";
import { fileURLToPath } from "node:url";
import { ConfigError, type LoadOptions, loadConfig, printConfig } from "../config.ts";
import type { DomainUpstream } from "./upstreams.ts";

/** A folder without configuration files, so that only the test's own settings count. */
const empty = fileURLToPath(new URL("./", import.meta.url));

function load(flags: Record<string, unknown>, options: LoadOptions = {}) {
  return loadConfig({ env: { HOME: empty }, cwd: empty, root: empty, platform: "linux", flags, ...options });
}

function complaintsOf(flags: Record<string, unknown>, options: LoadOptions = {}) {
  try {
    load(flags, options);
  } catch (error) {
    if (error instanceof ConfigError) return error.complaints;
    throw error;
  }
  throw new Error("the configuration was accepted");
}

const byDomain = (entries: unknown) => ({ "outbound_smtp.by_domain": entries });

describe("outbound_smtp.tls", () => {
  const cases: [host: string | undefined, port: number | undefined, tls: string | undefined, expected: string][] = [
    [undefined, undefined, undefined, "starttls"],
    ["smtp.example.net", undefined, undefined, "starttls"],
    ["smtp.example.net", 25, undefined, "starttls"],
    ["smtp.example.net", 465, undefined, "implicit"],
    ["smtp.example.net", 465, "starttls", "starttls"],
    ["smtp.example.net", 2465, "implicit", "implicit"],
    ["127.0.0.1", 25, undefined, "off"],
    ["127.9.9.9", 1025, "off", "off"],
    ["::1", 25, undefined, "off"],
    ["0:0:0:0:0:0:0:1", 25, "off", "off"],
    ["LocalHost", 1025, undefined, "off"],
    ["127.0.0.1", 25, "starttls", "starttls"],
    ["127.0.0.1", 465, undefined, "implicit"],
  ];
  test.each(cases)("host %p, port %p, tls %p", (host, port, tls, expected) => {
    const flags = { "outbound_smtp.host": host, "outbound_smtp.port": port, "outbound_smtp.tls": tls };
    expect(load(flags).outboundSmtp.tls as string).toBe(expected);
  });

  test.each([["smtp.example.net"], ["10.0.0.7"], ["localhost.example.com"], ["fd00::1"]])("off to %s", (host) => {
    const [complaint, ...others] = complaintsOf({ "outbound_smtp.host": host, "outbound_smtp.tls": "off" });
    expect(others).toEqual([]);
    expect(complaint).toMatchObject({
      key: "outbound_smtp.tls",
      source: "the command line",
      message: `This would send mail and password to ${host} in the clear.`,
    });
    expect(complaint?.remedy).toContain("starttls or implicit");
  });
});

describe("outbound_smtp.return_path_domain", () => {
  test("is the shared domain unless it is set", () => {
    const shared = { shared_domain: "agents.example.com" };
    expect(load(shared).outboundSmtp.returnPathDomain).toBe("agents.example.com");
    const set = { ...shared, "outbound_smtp.return_path_domain": "bounces.example.com" };
    expect(load(set).outboundSmtp.returnPathDomain).toBe("bounces.example.com");
  });
});

describe("outbound_smtp.by_domain", () => {
  const plain = { domain: "a.example", host: "smtp.example.net", username: null, password: null };
  const accepted: [text: string, expected: DomainUpstream][] = [
    ["a.example=smtp://smtp.example.net", { ...plain, port: 587, tls: "starttls" }],
    ["a.example=smtps://smtp.example.net/", { ...plain, port: 465, tls: "implicit" }],
    ["a.example=smtps://smtp.example.net:2465", { ...plain, port: 2465, tls: "implicit" }],
    ["a.example=smtp://127.0.0.1:1025?tls=off", { ...plain, host: "127.0.0.1", port: 1025, tls: "off" }],
    ["a.example=smtp://localhost/?tls=off", { ...plain, host: "localhost", port: 587, tls: "off" }],
    ["a.example=smtp://[::1]:25?tls=off", { ...plain, host: "::1", port: 25, tls: "off" }],
    ["a.example=smtp://127.0.0.1:25", { ...plain, host: "127.0.0.1", port: 25, tls: "starttls" }],
    [
      "Bücher.Example.=smtp://SMTP.Example.net",
      { ...plain, domain: "xn--bcher-kva.example", port: 587, tls: "starttls" },
    ],
    [
      "a.example=smtps://ada%40a.example:p%2C%2F%3A%40%23%25+:é@smtp.example.net",
      { ...plain, port: 465, tls: "implicit", username: "ada@a.example", password: "p,/:@#%+:é" },
    ],
  ];
  test.each(accepted)("%s", (text, expected) => {
    expect(load(byDomain(text)).outboundSmtp.byDomain).toEqual([expected]);
  });

  const refused: [what: string, entry: string][] = [
    ["no domain", "smtps://u:hunter2@smtp.example.net"],
    ["no server", "a.example="],
    ["an address for a domain", "ada@a.example=smtps://u:hunter2@smtp.example.net"],
    ["another scheme", "a.example=https://u:hunter2@smtp.example.net"],
    ["a user name alone", "a.example=smtps://hunter2@smtp.example.net"],
    ["an empty password", "a.example=smtps://hunter2:@smtp.example.net"],
    ["a raw comma", "a.example=smtps://u:hunter2,1@smtp.example.net"],
    ["a raw slash", "a.example=smtps://u:hunter2/1@smtp.example.net"],
    ["a raw @", "a.example=smtps://u:hunter2@1@smtp.example.net"],
    ["a raw percent sign", "a.example=smtps://u:hunter2%@smtp.example.net"],
    ["a line break in the password", "a.example=smtps://u:hunter2%0D%0AQUIT@smtp.example.net"],
    ["port 0", "a.example=smtps://u:hunter2@smtp.example.net:0"],
    ["a port too high", "a.example=smtps://u:hunter2@smtp.example.net:65536"],
    ["a path", "a.example=smtps://u:hunter2@smtp.example.net/mail"],
    ["TLS from the start, and off", "a.example=smtps://u:hunter2@127.0.0.1?tls=off"],
    ["another parameter", "a.example=smtp://u:hunter2@127.0.0.1?tls=maybe"],
    ["a name in brackets", "a.example=smtp://u:hunter2@[localhost]"],
  ];
  test.each(refused)("%s is refused, and the entry not shown", (_what, entry) => {
    const complaints = complaintsOf(byDomain(`z.example=smtps://smtp.example.net, ${entry}`));
    expect(complaints).toMatchObject([{ key: "outbound_smtp.by_domain", source: "the command line" }]);
    expect(complaints[0]?.message).toStartWith("The value (its entry 2) is not a list of");
    expect(new ConfigError(complaints).message).not.toContain("hunter2");
  });

  test("off is refused for a server elsewhere, and a second entry for a domain; each names its domain", () => {
    const entries = [
      "a.example=smtp://u:hunter2@10.0.0.7?tls=off",
      "b.example=smtps://u:hunter3@smtp.example.net",
      "B.example=smtps://u:hunter4@smtp.example.net",
    ];
    const complaints = complaintsOf(byDomain(entries));
    expect(complaints.map((complaint) => complaint.message)).toEqual([
      "The entry for a.example would send mail and password to 10.0.0.7 in the clear.",
      "There is more than one entry for b.example.",
    ]);
    expect(new ConfigError(complaints).message).not.toContain("hunter");
  });

  test("comes as a list or, in a variable, separated by commas, and needs no outbound_smtp.host", () => {
    const entries = ["a.example=smtps://smtp.example.net", "b.example=smtp://smtp.example.org"];
    const variable = load({}, { env: { E2A_OUTBOUND_SMTP_BY_DOMAIN: entries.join(", ") } });
    expect(load(byDomain(entries)).outboundSmtp).toEqual(variable.outboundSmtp);
    expect(variable.outboundSmtp.byDomain.map((upstream) => upstream.domain)).toEqual(["a.example", "b.example"]);
  });

  test("is printed with every password masked", () => {
    const entries = [
      "a.example=smtps://ada%40a.example:hunter%2C%3A%40@smtp.example.net",
      "b.example=smtp://localhost:1025?tls=off",
      "c.example=smtp://u:x:hunter@smtp.example.org",
      "d.example=smtps://u:hunter@[2001:db8::1]:2465",
    ];
    const printed = printConfig(load(byDomain(entries)));
    expect(printed).not.toContain("hunter");
    for (const part of [
      "a.example=smtps://ada%40a.example:••••@smtp.example.net:465",
      "b.example=smtp://localhost:1025?tls=off",
      "c.example=smtp://u:••••@smtp.example.org:587",
      "d.example=smtps://u:••••@[2001:db8::1]:2465",
    ])
      expect(printed).toContain(part);
  });

  const live = {
    env: "production",
    shared_domain: "agents.example.com",
    "http.public_url": "https://mail.example.com",
  };
  const weak: [password: string, says: string][] = [
    ["letmein", "is a placeholder"],
    ["mailer7", "is the user name"],
    ["hhhhhhhh", "repeats a few characters"],
  ];
  test.each(weak)("a weak password, %s, is refused in production, by its domain", (password, says) => {
    const entries = `a.example=smtps://u:Kx7nq4Zt@smtp.example,b.example=smtps://mailer7:${password}@smtp.example`;
    expect(load(byDomain(entries)).env).toBe("development");
    const complaints = complaintsOf({ ...live, ...byDomain(entries) });
    expect(complaints).toMatchObject([{ key: "outbound_smtp.by_domain" }]);
    expect(complaints[0]?.message).toEndWith(`the password for b.example ${says}.`);
    expect(new ConfigError(complaints).message).not.toContain(password);
  });
});
