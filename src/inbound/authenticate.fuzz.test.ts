import { expect, test } from "bun:test";
import { forgeryKey, signatureLine } from "../../test/attacks/forgery-mail.ts";
import { generator, mutated } from "../../test/attacks/mutations.ts";
import type { Envelope } from "../mail.ts";
import { DnsError, type Resolver } from "../net/dns.ts";
import { authenticate } from "./authenticate.ts";

const victim = "victim.com";
const key = forgeryKey();
const header = [`From: ceo@${victim}`, "To: bot@agents.example", "Subject: Hello"];
const body = "Please pay.\r\n";

/** DNS in which the forger owns every name except the victim's and those below it. */
function forgersDns(asked: Set<string>): Resolver {
  return {
    async resolve(name, type) {
      asked.add(name.toLowerCase());
      if (type !== "TXT" || `.${name.toLowerCase().replace(/\.$/, "")}`.endsWith(`.${victim}`))
        throw new DnsError("ENOTFOUND", type, name);
      return [[key.record], ["v=spf1 +all"]] as never;
    },
  };
}

const envelope: Envelope = {
  mailFrom: "x@evil.com",
  rcptTo: ["bot@agents.example"],
  remoteAddress: "192.0.2.66",
  helo: "mail.evil.com",
  protocol: "UTF8SMTP",
  receivedAt: new Date("2026-05-15T12:00:00Z"),
};

type Attack = (name: string) => { envelope: Envelope; raw: string };

const attacks: [string, Attack][] = [
  ["HELO", (name) => ({ envelope: { ...envelope, mailFrom: "", helo: name }, raw: mail() })],
  ["MAIL FROM", (name) => ({ envelope: { ...envelope, mailFrom: `x@${name}` }, raw: mail() })],
  [
    "a whole reverse-path",
    (name) => ({ envelope: { ...envelope, mailFrom: `${name}@evil.com`, helo: name }, raw: mail() }),
  ],
  ["DKIM d=", (name) => ({ envelope, raw: mail(`d=${name}; s=sel`) })],
  ["DKIM s=", (name) => ({ envelope, raw: mail(`d=${victim}; s=${name}`) })],
  ["DKIM i=", (name) => ({ envelope, raw: mail(`d=evil.com; s=sel; i=@${name}`) })],
];

function mail(tags?: string): string {
  // A line end would make another field, and so another message.
  const signature = tags
    ? [signatureLine({ header, body }, key, tags.replace(/[\r\n]/g, ""), ["From", "Subject"])]
    : [];
  return [...signature, ...header, "", body].join("\r\n");
}

test.each(attacks)("no mutation of the victim's name in %s is believed", async (place, attack) => {
  const random = generator(place.length);
  let asked = new Set<string>();
  let passes = 0;
  for (let i = 0; i < 1_500; i++) {
    asked = new Set();
    const { envelope, raw } = attack(mutated(victim, random));
    const options = { resolver: forgersDns(asked), budgetMs: 60_000, authservId: "mx.agents.example" };
    const { verified, authentication } = await authenticate(Buffer.from(raw), envelope, options);
    expect({ verified, helo: envelope.helo, mailFrom: envelope.mailFrom, raw: verified && raw }).toMatchObject({
      verified: false,
    });
    // The reported names are those that were looked up, byte for byte.
    const { spf, dkim } = authentication;
    if (spf.domain !== "") expect(asked).toContain(spf.domain);
    for (const { result, domain, selector } of dkim)
      if (result === "pass") expect(asked).toContain(`${selector}._domainkey.${domain}`);
    for (const name of asked) expect(name).toMatch(/^[\x20-\x7e]+$/);
    if (spf.result === "pass" || dkim.some(({ result }) => result === "pass")) passes++;
  }
  // The forger does prove his own names, but not the victim's.
  if (place !== "DKIM s=") expect(passes).toBeGreaterThan(20);
});
