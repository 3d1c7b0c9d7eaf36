/** Runs forgeries against a server: its DNS server, and the SMTP dialogue that delivers a forgery. */

import { SmtpClient } from "../smtp/smtp-client.ts";
import { type DnsServer, startDnsServer } from "../support/dns-server.ts";
import { type Forgery, forgedMail, forgeryZone, type VictimKind } from "./forgeries.ts";

/** Starts the DNS server on loopback that the server under attack must use (`dns.servers`). */
export function startForgeryDns(): Promise<DnsServer> {
  return startDnsServer(forgeryZone());
}

export interface Target {
  smtpPort: number;
  /** A mailbox of the server. Its `smtp.proxy_trusted` must include 127.0.0.1, because forgers use other addresses. */
  to: string;
}

/** Delivers a forgery with `id` as its subject. Returns the code of the final reply: 250 if the server accepted it. */
export async function forge(forgery: Forgery, kind: VictimKind, id: string, { smtpPort, to }: Target): Promise<number> {
  const { client: address, helo, mailFrom, raw } = forgedMail(forgery, kind, to, id);
  const client = await SmtpClient.connect(smtpPort, { first: `PROXY TCP4 ${address} 127.0.0.1 4711 25\r\n` });
  try {
    await client.reply();
    const parameters = /[^\x00-\x7f]/.test(mailFrom) ? " SMTPUTF8" : "";
    for (const line of [`EHLO ${helo}`, `MAIL FROM:<${mailFrom}>${parameters}`, `RCPT TO:<${to}>`]) {
      const { code } = await client.command(line);
      if (code !== 250) return code;
    }
    return (await client.data(raw)).code;
  } finally {
    client.destroy();
  }
}
