/** The baseline for outbound mail: nodemailer's pooled transport alone, which composes and sends but stores nothing. */
import { createTransport, type Transporter } from "nodemailer";
import { answerCalls } from "./child.ts";
import { agentSubject, agentText } from "./mail.ts";
import { type Series, sendAll } from "./series.ts";

export interface TransportOrder {
  port: number;
  connections: number;
  /** The signing key (PEM); null: do not sign. */
  dkim: { domain: string; privateKey: string } | null;
}

export interface MailOrder {
  from: string[];
  to: string[];
  first: number;
  count: number;
}

/** The same as the product's: common servers close a connection after about a hundred. */
const MESSAGES_PER_CONNECTION = 100;

let transport: Transporter;

const handlers = {
  start({ port, connections, dkim }: TransportOrder) {
    const options = {
      pool: true,
      maxConnections: connections,
      maxMessages: MESSAGES_PER_CONNECTION,
      host: "127.0.0.1",
      port,
      secure: false,
      ignoreTLS: true,
      ...(dkim && { dkim: { domainName: dkim.domain, keySelector: "bench", privateKey: dkim.privateKey } }),
    } as const;
    transport = createTransport(options);
  },
  /** Sends with one message in progress per sender. Rejects with the first message that is not accepted. */
  run({ from, to, first, count }: MailOrder): Promise<Series<null>> {
    const senders = from.map((address) => async (n: number) => {
      const subject = agentSubject(first + n);
      await transport.sendMail({ from: address, to: to[n % to.length] as string, subject, text: agentText });
      return null;
    });
    return sendAll({ count }, senders);
  },
};

export type NodemailerHandlers = typeof handlers;

answerCalls(handlers);
