/** An SMTP listener for tests: real sockets, a clock that stands still, and a list of everything it received. */
import { generate } from "selfsigned";
import { type SmtpListener, type SmtpOptions, startSmtp } from "../../src/inbound/smtp.ts";
import type { AcceptedRecipient } from "../../src/inbound/smtp-session.ts";
import type { Envelope } from "../../src/mail.ts";
import type { TlsPair } from "../../src/net/tls.ts";
import { TestClock } from "../../src/util/clock.ts";
import { silentLog } from "../../src/util/log.ts";

export interface Received {
  envelope: Envelope;
  recipients: AcceptedRecipient[];
  raw: Uint8Array;
}

export interface TestListener extends AsyncDisposable {
  listener: SmtpListener;
  port: number;
  clock: TestClock;
  received: Received[];
}

export const testHostname = "mx.e2a.example";

/** A self-signed pair for `name`. */
export async function testTls(name = testHostname): Promise<TlsPair> {
  const made = await generate([{ name: "commonName", value: name }], { keyType: "ec", algorithm: "sha256" });
  return { cert: made.cert, key: made.private };
}

/**
 * Listens on a free loopback port with limits that no test reaches by chance. Every `bot@…` address and postmaster is a
 * mailbox; `overrides` replace any option. `await using` closes it.
 */
export async function testListener(overrides: Partial<SmtpOptions> = {}): Promise<TestListener> {
  const received: Received[] = [];
  const clock = new TestClock(Date.UTC(2026, 4, 15, 12));
  const listener = await startSmtp({
    listen: { host: "127.0.0.1", port: 0 },
    hostname: testHostname,
    tls: overrides.tls ?? (await testTls()),
    maxMessageBytes: 1024 * 1024,
    maxBytesInHand: 1024 * 1024 * 1024,
    maxRecipients: 100,
    maxConnections: 1000,
    maxConnectionsPerIp: 1000,
    maxMessagesPerConnection: 1000,
    maxMessagesPerMinutePerIp: 10_000,
    idleTimeoutMs: 20_000,
    sessionTimeoutMs: 600_000,
    proxyTrusted: [],
    clock,
    log: silentLog,
    resolveRecipient: async (address) =>
      /^(postmaster$|bot[@+])/.test(address) ? { mailbox: address.replace(/\+.*@/, "@") } : null,
    receive: async (envelope, recipients, pieces) => {
      received.push({ envelope, recipients, raw: Buffer.concat(pieces) });
      return { id: `msg_${received.length}` };
    },
    ...overrides,
  });
  return { listener, port: listener.port, clock, received, [Symbol.asyncDispose]: () => listener.close(0) };
}
