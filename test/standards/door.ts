import { deliver } from "../smtp/smtp-client.ts";
import { startTestApp, type TestApp } from "../support/app.ts";
import type { Zone } from "../support/dns-server.ts";

/** One message for the SMTP door, and from where it comes. */
export interface DoorMail {
  /** For the reader of a failure. */
  name: string;
  raw: string | Buffer;
  from: string;
  helo: string;
  /** The client's address, which a PROXY header gives. */
  ip: string;
}

// biome-ignore lint/suspicious/noExplicitAny: a test reads the shape that it expects, and fails if it differs.
export type Detail = any;

const AT_ONCE = 20;

/** Runs `work` for each item, some at a time, and returns the results in order. */
async function forEach<T, R>(items: readonly T[], work: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  let next = 0;
  const runner = async () => {
    for (let at = next++; at < items.length; at = next++) results[at] = await work(items[at] as T);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, runner));
  return results;
}

/**
 * Sends the mails through the SMTP door of one application, with a DNS server that has the zone, and returns each
 * message as the API shows it; or the reply of the server that refused it.
 */
export async function throughTheDoor(zone: Zone, mails: readonly DoorMail[]): Promise<(Detail | string)[]> {
  await using t: TestApp = await startTestApp({
    zone,
    set: {
      "dns.timeout": "3s",
      "smtp.proxy_trusted": "127.0.0.1",
      "smtp.max_connections_per_ip": 100,
      "smtp.max_messages_per_minute_per_ip": 100_000,
    },
  });
  await t.api("POST", "/api/v1/agents", { slug: "bot", agent_mode: "local" });
  const { port } = t.app.smtp;
  // Without `await`, the application would be closed first.
  return await forEach(mails, async ({ raw, from, helo, ip }) => {
    const family = ip.includes(":") ? "TCP6" : "TCP4";
    const here = family === "TCP6" ? "2001:db8::25" : "192.0.2.25";
    const proxy = `PROXY ${family} ${ip} ${here} 55555 25\r\n`;
    const reply = await deliver(port, { proxy, helo, from, to: "bot@e2a.localhost", message: raw });
    const [line = ""] = reply.lines;
    const id = /queued as (msg_[0-9a-f]{32})/.exec(line)?.[1];
    if (id === undefined) return line;
    return (await t.api("GET", `/api/v1/agents/bot@e2a.localhost/messages/${id}`)).body;
  });
}
