/** The load: sends prepared messages over SMTP and records when each was sent and accepted. */
import { answerCalls } from "./child.ts";
import { mailFrom, signedMails } from "./mail.ts";
import { type Series, sendAll } from "./series.ts";
import { LoadConnection, type Sent } from "./smtp-connection.ts";

export interface LoadOrder {
  port: number;
  /** One address, or several: each message goes to the next one, or with `everyone` to all. */
  to: string | string[];
  everyone?: boolean;
  connections: number;
  pipelined: boolean;
  /** The first message, and how many; after the last prepared one it starts over. */
  first: number;
  count: number;
  /** Whether a connection carries all its messages or only one. */
  connection: "kept" | "for each message";
  /** Messages started per second, whether or not the server keeps up. Default: as fast as possible. */
  perSecond?: number;
}

let mails: Buffer[] = [];

async function run(order: LoadOrder): Promise<Series<Sent>> {
  const { port, connections, pipelined, first } = order;
  const to = [order.to].flat();
  const kept = order.connection === "kept";
  const open = kept ? await Promise.all(Array.from({ length: connections }, () => LoadConnection.open(port))) : [];
  const senders = Array.from({ length: connections }, (_, i) => async (n: number) => {
    const connection = open[i] ?? (await LoadConnection.open(port));
    const recipients = order.everyone ? to : (to[n % to.length] as string);
    const mail = mails[(first + n) % mails.length] as Buffer;
    const sent = await connection.send(mailFrom, recipients, mail, pipelined);
    if (!kept) connection.close();
    return sent;
  });
  const series = await sendAll(order, senders);
  for (const connection of open) connection.close();
  return series;
}

const handlers = {
  /** Makes the messages; returns the size of one in bytes. */
  async prepare(input: { count: number; privateKey: string; to: string }) {
    mails = await signedMails(input.count, input.privateKey, input.to);
    return mails[0]?.length ?? 0;
  },
  run,
};

export type LoadHandlers = typeof handlers;

answerCalls(handlers);
