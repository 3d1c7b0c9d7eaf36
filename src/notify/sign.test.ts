import { describe, expect, test } from "bun:test";
import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import { Webhook } from "standardwebhooks";
import { authHeaders, canonical, signers, standardWebhookHeaders, standardWebhookSecret } from "./sign.ts";

const secret = "0123456789abcdef".repeat(4);
const raw =
  "From: alice@example.com\r\nTo: bot@agents.example.com\r\nSubject: Hi\r\nMessage-ID: <abc@example.com>\r\n\r\nHello\r\n";
const message = {
  verified: true,
  sender: "alice@example.com",
  entityType: "human",
  domainCheck: "spf=pass; dkim=none",
  messageId: "msg_00112233445566778899aabbccddeeff",
  bodyHash: createHash("sha256").update(raw).digest("hex"),
} as const;
const now = new Date("2026-05-15T12:00:00.999Z");

/** A receiver's check, written from the description of the wire format and not from our code. */
function receiverAccepts(headers: Headers, key: string): boolean {
  const h = (name: string) => headers.get(`x-e2a-auth-${name}`) ?? "";
  const names = [
    "verified",
    "sender",
    "entity-type",
    "domain-check",
    "delegation",
    "timestamp",
    "message-id",
    "body-hash",
  ];
  const expected = createHmac("sha256", Buffer.from(key, "utf8")).update(names.map(h).join("\n")).digest("hex");
  const given = h("signature");
  return given.length === expected.length && timingSafeEqual(Buffer.from(given), Buffer.from(expected));
}

test("a secret signs until a day after its successor was made, however old it is itself", () => {
  const aged = (ms: number) => ({ createdAt: new Date(now.getTime() - ms) });
  const dayMs = 86_400_000;
  const [month, year] = [aged(30 * dayMs), aged(365 * dayMs)];
  for (const [newest, signing] of [
    [aged(dayMs - 1), 2],
    [aged(dayMs), 1],
  ] as const)
    expect(signers([newest, month, year], now)).toEqual([newest, month].slice(0, signing));
});

describe("authHeaders", () => {
  test("gives the vector's digits, in the wire's order", () => {
    expect(raw.length).toBe(106);
    expect(Object.entries(authHeaders(message, [secret], now))).toEqual([
      ["X-E2A-Auth-Verified", "true"],
      ["X-E2A-Auth-Sender", "alice@example.com"],
      ["X-E2A-Auth-Entity-Type", "human"],
      ["X-E2A-Auth-Domain-Check", "spf=pass; dkim=none"],
      ["X-E2A-Auth-Timestamp", "2026-05-15T12:00:00Z"],
      ["X-E2A-Auth-Message-Id", "msg_00112233445566778899aabbccddeeff"],
      ["X-E2A-Auth-Body-Hash", "a38973ed80f20e767c0946ac67055754416ae41d2d03a612682838b20d20abce"],
      ["X-E2A-Auth-Signature", "c7223fb406749aca5ad2c6ab076b1747407b58cbd2fb498e463d026453980c08"],
    ]);
  });

  test("the canonical text has eight lines, an empty one for no delegation, and no line end", () => {
    expect(canonical({ ...message, timestamp: "2026-05-15T12:00:00Z" })).toBe(
      `true\nalice@example.com\nhuman\nspf=pass; dkim=none\n\n2026-05-15T12:00:00Z\n${message.messageId}\n${message.bodyHash}`,
    );
  });

  test("a delegation is sent and signed", () => {
    const headers = authHeaders({ ...message, delegation: "carol@example.com" }, [secret], now);
    expect(headers["X-E2A-Auth-Delegation"]).toBe("carol@example.com");
    expect(receiverAccepts(new Headers(headers), secret)).toBe(true);
  });

  const senders: [sender: string, header: string][] = [
    ["bot+tag=x%y@example.com", "bot+tag=x%y@example.com"],
    ['"a b"@example.com', '"a b"@example.com'],
    ["", ""],
    ["jörg@example.com", "j\\x{F6}rg@example.com"],
    ["info@bücher.example", "info@xn--bcher-kva.example"],
    ["用户@例え.テスト", "\\x{7528}\\x{6237}@xn--r8jz45g.xn--zckzah"],
    ["😀@example.com", "\\x{1F600}@example.com"],
    ["a@ｅxample.com", "a@\\x{FF45}xample.com"],
    ["a@bü%2Ecom", "a@b\\x{FC}%2Ecom"],
    ["a@example.com\r\nX-E2A-Auth-Verified: true", "a@example.com\\x{0D}\\x{0A}X-E2A-Auth-Verified: true"],
    ["j\\x{F6}rg@example.com", "j\\x{5C}x{F6}rg@example.com"],
    [" a@example.com ", "\\x{20}a@example.com\\x{20}"],
    ["a\u0000\u007f\u0085@example.com", "a\\x{00}\\x{7F}\\x{85}@example.com"],
    ["lone\ud800@example.com", "lone\\x{D800}@example.com"],
  ];
  test.each(senders)("sender %j goes as %j, and the receiver can check it", (sender, header) => {
    const headers = authHeaders({ ...message, sender }, [secret], now);
    expect(headers["X-E2A-Auth-Sender"]).toBe(header);
    expect(receiverAccepts(new Headers(headers), secret)).toBe(true);
  });

  test("a sender longer than any address is left out, not shortened", () => {
    const headers = authHeaders({ ...message, sender: `${"a".repeat(1000)}@example.com` }, [secret], now);
    expect(headers["X-E2A-Auth-Sender"]).toBe("");
    expect(receiverAccepts(new Headers(headers), secret)).toBe(true);
  });

  test("any change of any value is noticed", () => {
    for (const name of Object.keys(authHeaders(message, [secret], now))) {
      const headers = new Headers(authHeaders(message, [secret], now));
      headers.set(name, `${headers.get(name)}0`);
      expect([name, receiverAccepts(headers, secret)]).toEqual([name, false]);
    }
    expect(receiverAccepts(new Headers(authHeaders(message, [secret], now)), "f".repeat(64))).toBe(false);
  });
});

describe("standardWebhookHeaders", () => {
  const other = "fedcba9876543210".repeat(4);
  const body = JSON.stringify({ type: "message.received", subject: "Grüße 😀" });
  const sign = (secrets: string[], at = new Date()) => standardWebhookHeaders({ id: "evt_1", body, secrets, now: at });

  test("the published verifier accepts it with either secret, from text and from bytes", () => {
    const headers = sign([secret, other]);
    for (const known of [secret, other]) {
      expect(new Webhook(standardWebhookSecret(known)).verify(body, headers)).toEqual(JSON.parse(body));
    }
    const bytes = standardWebhookHeaders({ id: "evt_1", body: Buffer.from(body), secrets: [secret], now: new Date() });
    expect(new Webhook(standardWebhookSecret(secret)).verify(body, bytes)).toEqual(JSON.parse(body));
  });

  test("the published verifier refuses another body, another secret and an old time", () => {
    const verifier = new Webhook(standardWebhookSecret(secret));
    expect(() => verifier.verify(`${body} `, sign([secret]))).toThrow("No matching signature");
    expect(() => verifier.verify(body, sign([other]))).toThrow("No matching signature");
    expect(() => verifier.verify(body, sign([secret], new Date(Date.now() - 301_000)))).toThrow("too old");
  });

  test("a receiver that follows the specification by hand comes to the same", () => {
    const key = Buffer.from(standardWebhookSecret(secret).slice("whsec_".length), "base64");
    const headers = sign([secret], now);
    const signed = `${headers["webhook-id"]}.${headers["webhook-timestamp"]}.${body}`;
    expect(headers["webhook-timestamp"]).toBe("1778846400");
    expect(headers["webhook-signature"]).toBe(`v1,${createHmac("sha256", key).update(signed).digest("base64")}`);
  });
});
