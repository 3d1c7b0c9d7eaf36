/** Runs forgeries against a server: its DNS, and the dialogue that hands one in. */

import { SmtpClient } from "../smtp/smtp-client.ts";
import { type DnsServer, startDnsServer } from "../support/dns-server.ts";
import { type Forgery, forgedMail, forgeryZone, type VictimKind } from "./forgeries.ts";

/** The DNS server that the server under attack has to ask (`dns.servers`), on loopback. */
export function startForgeryDns(): Promise<DnsServer> {
  return startDnsServer(forgeryZone());
}

export interface Target {
  smtpPort: number;
  /** A mailbox of the server, whose `smtp.proxy_trusted` has to have 127.0.0.1: forgers come from elsewhere. */
  to: string;
}

/** Hands one forgery in, with `id` as its subject; returns the code of the reply that ended it, 250 when it was taken. */
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
